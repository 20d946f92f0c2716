//! Many leads at once.

use tidings_wire::time::Timestamp;

use super::{Lead, LeadPayload, LeadSource, LeadStatus, LeadVersion};
use crate::database::Turn;
use crate::{Actor, LeadId, NewAuditEntry, NewOutboxEvent, Store, StoreError, TenantId, audit, statements};

/// The most leads that are imported in one transaction.
pub const LEAD_IMPORT_MAX: usize = 500;

/// A lead as it is imported.
#[derive(Clone, Debug)]
pub struct ImportedLead {
    /// How it came in.
    pub source: LeadSource,
    /// How far it has come.
    pub status: LeadStatus,
    /// What is known.
    pub payload: LeadPayload,
    /// When it came in; now, if not given.
    pub created_at: Option<Timestamp>,
}

impl Store {
    /// Imports leads, at most [`LEAD_IMPORT_MAX`] of them: all or none. `announce` says what others are told of each;
    /// somebody who drains the outbox publishes it.
    pub async fn import_leads(
        &self,
        tenant: &TenantId,
        leads: Vec<ImportedLead>,
        actor: &Actor,
        audit: Option<NewAuditEntry>,
        announce: impl Fn(&Lead) -> Option<NewOutboxEvent>,
    ) -> Result<Vec<Lead>, StoreError> {
        if leads.len() > LEAD_IMPORT_MAX {
            return Err(StoreError::Invalid {
                what: "at most 500 leads are imported at once",
            });
        }
        let now = self.now();
        let leads: Vec<Lead> = leads
            .into_iter()
            .map(|imported| Lead {
                id: LeadId::generate(),
                tenant_id: tenant.clone(),
                source: imported.source,
                status: imported.status,
                payload: imported.payload,
                created_at: imported.created_at.unwrap_or(now),
                updated_at: imported.created_at.unwrap_or(now),
                version: LeadVersion(1),
            })
            .collect();
        let mut transaction = self.database.write(Turn::Tenant(tenant)).await?;
        statements::leads::insert_all(&mut transaction, tenant, &leads).await?;
        statements::lead_changes::insert_created(&mut transaction, tenant, &leads, actor, now).await?;
        for event in leads.iter().filter_map(announce) {
            // In nobody's hand: this process may not have a bus.
            statements::outbox::insert(&mut transaction, tenant, event, now, Timestamp::from_millis(0))
                .await?;
        }
        audit::append(&mut transaction, tenant, audit.as_slice(), now).await?;
        transaction.commit().await?;
        Ok(leads)
    }
}
