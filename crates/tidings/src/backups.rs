//! Backups, from the configuration.

use std::time::Duration;

use tidings_backup::{BackupError, BackupLimits, BackupTarget, S3Settings};
use tidings_flow::backup::BackupSettings;

use crate::config::{BackupPlace, Config};
use crate::failure::{Failure, Outcome};
use crate::opening;

/// How and where backups are made.
pub(crate) fn settings(config: &Config) -> Outcome<BackupSettings> {
    Ok(BackupSettings {
        target: target(config)?,
        limits: limits(config),
        timeout: Duration::from_millis(config.backup.timeout_ms),
    })
}

/// How many backups stay.
fn limits(config: &Config) -> BackupLimits {
    BackupLimits {
        full_backups_max: config.backup.full_backups_max as usize,
        incrementals_max: config.backup.incrementals_max,
    }
}

/// Where they are.
pub(crate) fn target(config: &Config) -> Outcome<BackupTarget> {
    let backup = &config.backup;
    match &backup.dir {
        BackupPlace::Directory(path) => BackupTarget::directory(path).map_err(failure),
        BackupPlace::Bucket { name, prefix } => BackupTarget::s3(&S3Settings {
            bucket: name.clone(),
            prefix: prefix.clone(),
            endpoint: backup.s3_endpoint.clone(),
            region: backup.s3_region.clone(),
            access_key_id: backup.s3_access_key_id.clone(),
            secret_access_key: backup
                .s3_secret_access_key
                .as_ref()
                .map(|key| key.expose().to_owned()),
        })
        .map_err(failure),
    }
}

/// A backup's failure as one of the command that asked.
pub(crate) fn failure(error: BackupError) -> Failure {
    match error {
        BackupError::Store(error) => opening::failure(error),
        BackupError::Target(_) => Failure::Unavailable(anyhow::Error::new(error).context("backup.dir")),
        BackupError::Configuration { .. } => Failure::Usage(anyhow::Error::new(error).context("backup.dir")),
        error => Failure::Usage(error.into()),
    }
}
