//! `tidings backup`.

mod restore;

use std::io::{self, Write};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use tidings_backup::{BackupType, Manifest};
use tidings_flow::backup::{self, BackupFailure};
use tidings_store::{JobId, Store, TenantId};

use super::key::tenant;
use super::tenant::{json_line, known};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::{backups, opening};

/// What to do with a tenant's backups.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum BackupCommand {
    /// Make a backup now
    Create(Create),
    /// List a tenant's backups, oldest first
    List(List),
    /// Read a backup, and all that it stands upon, and check it
    Verify(Verify),
    /// Put a backup back
    Restore(restore::Restore),
    /// Remove a backup
    Delete(Delete),
}

/// Make a backup.
#[derive(Debug, Clone, Args)]
pub(crate) struct Create {
    /// The tenant
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    tenant: TenantId,
    /// All of the tenant, or what changed since its last backup
    #[arg(long, default_value = "full")]
    r#type: Type,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Type {
    Full,
    Incremental,
}

/// List backups.
#[derive(Debug, Clone, Args)]
pub(crate) struct List {
    /// The tenant, also one that there is not any more
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    tenant: TenantId,
    /// Each backup's manifest on a line
    #[arg(long)]
    json: bool,
}

/// Check a backup.
#[derive(Debug, Clone, Args)]
pub(crate) struct Verify {
    /// The tenant
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    tenant: TenantId,
    /// The backup; the newest if not given
    #[arg(value_parser = job)]
    id: Option<JobId>,
}

/// Remove a backup.
#[derive(Debug, Clone, Args)]
pub(crate) struct Delete {
    /// The tenant
    #[arg(long, value_name = "TENANT", value_parser = tenant)]
    tenant: TenantId,
    /// The backup
    #[arg(value_parser = job)]
    id: JobId,
}

fn job(text: &str) -> Result<JobId, String> {
    text.parse()
        .map_err(|error: tidings_store::StoreError| error.to_string())
}

impl BackupCommand {
    pub(crate) fn run(self, config: &Config) -> Outcome {
        opening::on_store(config, async |store| match self {
            Self::Create(create) => create.run(config, store).await,
            Self::List(list) => list.run(config).await,
            Self::Verify(verify) => verify.run(config).await,
            Self::Restore(restore) => restore.run(config, store).await,
            Self::Delete(delete) => delete.run(config).await,
        })
    }
}

impl Create {
    async fn run(self, config: &Config, store: &Store) -> Outcome {
        known(store, &self.tenant).await?;
        let backup_type = match self.r#type {
            Type::Full => BackupType::Full,
            Type::Incremental => BackupType::Incremental,
        };
        let made = backup::make(store, &backups::settings(config)?, &self.tenant, backup_type).await;
        let manifest = made.map_err(|failure| match failure {
            BackupFailure::Store(error) => opening::failure(error),
            failure => Failure::Unavailable(anyhow::Error::new(failure).context("no backup was made")),
        })?;
        writeln!(io::stdout(), "{}", described(&manifest))?;
        Ok(())
    }
}

impl List {
    async fn run(self, config: &Config) -> Outcome {
        let target = backups::target(config)?;
        let (manifests, damaged) = target.list(&self.tenant).await.map_err(backups::failure)?;
        let mut output = io::stdout().lock();
        for manifest in &manifests {
            if self.json {
                json_line(&mut output, manifest)?;
            } else {
                writeln!(output, "{}", described(manifest))?;
            }
        }
        match damaged.into_iter().next() {
            None => Ok(()),
            Some(error) => Err(backups::failure(error)),
        }
    }
}

impl Verify {
    async fn run(self, config: &Config) -> Outcome {
        let target = backups::target(config)?;
        let chain = tidings_backup::verify(&target, &self.tenant, self.id)
            .await
            .map_err(backups::failure)?;
        let mut output = io::stdout().lock();
        for manifest in chain.manifests() {
            writeln!(output, "{}", described(manifest))?;
        }
        writeln!(
            output,
            "backup {} is whole: {} rows in {} backups",
            chain.newest().id,
            chain.rows().total(),
            chain.manifests().count()
        )?;
        Ok(())
    }
}

impl Delete {
    async fn run(self, config: &Config) -> Outcome {
        let target = backups::target(config)?;
        let (manifests, _) = target.list(&self.tenant).await.map_err(backups::failure)?;
        let stands_upon =
            |manifest: &&Manifest| manifest.base.as_ref().is_some_and(|base| base.id == self.id);
        if let Some(other) = manifests.iter().find(stands_upon) {
            return Err(Failure::usage(format!(
                "backup {} stands upon it: delete that first",
                other.id
            )));
        }
        target
            .remove(&self.tenant, self.id)
            .await
            .map_err(backups::failure)?;
        writeln!(io::stdout(), "deleted backup {}", self.id)?;
        Ok(())
    }
}

/// A backup on one line.
fn described(manifest: &Manifest) -> String {
    let base = manifest.base.as_ref().map(|base| format!(" upon {}", base.id));
    format!(
        "{} {}{} of {} leads {} rows {} bytes {} sha256 {}",
        manifest.id,
        manifest.backup_type.as_str(),
        base.unwrap_or_default(),
        manifest.point.time,
        manifest.rows.leads,
        manifest.rows.total(),
        manifest.data.bytes,
        manifest.data.sha256
    )
}

/// A small JSON object as text that is kept with a job or in the audit log.
fn raw(value: &impl serde::Serialize) -> Outcome<Box<serde_json::value::RawValue>> {
    let json = serde_json::value::to_raw_value(value).context("cannot print JSON")?;
    Ok(json)
}
