//! What the checks of one run share.

use tidings_store::{KeyRecord, Store, TenantId};
use tidings_wire::time::Timestamp;
use tokio::sync::OnceCell;

use super::leads::LeadSurvey;
use super::report::CouldNotRun;
use super::settings::ComplianceSettings;
use crate::flow::Flow;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The tenant that is checked, as of one moment.
pub(super) struct Subject<'a> {
    pub(super) flow: &'a Flow,
    pub(super) tenant: &'a TenantId,
    pub(super) settings: &'a ComplianceSettings,
    pub(super) now: Timestamp,
    keys: OnceCell<Vec<KeyRecord>>,
    leads: OnceCell<LeadSurvey>,
}

impl<'a> Subject<'a> {
    pub(super) fn new(flow: &'a Flow, tenant: &'a TenantId) -> Subject<'a> {
        Subject {
            flow,
            tenant,
            settings: flow.compliance(),
            now: flow.now(),
            keys: OnceCell::new(),
            leads: OnceCell::new(),
        }
    }

    pub(super) fn store(&self) -> &'a Store {
        self.flow.store()
    }

    /// The time so many days ago.
    pub(super) fn days_ago(&self, days: u32) -> Timestamp {
        Timestamp::from_millis(self.now.as_millis() - i64::from(days) * DAY_MS)
    }

    /// How many whole days ago this was.
    pub(super) fn age_days(&self, time: Timestamp) -> i64 {
        (self.now.as_millis() - time.as_millis()) / DAY_MS
    }

    /// The tenant's keys that open doors, with their last uses up to now. That the tenant may be suspended at the moment
    /// changes nothing: it can be resumed.
    pub(super) async fn keys(&self) -> Result<&[KeyRecord], CouldNotRun> {
        let keys = self.keys.get_or_try_init(async || {
            self.flow.usage().write(self.store()).await?;
            let mut keys = self.store().list_keys(self.tenant).await?;
            keys.retain(|key| key.revoked_at.is_none() && key.expires_at.is_none_or(|end| end > self.now));
            Ok::<_, CouldNotRun>(keys)
        });
        keys.await.map(Vec::as_slice)
    }

    /// The tenant's leads, all of them looked at once.
    pub(super) async fn leads(&self) -> Result<&LeadSurvey, CouldNotRun> {
        self.leads.get_or_try_init(|| LeadSurvey::walk(self)).await
    }
}
