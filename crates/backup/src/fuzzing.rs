//! The parsers of what stands in a backup, for the fuzz targets.

use tidings_store::{JobId, TenantId};

use crate::manifest::Manifest;
use crate::row::Row;

/// Reads a sealed manifest and seals it again.
pub fn manifest(bytes: &[u8], tenant: &TenantId, id: JobId) -> Option<Vec<u8>> {
    let manifest = Manifest::open(bytes, tenant, id).ok()?;
    manifest.seal().ok()
}

/// Reads a row of this tenant's and writes it again, as it stands in a backup.
pub fn row(json: &[u8], tenant: &TenantId) -> Option<Vec<u8>> {
    let row = Row::read(json, tenant).ok()?;
    let mut text = Vec::new();
    row.write(&mut text).ok()?;
    Some(text)
}
