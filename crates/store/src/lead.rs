//! Leads: the people who may become a tenant's customers.

mod list;
mod payload;
pub(crate) mod search;
mod source;
mod status;

use serde::Serialize;
use tidings_wire::time::Timestamp;

pub use list::{LEAD_PAGE_MAX, LeadCursor, LeadFilter, LeadPage, TimeRange};
pub use payload::{LEAD_PAYLOAD_BYTES_MAX, LeadPayload, LeadPayloadError};
pub use search::{LeadHits, LeadSearch, SEARCH_TOTAL_MAX};
pub use source::LeadSource;
pub use status::{LeadStatus, UnknownLeadStatus};

use crate::database::Turn;
use crate::idempotency::check_response;
use crate::{IdempotentRequest, LeadId, Once, Store, StoreError, StoredResponse, TenantId, statements};

/// A lead, serialized as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
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
    /// Creates a lead. An unknown tenant is [`StoreError::NotFound`].
    pub async fn create_lead(&self, new: NewLead) -> Result<Lead, StoreError> {
        let lead = self.fresh_lead(new);
        let mut transaction = self.database.write(Turn::Tenant(&lead.tenant_id)).await?;
        statements::leads::insert(&mut transaction, &lead).await?;
        transaction.commit().await?;
        Ok(lead)
    }

    /// Creates a lead unless this request has been answered before. Lead and answer are stored together: after a
    /// crash there are both or neither. `respond` makes the answer to remember.
    pub async fn create_lead_once(
        &self,
        new: NewLead,
        request: &IdempotentRequest,
        respond: impl FnOnce(&Lead) -> StoredResponse,
    ) -> Result<Once<Lead>, StoreError> {
        let lead = self.fresh_lead(new);
        let response = respond(&lead);
        check_response(&response)?;
        let mut transaction = self.database.write(Turn::Tenant(&lead.tenant_id)).await?;
        if let Some(stored) =
            statements::idempotency::find(&mut transaction, request, lead.created_at).await?
        {
            return stored.answer(request).map(Once::Repeated);
        }
        statements::leads::insert(&mut transaction, &lead).await?;
        statements::idempotency::put(&mut transaction, request, &response, lead.created_at).await?;
        transaction.commit().await?;
        Ok(Once::Fresh(lead))
    }

    /// A tenant's lead by its id; `None` also for another tenant's.
    pub async fn lead(&self, tenant: &TenantId, id: LeadId) -> Result<Option<Lead>, StoreError> {
        let mut transaction = self.database.read(Some(tenant)).await?;
        statements::leads::find(&mut transaction, tenant, id).await
    }

    /// A tenant's leads by status, of those created since this time (since ever if not given).
    pub async fn lead_counts(
        &self,
        tenant: &TenantId,
        since: Option<Timestamp>,
    ) -> Result<LeadCounts, StoreError> {
        let mut transaction = self.database.read(Some(tenant)).await?;
        let by_status = statements::leads::counts(&mut transaction, tenant, since).await?;
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
        }
    }
}
