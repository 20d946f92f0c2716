//! Leads from files: what a row may be, and what others are told of an import.

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_store::{ImportedLead, Lead, LeadPayload, LeadSource, LeadStatus, NewOutboxEvent, TenantId};
use tidings_wire::time::Timestamp;
use utoipa::ToSchema;

use crate::envelope::{self, Origin};
use crate::http::check_reachable;
use crate::parameters::{Members, text};
use crate::period::beginning;

/// Columns that are about the lead and not in its payload.
const OF_THE_LEAD: [&str; 3] = ["source", "status", "createdAt"];

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ImportResult {
    /// New leads.
    pub created: u64,
    /// Leads that were there already and changed; an import only adds.
    pub updated: u64,
    /// Rows that are no lead.
    pub failed: u64,
}

#[derive(Serialize)]
struct Started {
    operation: &'static str,
    result: Option<ImportResult>,
}

#[derive(Serialize)]
struct Completed {
    operation: &'static str,
    result: ImportResult,
    duration: u64,
}

/// Reads a line of JSON: a lead as it is exported, of which `source`, `status`, `payload` and `createdAt` are taken, or a
/// payload alone. Says what is wrong with a line that is no lead.
pub fn read_json(line: &str) -> Result<ImportedLead, String> {
    let members = Members::read(line, &["payload", "source", "status", "createdAt"]);
    let members = members.ok_or("not a JSON object")?;
    let Some(payload) = members
        .get("payload")
        .filter(|payload| payload.get().starts_with('{'))
    else {
        return read(line, None, None, None);
    };
    let member = |name| {
        members
            .get(name)
            .map(|json: &RawValue| text(json).unwrap_or_else(|| json.get().to_owned()))
    };
    read(
        payload.get(),
        member("source").as_deref(),
        member("status").as_deref(),
        member("createdAt").as_deref(),
    )
}

/// Reads a row of a table with named columns. `source`, `status` and `createdAt` are about the lead; the others, where
/// they are not empty, are its payload, unless a column `payload` holds one as JSON. Says what is wrong with a row that is no lead.
pub fn read_fields<'a>(
    fields: &(impl Iterator<Item = (&'a str, &'a str)> + Clone),
) -> Result<ImportedLead, String> {
    let of_the_lead = |wanted: &str| {
        fields
            .clone()
            .find(|(name, value)| *name == wanted && !value.is_empty())
            .map(|(_, value)| value)
    };
    let whole = of_the_lead("payload").filter(|payload| payload.starts_with('{'));
    let mut payload = serde_json::Map::new();
    for (name, value) in fields.clone().filter(|_| whole.is_none()) {
        if !value.is_empty() && !OF_THE_LEAD.contains(&name) {
            payload.insert(name.to_owned(), value.into());
        }
    }
    let payload = serde_json::Value::from(payload).to_string();
    read(
        whole.unwrap_or(&payload),
        of_the_lead("source"),
        of_the_lead("status"),
        of_the_lead("createdAt"),
    )
}

fn read(
    payload: &str,
    source: Option<&str>,
    status: Option<&str>,
    created_at: Option<&str>,
) -> Result<ImportedLead, String> {
    check_reachable(payload).map_err(|details| {
        let messages: Vec<_> = details.into_iter().map(|detail| detail.message).collect();
        messages.join("; ")
    })?;
    Ok(ImportedLead {
        source: match source {
            Some(source) => LeadSource::new(source).map_err(|error| error.to_string())?,
            None => LeadSource::IMPORT,
        },
        status: match status {
            Some(status) => status
                .parse()
                .map_err(|error: tidings_store::UnknownLeadStatus| error.to_string())?,
            None => LeadStatus::New,
        },
        payload: LeadPayload::parse(payload).map_err(|error| error.to_string())?,
        created_at: match created_at {
            Some(time) => Some(beginning(time).ok_or("createdAt must be a date or an RFC 3339 timestamp")?),
            None => None,
        },
    })
}

/// The `LEAD_CREATED` of an imported lead.
pub fn lead_created(lead: &Lead) -> NewOutboxEvent {
    envelope::lead_created(lead, Origin::Import)
}

/// The `SYNC_STARTED` of an import.
pub fn started(tenant: &TenantId, time: Timestamp) -> NewOutboxEvent {
    let data = Started {
        operation: "import",
        result: None,
    };
    envelope::integration_event(tenant, "SYNC_STARTED", Origin::Import, &data, time)
}

/// The `SYNC_COMPLETED` of an import that took so many milliseconds.
pub fn completed(
    tenant: &TenantId,
    result: ImportResult,
    duration_ms: u64,
    time: Timestamp,
) -> NewOutboxEvent {
    let data = Completed {
        operation: "import",
        result,
        duration: duration_ms,
    };
    envelope::integration_event(tenant, "SYNC_COMPLETED", Origin::Import, &data, time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(read: Result<ImportedLead, String>) -> Result<String, String> {
        read.map(|lead| {
            let time = lead.created_at.map(|time| time.to_string()).unwrap_or_default();
            format!("{} {} {} {time}", lead.source, lead.status, lead.payload.as_raw())
        })
    }

    #[test]
    fn lines_of_json() {
        let table = [
            (
                r#"{"email":"a@b.dk","n":1.50}"#,
                Ok(r#"import NEW {"email":"a@b.dk","n":1.50} "#),
            ),
            (
                r#"{"id":"lead_1","tenantId":"t","source":"form","status":"LOST","payload":{"phone":"+45 12345678"},"createdAt":"2026-01-02T03:04:05.678Z"}"#,
                Ok(r#"form LOST {"phone":"+45 12345678"} 2026-01-02T03:04:05.678Z"#),
            ),
            // Without an object under `payload`, everything is.
            (
                r#"{"email":"a@b.dk","payload":7}"#,
                Ok(r#"import NEW {"email":"a@b.dk","payload":7} "#),
            ),
            ("", Err("not a JSON object")),
            ("[]", Err("not a JSON object")),
            (r#"{"name":"Ann"}"#, Err("email or phone is required")),
            (r#"{"email":"nobody"}"#, Err("email must be an email address")),
            (
                r#"{"payload":{"email":"a@b.dk"},"status":"WON"}"#,
                Err("unknown lead status: expected NEW, CONTACTED, QUALIFIED or LOST"),
            ),
            (
                r#"{"payload":{"email":"a@b.dk"},"createdAt":"soon"}"#,
                Err("createdAt must be a date or an RFC 3339 timestamp"),
            ),
        ];
        for (line, expected) in table {
            assert_eq!(
                told(read_json(line)),
                expected.map(str::to_owned).map_err(str::to_owned),
                "{line}"
            );
        }
    }

    #[test]
    fn rows_of_a_table() {
        let row = [
            ("name", "Ann"),
            ("email", "a@b.dk"),
            ("phone", ""),
            ("status", "contacted"),
            ("createdAt", "2026-01-02"),
        ];
        assert_eq!(
            told(read_fields(&row.into_iter())).unwrap(),
            r#"import CONTACTED {"email":"a@b.dk","name":"Ann"} 2026-01-02T00:00:00.000Z"#
        );
        let exported = [("email", "a@b.dk"), ("payload", r#"{"email":"a@b.dk","n":1.50}"#)];
        assert_eq!(
            told(read_fields(&exported.into_iter())).unwrap(),
            r#"import NEW {"email":"a@b.dk","n":1.50} "#
        );
        assert_eq!(
            told(read_fields(&[("name", "Ann")].into_iter())),
            Err("email or phone is required".to_owned())
        );
    }
}
