//! Changing and deleting leads, and the history of that.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use tidings_wire::time::Timestamp;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::{Lead, LeadPayload, LeadStatus};
use crate::database::{Transaction, Turn};
use crate::idempotency::check_response;
use crate::outbox::{Attached, Written, held_until};
use crate::{Actor, IdempotentRequest, LeadId, Once, Store, StoreError, TenantId, audit, statements};

/// The most entries of a history that are listed at once.
pub const LEAD_CHANGES_MAX: u32 = 1_000;

/// How often a lead has been written: 1 when it was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeadVersion(pub i64);

/// What to change.
#[derive(Clone, Debug)]
pub enum LeadEdit {
    /// The members of this object replace or join those of the payload; a null removes one.
    Payload(LeadPayload),
    /// The status.
    Status(LeadStatus),
}

/// A lead before and after an edit. The same on both sides if there was nothing to change.
#[derive(Clone, Debug, PartialEq)]
pub struct LeadEdited {
    /// Before.
    pub before: Lead,
    /// After.
    pub after: Lead,
    /// The members of the payload that are new or different, with null for those that are gone.
    pub changes: LeadPayload,
}

/// Which lead to write, who does it, and on which conditions.
#[derive(Clone, Copy, Debug)]
pub struct LeadWrite<'a> {
    /// Whose lead.
    pub tenant: &'a TenantId,
    /// Which one.
    pub id: LeadId,
    /// Who writes.
    pub actor: &'a Actor,
    /// The versions of which it must be; any, if not given.
    pub expected: Option<&'a [LeadVersion]>,
    /// The request that must not have been answered before.
    pub once: Option<&'a IdempotentRequest>,
}

/// An entry of a lead's history.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeadChange {
    /// Which lead.
    pub lead_id: LeadId,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// What happened.
    pub kind: LeadChangeKind,
    /// More about it, a JSON object: `source` of a new one, `changes` of the payload, `from` and `to` of a status.
    #[schema(value_type = Object)]
    pub detail: Box<RawValue>,
}

/// What happened to a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeadChangeKind {
    /// It came in.
    Created,
    /// Its payload changed.
    Updated,
    /// Its status changed.
    StatusChanged,
    /// It was deleted, and its history with it; this entry alone is left.
    Deleted,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Detail<'a> {
    Created { source: &'a str },
    Updated { changes: &'a LeadPayload },
    StatusChanged { from: LeadStatus, to: LeadStatus },
    Deleted {},
}

impl LeadEdited {
    /// Whether anything changed.
    pub fn is_changed(&self) -> bool {
        self.before != self.after
    }
}

impl Store {
    /// Changes a lead. Unknown: [`StoreError::NotFound`]; of another version than expected:
    /// [`StoreError::VersionMismatch`]; a status that cannot follow: [`StoreError::IllegalTransition`]. What there is
    /// nothing to change of stays as it is, version included. `attach` says what to store with the change.
    pub async fn edit_lead(
        &self,
        write: LeadWrite<'_>,
        edit: &LeadEdit,
        attach: impl FnOnce(&LeadEdited) -> Attached,
    ) -> Result<Once<Written<LeadEdited>>, StoreError> {
        let mut transaction = self.database.write(Turn::Tenant(write.tenant)).await?;
        if let Some(answer) = repeated(&mut transaction, &write, self.now()).await? {
            return Ok(answer);
        }
        let before = find_expected(&mut transaction, &write).await?;
        let edited = before.edited(edit, self.now())?;
        if edited.is_changed() {
            statements::leads::update(&mut transaction, &edited).await?;
            let (kind, detail) = if edited.before.status == edited.after.status {
                (
                    LeadChangeKind::Updated,
                    Detail::Updated {
                        changes: &edited.changes,
                    },
                )
            } else {
                let (from, to) = (edited.before.status, edited.after.status);
                (LeadChangeKind::StatusChanged, Detail::StatusChanged { from, to })
            };
            note(
                &mut transaction,
                &edited.after,
                write.actor,
                kind,
                &detail,
                edited.after.updated_at,
            )
            .await?;
        }
        let attached = attach(&edited);
        self.finish(transaction, write.tenant, write.once, edited, attached)
            .await
            .map(Once::Fresh)
    }

    /// Deletes a lead and its history. Unknown: [`StoreError::NotFound`]; of another version than expected:
    /// [`StoreError::VersionMismatch`]. Returns it as it was.
    pub async fn delete_lead(
        &self,
        write: LeadWrite<'_>,
        attach: impl FnOnce(&Lead) -> Attached,
    ) -> Result<Once<Written<Lead>>, StoreError> {
        let mut transaction = self.database.write(Turn::Tenant(write.tenant)).await?;
        if let Some(answer) = repeated(&mut transaction, &write, self.now()).await? {
            return Ok(answer);
        }
        let lead = find_expected(&mut transaction, &write).await?;
        statements::leads::delete(&mut transaction, &lead).await?;
        statements::lead_changes::delete(&mut transaction, write.tenant, write.id).await?;
        note(
            &mut transaction,
            &lead,
            write.actor,
            LeadChangeKind::Deleted,
            &Detail::Deleted {},
            self.now(),
        )
        .await?;
        let attached = attach(&lead);
        self.finish(transaction, write.tenant, write.once, lead, attached)
            .await
            .map(Once::Fresh)
    }

    /// A lead's history, oldest first, at most [`LEAD_CHANGES_MAX`] entries. Empty for a lead that is not the tenant's.
    pub async fn lead_history(&self, tenant: &TenantId, id: LeadId) -> Result<Vec<LeadChange>, StoreError> {
        let mut transaction = self.database.read(Some(tenant)).await?;
        statements::lead_changes::list(&mut transaction, tenant, id, LEAD_CHANGES_MAX).await
    }

    /// Stores what goes with a change, and commits both.
    pub(super) async fn finish<T>(
        &self,
        mut transaction: Transaction,
        tenant: &TenantId,
        once: Option<&IdempotentRequest>,
        value: T,
        attached: Attached,
    ) -> Result<Written<T>, StoreError> {
        let now = self.now();
        if let (Some(request), Some(response)) = (once, &attached.response) {
            check_response(response)?;
            statements::idempotency::put(&mut transaction, request, response, now).await?;
        }
        let event = match attached.event {
            Some(event) => {
                Some(statements::outbox::insert(&mut transaction, tenant, event, now, held_until(now)).await?)
            }
            None => None,
        };
        audit::append(&mut transaction, tenant, attached.audit.as_slice(), now).await?;
        transaction.commit().await?;
        Ok(Written { value, event })
    }
}

/// The first entry of a lead's history.
pub(crate) fn created(lead: &Lead, actor: &Actor, time: Timestamp) -> Result<LeadChange, StoreError> {
    let detail = Detail::Created {
        source: lead.source.as_str(),
    };
    change(lead, actor, LeadChangeKind::Created, &detail, time)
}

/// Writes the first entry of a lead's history.
pub(super) async fn note_created(
    transaction: &mut Transaction,
    lead: &Lead,
    actor: &Actor,
) -> Result<(), StoreError> {
    let change = created(lead, actor, lead.created_at)?;
    statements::lead_changes::insert(transaction, &lead.tenant_id, &change).await
}

fn change(
    lead: &Lead,
    actor: &Actor,
    kind: LeadChangeKind,
    detail: &Detail<'_>,
    time: Timestamp,
) -> Result<LeadChange, StoreError> {
    Ok(LeadChange {
        lead_id: lead.id,
        time,
        actor: actor.clone(),
        kind,
        detail: serde_json::value::to_raw_value(detail).map_err(|error| StoreError::Corrupt(error.into()))?,
    })
}

async fn note(
    transaction: &mut Transaction,
    lead: &Lead,
    actor: &Actor,
    kind: LeadChangeKind,
    detail: &Detail<'_>,
    time: Timestamp,
) -> Result<(), StoreError> {
    let change = change(lead, actor, kind, detail, time)?;
    statements::lead_changes::insert(transaction, &lead.tenant_id, &change).await
}

async fn repeated<T>(
    transaction: &mut Transaction,
    write: &LeadWrite<'_>,
    now: Timestamp,
) -> Result<Option<Once<T>>, StoreError> {
    let Some(request) = write.once else {
        return Ok(None);
    };
    let stored = statements::idempotency::find(transaction, request, now).await?;
    stored
        .map(|stored| stored.answer(request).map(Once::Repeated))
        .transpose()
}

async fn find_expected(transaction: &mut Transaction, write: &LeadWrite<'_>) -> Result<Lead, StoreError> {
    let lead = statements::leads::find(transaction, write.tenant, write.id).await?;
    let lead = lead.ok_or(StoreError::NotFound { what: "lead" })?;
    match write.expected {
        Some(versions) if !versions.contains(&lead.version) => Err(StoreError::VersionMismatch),
        _ => Ok(lead),
    }
}

impl Lead {
    fn edited(self, edit: &LeadEdit, now: Timestamp) -> Result<LeadEdited, StoreError> {
        let mut after = self.clone();
        let mut changes = LeadPayload::default();
        match edit {
            LeadEdit::Payload(patch) => {
                (after.payload, changes) = self.payload.merged(patch).map_err(|_| StoreError::Invalid {
                    what: "a lead's payload is at most 256 KiB",
                })?;
            }
            LeadEdit::Status(status) => {
                if !self.status.may_become(*status) {
                    let (from, to) = (self.status.as_str(), status.as_str());
                    return Err(StoreError::IllegalTransition { from, to });
                }
                after.status = *status;
            }
        }
        if after != self {
            after.updated_at = now;
            after.version = LeadVersion(self.version.0 + 1);
        }
        Ok(LeadEdited {
            before: self,
            after,
            changes,
        })
    }
}

impl LeadChangeKind {
    const ALL: [LeadChangeKind; 4] = [
        LeadChangeKind::Created,
        LeadChangeKind::Updated,
        LeadChangeKind::StatusChanged,
        LeadChangeKind::Deleted,
    ];

    /// The word in the database and for clients.
    pub const fn as_str(self) -> &'static str {
        match self {
            LeadChangeKind::Created => "created",
            LeadChangeKind::Updated => "updated",
            LeadChangeKind::StatusChanged => "status_changed",
            LeadChangeKind::Deleted => "deleted",
        }
    }

    /// The kind of this word.
    pub fn parse(text: &str) -> Option<LeadChangeKind> {
        LeadChangeKind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    pub(crate) fn stored(text: &str) -> Result<LeadChangeKind, StoreError> {
        LeadChangeKind::parse(text)
            .ok_or_else(|| StoreError::corrupt("a lead's history has an unknown kind of entry"))
    }
}

impl Serialize for LeadChangeKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl PartialSchema for LeadChangeKind {
    fn schema() -> RefOr<Schema> {
        let words = LeadChangeKind::ALL.map(LeadChangeKind::as_str);
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(words))
            .into()
    }
}

impl ToSchema for LeadChangeKind {}
