//! The manifest: what a backup is, and what its rows hash to.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tidings_store::{AuditHead, JobId, SnapshotPoint, TenantId};
use tidings_wire::time::Timestamp;
use utoipa::ToSchema;

use crate::BackupError;

/// The form that this version writes and reads.
pub(crate) const FORMAT: &str = "tidings-backup-1";
/// The longest manifest, in bytes.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 64 * 1024;

/// How much of a tenant a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BackupType {
    /// All of it.
    Full,
    /// What changed since the backup before it.
    Incremental,
}

/// What a backup is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The form of the backup.
    pub format: String,
    /// The version of the program that wrote it.
    pub version: String,
    /// Its id, that of the job which wrote it.
    #[serde(deserialize_with = "parsed")]
    pub id: JobId,
    /// Whose it is.
    #[serde(deserialize_with = "parsed")]
    pub tenant_id: TenantId,
    /// When the tenant was created: another of the same id is not this one.
    #[serde(deserialize_with = "time")]
    pub tenant_created_at: Timestamp,
    /// How much of the tenant it holds.
    #[serde(rename = "type")]
    pub backup_type: BackupType,
    /// The backup before it, for an incremental one.
    pub base: Option<Base>,
    /// How many incremental backups stand between it and its full one, itself included.
    pub sequence: u32,
    /// The moment of which it is.
    pub point: Point,
    /// How many rows it holds.
    pub rows: RowCounts,
    /// Where its rows are.
    pub data: Data,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// The backup before an incremental one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Base {
    /// Its id.
    #[serde(deserialize_with = "parsed")]
    pub id: JobId,
    /// What its rows hash to.
    pub sha256: String,
}

/// The moment of which a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// When it was.
    #[serde(deserialize_with = "time")]
    pub time: Timestamp,
    /// The number of the last entry in the history of any lead.
    pub lead_change: i64,
    /// The head of the audit log, `sequence:hash`.
    #[serde(serialize_with = "shown", deserialize_with = "parsed")]
    pub audit_head: AuditHead,
}

/// Rows by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RowCounts {
    /// The tenant itself: always 1.
    pub tenants: u64,
    /// Keys, as hashes.
    pub keys: u64,
    /// Leads.
    pub leads: u64,
    /// Leads that are there no more, in an incremental backup.
    pub leads_gone: u64,
    /// Entries of leads' histories.
    pub lead_changes: u64,
    /// Entries of the audit log.
    pub audit_entries: u64,
}

/// Where a backup's rows are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Data {
    /// The object's name, beside the manifest.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of it, in hexadecimal.
    pub sha256: String,
    /// The size of what it unpacks to, in bytes.
    pub unpacked_bytes: u64,
}

/// The manifest as it is written, with what it hashes to itself.
#[derive(Serialize)]
struct Sealed<'a> {
    manifest: &'a RawValue,
    sha256: String,
}

#[derive(Deserialize)]
struct Opened<'a> {
    #[serde(borrow)]
    manifest: &'a RawValue,
    sha256: String,
}

/// What is looked at before anything else.
#[derive(Deserialize)]
struct Form {
    format: String,
}

impl RowCounts {
    /// All rows.
    pub fn total(&self) -> u64 {
        self.tenants + self.keys + self.leads + self.leads_gone + self.lead_changes + self.audit_entries
    }
}

impl From<SnapshotPoint> for Point {
    fn from(point: SnapshotPoint) -> Point {
        Point {
            time: point.time,
            lead_change: point.lead_change,
            audit_head: point.audit,
        }
    }
}

impl Manifest {
    pub(crate) fn seal(&self) -> serde_json::Result<Vec<u8>> {
        let manifest = serde_json::value::to_raw_value(self)?;
        let sha256 = sha256(manifest.get().as_bytes());
        serde_json::to_vec(&Sealed {
            manifest: &manifest,
            sha256,
        })
    }

    /// Reads the manifest of this tenant's backup and checks that it is that and whole.
    pub(crate) fn open(bytes: &[u8], tenant: &TenantId, id: JobId) -> Result<Manifest, BackupError> {
        let damaged = |what: &str| BackupError::damaged(id, what);
        let opened: Opened<'_> =
            serde_json::from_slice(bytes).map_err(|_| damaged("its manifest is cut off or altered"))?;
        if sha256(opened.manifest.get().as_bytes()) != opened.sha256 {
            return Err(damaged("its manifest does not hash to what it says"));
        }
        let form: Form =
            serde_json::from_str(opened.manifest.get()).map_err(|_| damaged("its manifest has no form"))?;
        if form.format != FORMAT {
            return Err(BackupError::UnknownFormat {
                id,
                format: form.format.chars().take(64).collect(),
            });
        }
        let manifest: Manifest = serde_json::from_str(opened.manifest.get())
            .map_err(|error| damaged(&format!("its manifest: {error}")))?;
        if manifest.tenant_id != *tenant {
            return Err(damaged(&format!("it is of tenant {}", manifest.tenant_id)));
        }
        if manifest.id != id {
            return Err(damaged(&format!("its manifest is that of {}", manifest.id)));
        }
        let has_base = manifest.base.is_some();
        if has_base != (manifest.backup_type == BackupType::Incremental)
            || has_base != (manifest.sequence > 0)
        {
            return Err(damaged("its manifest contradicts itself"));
        }
        Ok(manifest)
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes).as_slice())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn parsed<'de, D: Deserializer<'de>, T: std::str::FromStr>(deserializer: D) -> Result<T, D::Error>
where
    T::Err: std::fmt::Display,
{
    String::deserialize(deserializer)?
        .parse()
        .map_err(serde::de::Error::custom)
}

fn shown<S: serde::Serializer>(value: &impl std::fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    Timestamp::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT.to_owned(),
            version: "0.1.0".to_owned(),
            id: JobId::generate(),
            tenant_id: TenantId::new("demo1").unwrap(),
            tenant_created_at: Timestamp::from_millis(1),
            backup_type: BackupType::Full,
            base: None,
            sequence: 0,
            point: Point {
                time: Timestamp::from_millis(0),
                lead_change: 7,
                audit_head: AuditHead::EMPTY,
            },
            rows: RowCounts::default(),
            data: Data {
                name: "data".to_owned(),
                bytes: 1,
                sha256: "00".to_owned(),
                unpacked_bytes: 2,
            },
            duration_ms: 3,
        }
    }

    #[test]
    fn what_was_sealed_opens_and_nothing_else_does() {
        let manifest = manifest();
        let (tenant, id) = (&manifest.tenant_id, manifest.id);
        let sealed = manifest.seal().unwrap();
        assert_eq!(Manifest::open(&sealed, tenant, id).unwrap(), manifest);
        for cut in 0..sealed.len() {
            assert!(Manifest::open(&sealed[..cut], tenant, id).is_err(), "{cut}");
        }
        for place in 0..sealed.len() {
            for bit in 0..8 {
                let mut altered = sealed.clone();
                altered[place] ^= 1 << bit;
                assert!(Manifest::open(&altered, tenant, id).is_err(), "{place} {bit}");
            }
        }
    }

    #[test]
    fn refusals_say_why() {
        let told = |manifest: &Manifest, tenant: &str, id: JobId| {
            let tenant = TenantId::new(tenant).unwrap();
            Manifest::open(&manifest.seal().unwrap(), &tenant, id)
                .unwrap_err()
                .to_string()
        };
        let good = manifest();
        let id = good.id;
        assert!(told(&good, "demo2", id).ends_with("it is of tenant demo1"));
        assert!(told(&good, "demo1", JobId::generate()).ends_with(&format!("its manifest is that of {id}")));
        let newer = Manifest {
            format: "tidings-backup-2".to_owned(),
            ..good.clone()
        };
        assert!(told(&newer, "demo1", id).contains("\"tidings-backup-2\", which this version does not read"));
        let odd = Manifest { sequence: 1, ..good };
        assert!(told(&odd, "demo1", id).ends_with("its manifest contradicts itself"));
    }
}
