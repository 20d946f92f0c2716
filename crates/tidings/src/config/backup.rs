//! Where backups go, and how many stay.

use std::path::PathBuf;

use super::secret::Secret;
use super::section::section;
use super::setting::{Setting, quoted};
use super::value::{Mismatch, Value};

section! {
    /// Backups of tenants.
    ["backup"] Backup(base) {
        /// Where they are kept: a directory, or a bucket as `s3://BUCKET` or `s3://BUCKET/PREFIX`. Each tenant's have a
        /// folder of their own there. The directory is made if need be, and only its owner may look in.
        dir: BackupPlace = BackupPlace::Directory(base.data_dir.join("backups"));
        /// The address of an S3 service other than AWS, such as `https://minio.example.com`.
        s3_endpoint: Option<String> = None;
        /// The bucket's region; `AWS_REGION` if not given.
        s3_region: Option<String> = None;
        /// The access key's id; if not given, AWS's own variables, files and machine roles are asked.
        s3_access_key_id: Option<String> = None;
        /// The access key.
        s3_secret_access_key: Option<Secret> = None;
        /// Full backups of each tenant that are kept, with the incremental ones behind each. Older ones are removed after
        /// a backup.
        full_backups_max: u32 = 7, within 1..=1_000;
        /// Incremental backups behind a full one; one more is a full one. A restore reads them all.
        incrementals_max: u32 = 30, within 0..=1_000;
        /// How long a backup may take, in milliseconds; then it has failed.
        timeout_ms: u64 = 3_600_000, within 1_000..=86_400_000;
    }
}

/// A place for backups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BackupPlace {
    /// A directory.
    Directory(PathBuf),
    /// A bucket, and what stands before the names in it.
    Bucket {
        /// Its name.
        name: String,
        /// The beginning of every object's name.
        prefix: String,
    },
}

impl Setting for BackupPlace {
    fn expected() -> String {
        "a directory or `s3://BUCKET/PREFIX`".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        let text = value
            .text()
            .filter(|text| !text.is_empty())
            .ok_or_else(Self::mismatch)?;
        if let Some(bucket) = text.strip_prefix("s3://") {
            let (name, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
            let is_bucket = |name: &str| {
                (3..=63).contains(&name.len())
                    && name
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
            };
            let is_prefix = prefix
                .trim_end_matches('/')
                .split('/')
                .all(|part| part != "." && part != "..");
            return if is_bucket(name) && is_prefix {
                Ok(BackupPlace::Bucket {
                    name: name.to_owned(),
                    prefix: prefix.trim_matches('/').to_owned(),
                })
            } else {
                Err(Self::mismatch())
            };
        }
        if text.contains("://") {
            return Err(Self::mismatch());
        }
        Ok(BackupPlace::Directory(PathBuf::from(text)))
    }

    fn show(&self) -> Option<String> {
        Some(match self {
            BackupPlace::Directory(path) => quoted(&path.display().to_string()),
            BackupPlace::Bucket { name, prefix } if prefix.is_empty() => quoted(&format!("s3://{name}")),
            BackupPlace::Bucket { name, prefix } => quoted(&format!("s3://{name}/{prefix}")),
        })
    }
}
