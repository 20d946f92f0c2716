//! Events of a tenant, in the envelope that the gateway's clients know.

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_hub::{Event, EventId, EventIdError, Gateway, Gateways, RoomName};
use tidings_store::{
    Lead, LeadEdited, LeadId, LeadPayload, LeadSource, LeadStatus, NewOutboxEvent, OutboxEvent, TenantId,
};
use tidings_transport::openapi::schema::{format, object, string, word};
use tidings_wire::time::Timestamp;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The kinds of events that this gateway publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    Lead,
    Voice,
    Integration,
}

impl EventKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            EventKind::Lead => "lead_event",
            EventKind::Voice => "voice_event",
            EventKind::Integration => "integration_event",
        }
    }
}

/// By which way an event came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    Voice,
    Http,
    Form,
    Import,
    System,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a, Data> {
    id: EventId,
    r#type: &'static str,
    tenant_id: &'a TenantId,
    source: Origin,
    timestamp: Timestamp,
    data: &'a Data,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead_id: Option<LeadId>,
}

/// A new lead.
#[derive(Serialize, ToSchema)]
pub(crate) struct LeadCreated<'a> {
    status: LeadStatus,
    source: &'a LeadSource,
    payload: &'a LeadPayload,
}

/// A lead whose payload was changed.
#[derive(Serialize, ToSchema)]
pub(crate) struct LeadUpdated<'a> {
    status: LeadStatus,
    source: &'a LeadSource,
    payload: &'a LeadPayload,
    /// The members that were given; a null removed one.
    changes: &'a LeadPayload,
}

/// A lead whose status was changed.
#[derive(Serialize, ToSchema)]
pub(crate) struct LeadStatusChanged<'a> {
    from: LeadStatus,
    to: LeadStatus,
    status: LeadStatus,
    source: &'a LeadSource,
}

/// A lead that is gone.
#[derive(Serialize, ToSchema)]
pub(crate) struct LeadDeleted {}

/// What [`Envelope`] is around data with this schema.
pub(crate) fn schema(r#type: &str, data: impl Into<RefOr<Schema>>, is_of_lead: bool) -> Schema {
    let id = string().pattern(Some("^evt_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"));
    let envelope = object()
        .property("id", id)
        .required("id")
        .property("type", word(r#type))
        .required("type")
        .property("tenantId", TenantId::schema())
        .required("tenantId")
        .property("source", Origin::schema())
        .required("source")
        .property("timestamp", format(KnownFormat::DateTime))
        .required("timestamp")
        .property("data", data)
        .required("data");
    if is_of_lead {
        envelope
            .property("leadId", LeadId::schema())
            .required("leadId")
            .into()
    } else {
        envelope.into()
    }
}

/// An envelope as an example, always the same.
pub(crate) fn example(r#type: &'static str, data: &RawValue, is_of_lead: bool) -> Box<RawValue> {
    const ID: &str = "019c3765-1f80-7c41-a4be-6f1d2a3b4c5d";
    let tenant = TenantId::new("demo1").expect("Invariant: a short word is a tenant id");
    let lead_id = format!("lead_{ID}").parse().expect("Invariant: it is a lead id");
    let envelope = Envelope {
        id: format!("evt_{ID}").parse().expect("Invariant: it is an event id"),
        r#type,
        tenant_id: &tenant,
        source: Origin::Voice,
        timestamp: Timestamp::from_millis(1_770_465_600_000),
        data: &data,
        lead_id: is_of_lead.then_some(lead_id),
    };
    serde_json::value::to_raw_value(&envelope)
        .expect("Invariant: an envelope holds texts and finished JSON only")
}

/// The room of everybody in a tenant.
pub(crate) fn tenant_room(tenant: &TenantId) -> RoomName {
    RoomName::new(&format!("tenant:{tenant}"))
        .expect("Invariant: a tenant id is at most 64 letters, digits, _ and -")
}

/// A `voice_event` of type `kind`.
pub(crate) fn voice_event(
    tenant: &TenantId,
    kind: &'static str,
    data: &impl Serialize,
    time: Timestamp,
) -> serde_json::Result<Event> {
    event(EventKind::Voice, kind, tenant, None, Origin::Voice, data, time)
}

/// The `LEAD_CREATED` of a new lead, to be stored with it.
pub(crate) fn lead_created(lead: &Lead, origin: Origin) -> NewOutboxEvent {
    let data = LeadCreated {
        status: lead.status,
        source: &lead.source,
        payload: &lead.payload,
    };
    lead_event("LEAD_CREATED", lead, origin, &data, lead.created_at)
}

/// The `LEAD_UPDATED` or `LEAD_STATUS_CHANGED` of an edit, to be stored with it; none if nothing changed.
pub(crate) fn lead_edited(edited: &LeadEdited, origin: Origin) -> Option<NewOutboxEvent> {
    let LeadEdited {
        before,
        after,
        changes,
    } = edited;
    let (status, source, time) = (after.status, &after.source, after.updated_at);
    if !edited.is_changed() {
        return None;
    }
    Some(if before.status == status {
        let payload = &after.payload;
        let data = LeadUpdated {
            status,
            source,
            payload,
            changes,
        };
        lead_event("LEAD_UPDATED", after, origin, &data, time)
    } else {
        let data = LeadStatusChanged {
            from: before.status,
            to: status,
            status,
            source,
        };
        lead_event("LEAD_STATUS_CHANGED", after, origin, &data, time)
    })
}

/// The `LEAD_DELETED` of a lead, to be stored with its end.
pub(crate) fn lead_deleted(lead: &Lead, origin: Origin, time: Timestamp) -> NewOutboxEvent {
    lead_event("LEAD_DELETED", lead, origin, &LeadDeleted {}, time)
}

/// A stored event as it is published: under its id, however often.
pub(crate) fn stored(stored: OutboxEvent) -> Result<Event, EventIdError> {
    to_publish(&stored.tenant, stored.event, stored.created_at)
}

/// An event that is published without being stored.
pub(crate) fn to_publish(
    tenant: &TenantId,
    event: NewOutboxEvent,
    time: Timestamp,
) -> Result<Event, EventIdError> {
    Ok(Event {
        id: event.id.parse()?,
        rooms: vec![tenant_room(tenant)],
        kind: event.kind.into(),
        name: None,
        key: None,
        data: event.data,
        time,
        gateways: Gateways::only(Gateway::Flow),
        exclude: Vec::new(),
        source: "flow".into(),
    })
}

/// An `integration_event` of type `kind`, to be stored with what it tells of.
pub(crate) fn integration_event(
    tenant: &TenantId,
    kind: &'static str,
    origin: Origin,
    data: &impl Serialize,
    time: Timestamp,
) -> NewOutboxEvent {
    let event = event(EventKind::Integration, kind, tenant, None, origin, data, time)
        .expect("Invariant: an event of the system holds texts, times and numbers only");
    to_store(event)
}

fn lead_event(
    r#type: &'static str,
    lead: &Lead,
    origin: Origin,
    data: &impl Serialize,
    time: Timestamp,
) -> NewOutboxEvent {
    let event = event(
        EventKind::Lead,
        r#type,
        &lead.tenant_id,
        Some(lead.id),
        origin,
        data,
        time,
    )
    .expect("Invariant: an event of a lead holds texts, times and finished JSON only");
    to_store(event)
}

fn to_store(event: Event) -> NewOutboxEvent {
    NewOutboxEvent {
        id: event.id.to_string(),
        kind: event.kind.to_string(),
        data: event.data,
    }
}

fn event(
    kind: EventKind,
    r#type: &'static str,
    tenant: &TenantId,
    lead_id: Option<LeadId>,
    source: Origin,
    data: &impl Serialize,
    time: Timestamp,
) -> serde_json::Result<Event> {
    let id = EventId::generate();
    let envelope = Envelope {
        id,
        r#type,
        tenant_id: tenant,
        source,
        timestamp: time,
        data,
        lead_id,
    };
    Ok(Event {
        id,
        rooms: vec![tenant_room(tenant)],
        kind: kind.as_str().into(),
        name: None,
        key: None,
        data: serde_json::value::to_raw_value(&envelope)?,
        time,
        gateways: Gateways::only(Gateway::Flow),
        exclude: Vec::new(),
        source: "flow".into(),
    })
}

#[cfg(test)]
mod tests {
    use tidings_store::LeadVersion;

    use super::*;

    #[test]
    fn exact_texts() {
        let tenant = TenantId::new("demo1").unwrap();
        let time = Timestamp::from_millis(0);
        let event = voice_event(
            &tenant,
            "VOICE_PROCESSING_STARTED",
            &serde_json::json!({"command": "get_leads"}),
            time,
        )
        .unwrap();
        assert_eq!(
            (&*event.kind, event.rooms[0].as_str()),
            ("voice_event", "tenant:demo1")
        );
        assert_eq!(
            event.data.get(),
            format!(
                r#"{{"id":"{}","type":"VOICE_PROCESSING_STARTED","tenantId":"demo1","source":"voice","timestamp":"1970-01-01T00:00:00.000Z","data":{{"command":"get_leads"}}}}"#,
                event.id
            )
        );
        let lead = Lead {
            id: LeadId::generate(),
            tenant_id: tenant,
            source: LeadSource::new("landing-page").unwrap(),
            status: LeadStatus::New,
            payload: LeadPayload::parse(r#"{"name":"Ann","age":1.50}"#).unwrap(),
            created_at: time,
            updated_at: time,
            version: LeadVersion(1),
        };
        let event = lead_created(&lead, Origin::Form);
        assert_eq!(
            event.data.get(),
            format!(
                r#"{{"id":"{}","type":"LEAD_CREATED","tenantId":"demo1","source":"form","timestamp":"1970-01-01T00:00:00.000Z","data":{{"status":"NEW","source":"landing-page","payload":{{"name":"Ann","age":1.50}}}},"leadId":"{}"}}"#,
                event.id, lead.id
            )
        );
    }
}
