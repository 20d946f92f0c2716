//! `tidings audit`.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use tidings_store::{AUDIT_PAGE_MAX, AuditHead, Store, TenantId};

use super::key::tenant;
use super::tenant::json_line;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::{backups, opening};

/// What to do with a tenant's audit log.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum AuditCommand {
    /// Print the log, a line of JSON for each entry
    List(List),
    /// Print the last entry's number and hash, to be written down where nobody changes it from the database
    Head(Head),
    /// Check that no entry was changed or removed
    Verify(Verify),
}

/// Print the log.
#[derive(Debug, Clone, Args)]
pub(crate) struct List {
    /// The tenant, also one that was deleted
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    tenant: TenantId,
    /// Begin behind the entry of this number
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: i64,
    /// Print no more than so many entries
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
}

/// Print the head.
#[derive(Debug, Clone, Args)]
pub(crate) struct Head {
    /// The tenant
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    tenant: TenantId,
}

/// Check the log.
#[derive(Debug, Clone, Args)]
pub(crate) struct Verify {
    /// The tenant
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    tenant: TenantId,
    /// A head that the log once had, from `audit head` or the server's own log; may be repeated. Those of the tenant's
    /// backups are compared too. Without any, a log whose end was cut off together with its head looks whole
    #[arg(long, value_name = "NUMBER:HASH", value_parser = head)]
    head: Vec<AuditHead>,
}

fn head(text: &str) -> Result<AuditHead, String> {
    text.parse()
        .map_err(|error: tidings_store::StoreError| error.to_string())
}

impl AuditCommand {
    pub(crate) fn run(self, config: &Config) -> Outcome {
        opening::on_store(config, async |store| match self {
            Self::List(list) => list.run(store).await,
            Self::Head(head) => head.run(store).await,
            Self::Verify(verify) => verify.run(config, store).await,
        })
    }
}

impl List {
    async fn run(self, store: &Store) -> Outcome {
        let mut output = io::stdout().lock();
        let (mut after, mut left) = (self.after, self.limit.unwrap_or(u64::MAX));
        while left > 0 {
            let limit = u32::try_from(left).unwrap_or(AUDIT_PAGE_MAX).min(AUDIT_PAGE_MAX);
            let entries = store
                .list_audit(&self.tenant, after, limit)
                .await
                .map_err(opening::failure)?;
            let Some(last) = entries.last() else { break };
            after = last.sequence;
            left -= entries.len() as u64;
            for entry in &entries {
                json_line(&mut output, entry)?;
            }
        }
        Ok(())
    }
}

impl Head {
    async fn run(self, store: &Store) -> Outcome {
        let head = store.audit_head(&self.tenant).await.map_err(opening::failure)?;
        writeln!(io::stdout(), "{head}")?;
        Ok(())
    }
}

impl Verify {
    async fn run(self, config: &Config, store: &Store) -> Outcome {
        let mut known = self.head;
        known.extend(heads_of_backups(config, store, &self.tenant).await?);
        let verified = store.verify_audit(&self.tenant, &known).await;
        match verified.map_err(opening::failure)? {
            Ok(head) => {
                writeln!(
                    io::stdout(),
                    "{} entries, none changed or removed; compared with {} earlier heads; head {head}",
                    head.sequence,
                    known.len()
                )?;
                Ok(())
            }
            Err(fault) => Err(Failure::Internal(
                anyhow::Error::new(fault).context(format!("audit log of tenant {}", self.tenant)),
            )),
        }
    }
}

/// The heads that the log had when it was backed up.
async fn heads_of_backups(config: &Config, store: &Store, id: &TenantId) -> Outcome<Vec<AuditHead>> {
    let tenant = store.tenant(id).await.map_err(opening::failure)?;
    let heads = match backups::target(config) {
        Ok(target) => target
            .audit_heads(id, tenant.as_ref())
            .await
            .map_err(backups::failure),
        Err(failure) => Err(failure),
    };
    Ok(heads.unwrap_or_else(|failure| {
        // The log is checked all the same.
        let _ = writeln!(
            io::stderr(),
            "the backups' heads are not compared: {:#}",
            failure.error()
        );
        Vec::new()
    }))
}
