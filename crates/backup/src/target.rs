//! Where backups are kept: a directory, or a bucket that speaks S3.

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::aws::AmazonS3Builder;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, RetryConfig};
use tidings_store::{AuditHead, JobId, Tenant, TenantId};

use crate::manifest::{MANIFEST_BYTES_MAX, Manifest};
use crate::{BackupError, BackupType};

/// The rows of a backup, beside its manifest.
pub(crate) const DATA: &str = "data.json-seq.gz";
const MANIFEST: &str = "manifest.json";
/// What is written at once, in bytes: to a bucket, whose parts have to be large, and to a directory.
const BUCKET_PART_BYTES: usize = 8 * 1024 * 1024;
const DIRECTORY_PART_BYTES: usize = 256 * 1024;
/// Manifests that are read side by side.
const READ_AT_ONCE: usize = 16;
/// How long a bucket that fails is tried again.
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);

/// How to reach a bucket. What is not given comes from the environment, as AWS's own tools read it.
#[derive(Clone)]
pub struct S3Settings {
    /// Its name.
    pub bucket: String,
    /// What stands before every object's name.
    pub prefix: String,
    /// The address of a service other than AWS; `http://` only where everybody on the way is trusted.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// The access key's id.
    pub access_key_id: Option<String>,
    /// The access key.
    pub secret_access_key: Option<String>,
}

/// Where backups are kept. A clone is another handle.
#[derive(Clone)]
pub struct BackupTarget {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// For people.
    name: String,
    /// The directory, if it is one.
    directory: Option<PathBuf>,
}

// Written by hand: the store may hold a secret.
impl fmt::Debug for BackupTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BackupTarget({})", self.name)
    }
}

impl fmt::Display for BackupTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl BackupTarget {
    /// A directory, made if need be. Only its owner may look in: backups hold personal data.
    pub fn directory(path: &FilePath) -> Result<BackupTarget, BackupError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(BackupError::target)?;
        let store = LocalFileSystem::new_with_prefix(path)?
            .with_fsync(true)
            .with_automatic_cleanup(true);
        Ok(BackupTarget {
            store: Arc::new(store),
            prefix: Path::default(),
            name: path.display().to_string(),
            directory: Some(path.to_owned()),
        })
    }

    /// A bucket. It is not reached before it is needed.
    pub fn s3(settings: &S3Settings) -> Result<BackupTarget, BackupError> {
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(&settings.bucket)
            .with_retry(RetryConfig {
                retry_timeout: RETRY_TIMEOUT,
                ..RetryConfig::default()
            });
        if let Some(endpoint) = &settings.endpoint {
            builder = builder
                .with_endpoint(endpoint)
                .with_allow_http(endpoint.starts_with("http://"));
        }
        if let Some(region) = &settings.region {
            builder = builder.with_region(region);
        }
        if let (Some(id), Some(key)) = (&settings.access_key_id, &settings.secret_access_key) {
            builder = builder.with_access_key_id(id).with_secret_access_key(key);
        }
        let configuration = |error: &dyn fmt::Display| BackupError::Configuration {
            what: error.to_string(),
        };
        let prefix = Path::parse(&settings.prefix).map_err(|error| configuration(&error))?;
        Ok(BackupTarget {
            store: Arc::new(builder.build().map_err(|error| configuration(&error))?),
            name: format!("s3://{}/{prefix}", settings.bucket),
            prefix,
            directory: None,
        })
    }

    /// A tenant's backups that were finished, oldest first. One that cannot be read is left out and told in the second
    /// list.
    pub async fn list(&self, tenant: &TenantId) -> Result<(Vec<Manifest>, Vec<BackupError>), BackupError> {
        let (mut manifests, mut damaged) = (Vec::new(), Vec::new());
        let read = stream::iter(self.ids(tenant).await?)
            .map(|id| async move { self.manifest(tenant, id).await })
            .buffered(READ_AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        for manifest in read {
            match manifest {
                Ok(manifest) => manifests.push(manifest),
                // Not finished, or given up.
                Err(BackupError::NotFound { .. }) => {}
                Err(BackupError::Target(error)) => return Err(BackupError::Target(error)),
                Err(error) => damaged.push(error),
            }
        }
        Ok((manifests, damaged))
    }

    /// The manifest of a backup. One that is not there, or was not finished, is [`BackupError::NotFound`].
    pub async fn manifest(&self, tenant: &TenantId, id: JobId) -> Result<Manifest, BackupError> {
        let got = match self.store.get(&self.path(tenant, id, MANIFEST)).await {
            Err(object_store::Error::NotFound { .. }) => {
                return Err(BackupError::NotFound {
                    tenant: tenant.clone(),
                    id,
                });
            }
            got => got?,
        };
        if got.meta.size > MANIFEST_BYTES_MAX {
            return Err(BackupError::damaged(id, "its manifest is too long"));
        }
        Manifest::open(&got.bytes().await?, tenant, id)
    }

    /// The newest finished backup.
    pub async fn newest(&self, tenant: &TenantId) -> Result<Option<Manifest>, BackupError> {
        let mut ids = self.ids(tenant).await?;
        while let Some(id) = ids.pop() {
            match self.manifest(tenant, id).await {
                Err(BackupError::NotFound { .. }) => {}
                manifest => return manifest.map(Some),
            }
        }
        Ok(None)
    }

    /// The heads that the tenant's audit log had when it was backed up, for comparison. A tenant of the same id that was
    /// made at another time had another log; without a tenant, all of its id are given.
    pub async fn audit_heads(
        &self,
        id: &TenantId,
        tenant: Option<&Tenant>,
    ) -> Result<Vec<AuditHead>, BackupError> {
        let (manifests, _) = self.list(id).await?;
        Ok(manifests
            .iter()
            .filter(|manifest| tenant.is_none_or(|tenant| tenant.created_at == manifest.tenant_created_at))
            .map(|manifest| manifest.point.audit_head)
            .filter(|head| head.sequence > 0)
            .collect())
    }

    pub(crate) async fn put_manifest(&self, manifest: &Manifest) -> Result<(), BackupError> {
        let bytes = manifest.seal().map_err(BackupError::target)?;
        let path = self.path(&manifest.tenant_id, manifest.id, MANIFEST);
        self.store.put(&path, bytes.into()).await?;
        Ok(())
    }

    pub(crate) fn writer(&self, tenant: &TenantId, id: JobId) -> BufWriter {
        let part_bytes = if self.directory.is_some() {
            DIRECTORY_PART_BYTES
        } else {
            BUCKET_PART_BYTES
        };
        BufWriter::with_capacity(self.store.clone(), self.path(tenant, id, DATA), part_bytes)
    }

    pub(crate) async fn read(
        &self,
        manifest: &Manifest,
    ) -> Result<impl StreamExt<Item = Result<Bytes, BackupError>> + Unpin + use<>, BackupError> {
        let path = self.path(&manifest.tenant_id, manifest.id, DATA);
        let got = self.store.get(&path).await.map_err(|error| match error {
            object_store::Error::NotFound { .. } => BackupError::damaged(manifest.id, "its data is missing"),
            error => error.into(),
        })?;
        Ok(got.into_stream().map_err(BackupError::from))
    }

    /// Removes a backup: first the manifest, so that at no moment one looks whole that is not.
    pub async fn remove(&self, tenant: &TenantId, id: JobId) -> Result<(), BackupError> {
        for name in [MANIFEST, DATA] {
            match self.store.delete(&self.path(tenant, id, name)).await {
                Err(object_store::Error::NotFound { .. }) => {}
                removed => removed?,
            }
        }
        Ok(())
    }

    /// Removes what backups left that were given up longer ago than this: data without a manifest, and what a directory
    /// still holds of a file that was being written.
    pub(crate) async fn remove_unfinished(
        &self,
        tenant: &TenantId,
        age_min: Duration,
    ) -> Result<(), BackupError> {
        let now = SystemTime::now();
        let is_old = move |modified: SystemTime| now.duration_since(modified).is_ok_and(|age| age >= age_min);
        for id in self.ids(tenant).await? {
            let data = self.path(tenant, id, DATA);
            let (Err(object_store::Error::NotFound { .. }), Ok(left)) = (
                self.store.head(&self.path(tenant, id, MANIFEST)).await,
                self.store.head(&data).await,
            ) else {
                continue;
            };
            if is_old(left.last_modified.into()) {
                tracing::info!(%tenant, %id, "a backup that was given up is removed");
                self.store.delete(&data).await?;
            }
        }
        let Some(directory) = self.directory.clone() else {
            return Ok(());
        };
        let directory = directory.join(tenant.as_str());
        let removed = tokio::task::spawn_blocking(move || remove_staged(&directory, is_old)).await;
        removed.map_err(BackupError::target)?.map_err(BackupError::target)
    }

    /// The ids under which something of a tenant is, in order.
    async fn ids(&self, tenant: &TenantId) -> Result<Vec<JobId>, BackupError> {
        let folder = self.prefix.clone().join(tenant.as_str());
        let listed = self.store.list_with_delimiter(Some(&folder)).await?;
        let mut ids: Vec<JobId> = listed
            .common_prefixes
            .iter()
            .filter_map(|path| path.filename()?.parse().ok())
            .collect();
        ids.sort_unstable();
        Ok(ids)
    }

    fn path(&self, tenant: &TenantId, id: JobId, name: &str) -> Path {
        let folder = self.prefix.clone().join(tenant.as_str());
        folder.join(id.to_string()).join(name)
    }
}

/// Removes files that were being written, named with a `#` and a number, and folders that have nothing in them.
fn remove_staged(directory: &FilePath, is_old: impl Fn(SystemTime) -> bool) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for folder in entries {
        let folder = folder?;
        if !folder.file_type()?.is_dir() || !is_old(folder.metadata()?.modified()?) {
            continue;
        }
        for file in std::fs::read_dir(folder.path())? {
            let file = file?;
            let name = file.file_name();
            let is_staged = name
                .to_string_lossy()
                .rsplit_once('#')
                .is_some_and(|(_, number)| number.parse::<u32>().is_ok());
            if is_staged && is_old(file.metadata()?.modified()?) {
                std::fs::remove_file(file.path())?;
            }
        }
        // It stays if there is something in it.
        let _ = std::fs::remove_dir(folder.path());
    }
    Ok(())
}

impl BackupType {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            BackupType::Full => "full",
            BackupType::Incremental => "incremental",
        }
    }
}
