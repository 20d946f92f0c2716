//! Which backups stay.

use std::time::Duration;

use tidings_store::TenantId;

use crate::target::BackupTarget;
use crate::{BackupError, BackupLimits, BackupType};

/// A backup that was given up so long ago is removed.
const UNFINISHED_AGE: Duration = Duration::from_hours(24);

/// Removes the backups before the last so many full ones, and what was given up. Those that are damaged stay: somebody
/// should look at them.
pub(crate) async fn apply(
    target: &BackupTarget,
    tenant: &TenantId,
    limits: BackupLimits,
) -> Result<(), BackupError> {
    let (manifests, _) = target.list(tenant).await?;
    let full: Vec<usize> = manifests
        .iter()
        .enumerate()
        .filter(|(_, manifest)| manifest.backup_type == BackupType::Full)
        .map(|(place, _)| place)
        .collect();
    let first_kept = full
        .len()
        .checked_sub(limits.full_backups_max.max(1))
        .and_then(|place| full.get(place).copied())
        .unwrap_or(0);
    // The last of a chain first: what stands upon others never stays without them.
    for manifest in manifests[..first_kept].iter().rev() {
        target.remove(tenant, manifest.id).await?;
        tracing::info!(%tenant, id = %manifest.id, "an old backup is removed");
    }
    target.remove_unfinished(tenant, UNFINISHED_AGE).await
}
