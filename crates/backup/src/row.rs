//! The rows of a backup, as they are written: JSON texts, each behind a record separator and before a line feed (RFC 7464,
//! JSON text sequences). Payloads keep their spelling, line feeds included; no JSON text holds a record separator.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_store::{
    Actor, AuditEntry, AuditHead, KeyRecord, Lead, LeadChange, LeadChangeKind, LeadId, LeadPayload,
    LeadSource, LeadVersion, Tenant, TenantId,
};
use tidings_wire::time::Timestamp;

use crate::RowCounts;

/// Stands before each row.
pub(crate) const RECORD_SEPARATOR: u8 = 0x1e;
/// The longest row, in bytes: a lead with the longest payload, or an entry of its history, fits.
pub(crate) const ROW_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A row as it comes out of a backup.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    Tenant(Tenant),
    Key(KeyRecord),
    Lead(Lead),
    LeadGone(LeadId),
    LeadChange(LeadChange),
    AuditEntry(AuditEntry),
}

/// A row as it is written. Times are milliseconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
enum Text {
    Tenant {
        id: String,
        slug: String,
        name: String,
        suspended: bool,
        created_at: i64,
    },
    Key {
        id: String,
        /// Base64.
        hash: String,
        permissions: Vec<String>,
        created_at: i64,
        expires_at: Option<i64>,
        revoked_at: Option<i64>,
        last_used_at: Option<i64>,
    },
    Lead {
        id: String,
        source: String,
        status: String,
        payload: Box<RawValue>,
        created_at: i64,
        updated_at: i64,
        version: i64,
    },
    LeadGone {
        id: String,
    },
    LeadChange {
        lead_id: String,
        time: i64,
        actor: String,
        kind: String,
        detail: Box<RawValue>,
    },
    AuditEntry {
        /// Its place and hash, as heads are written.
        head: String,
        time: i64,
        actor: String,
        action: String,
        outcome: String,
        detail: Box<RawValue>,
    },
}

impl Row {
    /// Writes the row behind what is there.
    pub(crate) fn write(&self, output: &mut Vec<u8>) -> serde_json::Result<()> {
        output.push(RECORD_SEPARATOR);
        serde_json::to_writer(&mut *output, &self.text())?;
        output.push(b'\n');
        Ok(())
    }

    /// Reads a row of this tenant's; says what is wrong with a text that is none.
    pub(crate) fn read(json: &[u8], tenant: &TenantId) -> Result<Row, String> {
        let text: Text = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        Row::of(text, tenant)
    }

    pub(crate) fn count(&self, counts: &mut RowCounts) {
        *match self {
            Row::Tenant(_) => &mut counts.tenants,
            Row::Key(_) => &mut counts.keys,
            Row::Lead(_) => &mut counts.leads,
            Row::LeadGone(_) => &mut counts.leads_gone,
            Row::LeadChange(_) => &mut counts.lead_changes,
            Row::AuditEntry(_) => &mut counts.audit_entries,
        } += 1;
    }

    fn text(&self) -> Text {
        match self {
            Row::Tenant(tenant) => Text::Tenant {
                id: tenant.id.to_string(),
                slug: tenant.slug.to_string(),
                name: tenant.name.clone(),
                suspended: tenant.suspended,
                created_at: tenant.created_at.as_millis(),
            },
            Row::Key(key) => Text::Key {
                id: key.id.to_string(),
                hash: BASE64_STANDARD.encode(key.hash),
                permissions: key.permissions.clone(),
                created_at: key.created_at.as_millis(),
                expires_at: key.expires_at.map(Timestamp::as_millis),
                revoked_at: key.revoked_at.map(Timestamp::as_millis),
                last_used_at: key.last_used_at.map(Timestamp::as_millis),
            },
            Row::Lead(lead) => Text::Lead {
                id: lead.id.to_string(),
                source: lead.source.to_string(),
                status: lead.status.to_string(),
                payload: lead.payload.as_raw().to_owned(),
                created_at: lead.created_at.as_millis(),
                updated_at: lead.updated_at.as_millis(),
                version: lead.version.0,
            },
            Row::LeadGone(id) => Text::LeadGone { id: id.to_string() },
            Row::LeadChange(change) => Text::LeadChange {
                lead_id: change.lead_id.to_string(),
                time: change.time.as_millis(),
                actor: change.actor.to_string(),
                kind: change.kind.as_str().to_owned(),
                detail: change.detail.clone(),
            },
            Row::AuditEntry(entry) => Text::AuditEntry {
                head: AuditHead {
                    sequence: entry.sequence,
                    hash: entry.hash,
                }
                .to_string(),
                time: entry.time.as_millis(),
                actor: entry.actor.to_string(),
                action: entry.action.clone(),
                outcome: entry.outcome.clone(),
                detail: entry.detail.clone(),
            },
        }
    }

    fn of(text: Text, tenant: &TenantId) -> Result<Row, String> {
        let told = |error: tidings_store::StoreError| error.to_string();
        Ok(match text {
            Text::Tenant {
                id,
                slug,
                name,
                suspended,
                created_at,
            } => Row::Tenant(Tenant {
                id: id.parse().map_err(told)?,
                slug: slug.parse().map_err(told)?,
                name,
                suspended,
                created_at: Timestamp::from_millis(created_at),
            }),
            Text::Key {
                id,
                hash,
                permissions,
                created_at,
                expires_at,
                revoked_at,
                last_used_at,
            } => Row::Key(KeyRecord {
                id: id.parse().map_err(told)?,
                tenant: tenant.clone(),
                hash: BASE64_STANDARD
                    .decode(hash)
                    .ok()
                    .and_then(|hash| hash.try_into().ok())
                    .ok_or("a key's hash is not 32 bytes long")?,
                permissions,
                created_at: Timestamp::from_millis(created_at),
                expires_at: expires_at.map(Timestamp::from_millis),
                revoked_at: revoked_at.map(Timestamp::from_millis),
                last_used_at: last_used_at.map(Timestamp::from_millis),
            }),
            Text::Lead {
                id,
                source,
                status,
                payload,
                created_at,
                updated_at,
                version,
            } => Row::Lead(Lead {
                id: id.parse().map_err(told)?,
                tenant_id: tenant.clone(),
                source: LeadSource::new(&source).map_err(told)?,
                status: status
                    .parse()
                    .map_err(|error: tidings_store::UnknownLeadStatus| error.to_string())?,
                payload: LeadPayload::parse(payload.get()).map_err(|error| error.to_string())?,
                created_at: Timestamp::from_millis(created_at),
                updated_at: Timestamp::from_millis(updated_at),
                version: LeadVersion(version),
            }),
            Text::LeadGone { id } => Row::LeadGone(id.parse().map_err(told)?),
            Text::LeadChange {
                lead_id,
                time,
                actor,
                kind,
                detail,
            } => Row::LeadChange(LeadChange {
                lead_id: lead_id.parse().map_err(told)?,
                time: Timestamp::from_millis(time),
                actor: Actor::parse(&actor).map_err(told)?,
                kind: LeadChangeKind::parse(&kind).ok_or("an unknown kind of history entry")?,
                detail,
            }),
            Text::AuditEntry {
                head,
                time,
                actor,
                action,
                outcome,
                detail,
            } => {
                let head: AuditHead = head.parse().map_err(told)?;
                Row::AuditEntry(AuditEntry {
                    sequence: head.sequence,
                    time: Timestamp::from_millis(time),
                    actor: Actor::parse(&actor).map_err(told)?,
                    action,
                    outcome,
                    detail,
                    hash: head.hash,
                })
            }
        })
    }
}
