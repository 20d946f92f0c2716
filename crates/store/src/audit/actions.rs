//! What was done by whom, without the details: who uses what he may do.

use std::collections::BTreeSet;

use tidings_wire::time::Timestamp;

use crate::{Store, StoreError, TenantId, statements};

/// Entries that one statement looks at, so that none takes long however long the log is.
const ENTRIES_AT_ONCE: i64 = 10_000;

impl Store {
    /// The pairs of actor and action that a tenant's log has with this outcome since then.
    pub async fn audited_actions(
        &self,
        tenant: &TenantId,
        outcome: &str,
        since: Timestamp,
    ) -> Result<BTreeSet<(String, String)>, StoreError> {
        let mut found = BTreeSet::new();
        // From the end on, because only the newest part of the log is of interest.
        let mut last = self.audit_head(tenant).await?.sequence;
        while last > 0 {
            let mut transaction = self.database.read(Some(tenant)).await?;
            let before = (last - ENTRIES_AT_ONCE).max(0);
            let actions = statements::audit::actions(&mut transaction, tenant, outcome, before, last).await?;
            let newest = actions.iter().map(|action| action.last_entry_at).max();
            for action in actions {
                if action.last_with_outcome_at.is_some_and(|time| time >= since) {
                    found.insert((action.actor, action.action));
                }
            }
            if newest.is_some_and(|newest| newest < since) {
                break;
            }
            last = before;
        }
        Ok(found)
    }
}
