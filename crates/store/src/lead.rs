//! Leads: the people who may become a tenant's customers.

pub(crate) mod change;
mod import;
mod list;
mod payload;
pub(crate) mod search;
mod source;
mod status;

use serde::Serialize;
use tidings_wire::time::Timestamp;
use utoipa::ToSchema;

pub use change::{
    LEAD_CHANGES_MAX, LeadChange, LeadChangeKind, LeadEdit, LeadEdited, LeadVersion, LeadWrite,
};
pub use import::{ImportedLead, LEAD_IMPORT_MAX};
pub use list::{LEAD_PAGE_MAX, LeadCursor, LeadFilter, LeadPage, TimeRange};
pub use payload::{LEAD_PAYLOAD_BYTES_MAX, LeadPayload, LeadPayloadError};
pub use search::{LeadHits, LeadSearch, SEARCH_TOTAL_MAX};
pub use source::LeadSource;
pub use status::{LeadStatus, UnknownLeadStatus};

use crate::database::Turn;
use crate::{
    Actor, Attached, IdempotentRequest, LeadId, Once, Store, StoreError, TenantId, Written, statements,
};

/// A lead, serialized as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lead {
    /// Its id.
    pub id: LeadId,
    /// Whose lead it is.
    pub tenant_id: TenantId,
    /// How it came in.
    pub source: LeadSource,
    /// How far it has come.
    pub status: LeadStatus,
    /// Name, email and whatever else is known.
    pub payload: LeadPayload,
    /// When it came in.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// How often it was written.
    #[serde(skip)]
    pub version: LeadVersion,
}

/// A lead to create. Its status is NEW.
#[derive(Clone, Debug)]
pub struct NewLead {
    /// Whose lead.
    pub tenant: TenantId,
    /// How it came in.
    pub source: LeadSource,
    /// What is known.
    pub payload: LeadPayload,
}

/// Leads by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeadCounts {
    /// All of them.
    pub total: u64,
    /// NEW.
    pub new: u64,
    /// CONTACTED.
    pub contacted: u64,
    /// QUALIFIED.
    pub qualified: u64,
    /// LOST.
    pub lost: u64,
}

impl Store {
    /// Creates a lead, and nothing with it. An unknown tenant is [`StoreError::NotFound`].
    pub async fn create_lead(&self, new: NewLead) -> Result<Lead, StoreError> {
        match self
            .create_lead_with(new, &Actor::system(), None, |_| Attached::default())
            .await?
        {
            Once::Fresh(written) => Ok(written.value),
            Once::Repeated(_) => Err(StoreError::corrupt("a request without a key was answered before")),
        }
    }

    /// Creates a lead unless this request has been answered before. Lead, event and answer are stored together: after a
    /// crash there are all or none. `attach` says what to store with the lead.
    pub async fn create_lead_with(
        &self,
        new: NewLead,
        actor: &Actor,
        once: Option<&IdempotentRequest>,
        attach: impl FnOnce(&Lead) -> Attached,
    ) -> Result<Once<Written<Lead>>, StoreError> {
        let lead = self.fresh_lead(new);
        let attached = attach(&lead);
        let mut transaction = self.database.write(Turn::Tenant(&lead.tenant_id)).await?;
        if let Some(request) = once
            && let Some(stored) =
                statements::idempotency::find(&mut transaction, request, lead.created_at).await?
        {
            return stored.answer(request).map(Once::Repeated);
        }
        statements::leads::insert(&mut transaction, &lead).await?;
        change::note_created(&mut transaction, &lead, actor).await?;
        let tenant = lead.tenant_id.clone();
        self.finish(transaction, &tenant, once, lead, attached)
            .await
            .map(Once::Fresh)
    }

    /// A tenant's lead by its id; `None` also for another tenant's.
    pub async fn lead(&self, tenant: &TenantId, id: LeadId) -> Result<Option<Lead>, StoreError> {
        let mut transaction = self.database.read(Some(tenant)).await?;
        statements::leads::find(&mut transaction, tenant, id).await
    }

    /// A tenant's leads by status, of those created since the beginning of this time's hour (since ever if not given).
    /// Counters are read, no leads.
    pub async fn lead_counts(
        &self,
        tenant: &TenantId,
        since: Option<Timestamp>,
    ) -> Result<LeadCounts, StoreError> {
        let mut transaction = self.database.read(Some(tenant)).await?;
        let by_status = statements::lead_counts::by_status(&mut transaction, tenant, since).await?;
        let mut counts = LeadCounts::default();
        for (status, count) in by_status {
            counts.total += count;
            match status {
                LeadStatus::New => counts.new = count,
                LeadStatus::Contacted => counts.contacted = count,
                LeadStatus::Qualified => counts.qualified = count,
                LeadStatus::Lost => counts.lost = count,
            }
        }
        Ok(counts)
    }

    fn fresh_lead(&self, new: NewLead) -> Lead {
        let now = self.now();
        Lead {
            id: LeadId::generate(),
            tenant_id: new.tenant,
            source: new.source,
            status: LeadStatus::New,
            payload: new.payload,
            created_at: now,
            updated_at: now,
            version: LeadVersion(1),
        }
    }
}
