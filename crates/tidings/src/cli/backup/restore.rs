//! `tidings backup restore`.

use std::io::{self, Write};

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use tidings_store::{Actor, JobId, JobKind, JobPriority, NewAuditEntry, NewJob, Store, StoreError, TenantId};

use super::{described, job, raw};
use crate::backups;
use crate::cli::key::tenant;
use crate::cli::lead::with_style;
use crate::config::Config;
use crate::failure::{Failure, Outcome};

/// Put a backup back.
#[derive(Debug, Clone, Args)]
pub(crate) struct Restore {
    /// The tenant of the backup; it is made if there is none of this id
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    tenant: TenantId,
    /// Put the backup in the place of the leads that the tenant has, which are gone then
    #[arg(long)]
    replace: bool,
    /// The backup; the newest if not given
    #[arg(value_parser = job)]
    id: Option<JobId>,
}

#[derive(Serialize)]
struct Detail {
    id: JobId,
    replace: bool,
}

impl Restore {
    pub(super) async fn run(self, config: &Config, store: &Store) -> Outcome {
        let target = backups::target(config)?;
        // All of it is read and checked before anything is written.
        let chain = tidings_backup::verify(&target, &self.tenant, self.id)
            .await
            .map_err(backups::failure)?;
        let manifest = chain.newest().clone();
        let detail = raw(&Detail {
            id: manifest.id,
            replace: self.replace,
        })?;
        let new = NewJob {
            tenant: self.tenant.clone(),
            kind: JobKind::Restore,
            priority: JobPriority::High,
            parameters: detail.clone(),
            actor: Actor::command(),
        };
        let audit = NewAuditEntry {
            actor: Actor::command(),
            action: "backup restore",
            outcome: "success",
            detail,
        };
        let bar = with_style(
            ProgressBar::new(chain.rows().total()),
            "{wide_bar} {pos} of {len} rows, {eta} left",
        );
        let restored = tidings_backup::restore(store, chain, self.replace, new, audit, |rows| {
            bar.set_position(rows);
        })
        .await
        .map_err(|error| self.failure(error))?;
        bar.finish_and_clear();
        let mut output = io::stdout().lock();
        writeln!(output, "restored {}", described(&manifest))?;
        writeln!(
            output,
            "tenant {}: {} leads, {} entries of history, {} keys, {} entries of the audit log",
            self.tenant,
            restored.rows.leads,
            restored.rows.lead_changes,
            restored.rows.keys,
            restored.rows.audit_entries
        )?;
        if !restored.is_audit_restored {
            writeln!(
                io::stderr(),
                "the tenant has an audit log of its own, which stays; the backup's is in the backup alone"
            )?;
        }
        Ok(())
    }

    fn failure(&self, error: tidings_backup::BackupError) -> Failure {
        use tidings_backup::BackupError;

        let tenant = &self.tenant;
        match error {
            BackupError::Store(StoreError::Conflict { what }) if !self.replace => Failure::usage(format!(
                "{what}: nothing was changed; say --replace to put the backup in their place"
            )),
            error => match backups::failure(error) {
                Failure::Unavailable(error) => Failure::Unavailable(error.context(format!(
                    "tenant {tenant} is not restored and may be suspended; the same command with --replace does it all"
                ))),
                failure => failure,
            },
        }
    }
}
