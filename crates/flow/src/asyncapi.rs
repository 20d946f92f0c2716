//! The AsyncAPI document: what is said on Socket.IO's namespace `/events`, and on the plain WebSocket `/events`.
//!
//! Both say the same. A Socket.IO event has a name and one argument, which is the message; on the plain WebSocket the two stand
//! in one object, `{"event":name,"data":message}`.

use serde_json::value::RawValue;
use tidings_store::TenantId;
use tidings_transport::asyncapi::{Channel, Document, Message, Request, SecurityScheme, raw};
use tidings_transport::openapi::schema::{anything, but, object, string, word};
use tidings_wire::close_code::CloseCode;
use tidings_wire::socketio::RESERVED_EVENTS;
use tidings_wire::time::Timestamp;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{Ref, RefOr, schema::Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::authentication::{KEY_NAMES, KeyRefusal};
use crate::backup::BackupResult;
use crate::command::{CommandName, Completed, Executed, Started};
use crate::compliance::Report;
use crate::encoding::{Gap, NAMESPACE};
use crate::envelope::{self, EventKind, LeadCreated, LeadDeleted, LeadStatusChanged, LeadUpdated};
use crate::import::ImportResult;
use crate::jobs::{self, ServiceError};
use crate::parameters::Detail;
use crate::response::{failure_schema, success_schema};
use crate::socket::{RefusalData, refusal};
use crate::welcome::{self, COMMAND, RESPONSE, Welcome};

const ABOUT: &str = "\
What happens to a tenant, live, and commands. The server is the one that this document was read from, and addresses are paths \
on it. A connection is in the room of its key's tenant, `tenant:ID`, and in no other.

The key is sent as a header of the handshake. Where a browser cannot send headers, Socket.IO's CONNECT payload may hold it: \
`{\"tenantKey\": KEY}` or `{\"x-tenant-key\": KEY}`. A key that lacks `leads:read` gets no lead events.

Keys of objects are exactly these, in the order of the examples. Events that are not listed here are ignored.";

const SOCKET_IO: &str = "\
Socket.IO 5 over Engine.IO 4, by polling, by WebSocket, or by the one and then the other; the namespace stands in \
`x-socket.io`. A message is an event: its `name` is the event's name, its payload the event's one argument. A client that \
asks for an acknowledgement of a command gets the same object as in the event that answers it. A CONNECT that is refused is \
answered with a packet CONNECT_ERROR.

What no retry can mend (4403) is told by leaving the namespace before the transport is closed, so that the stock client stops. \
Close codes are those of the WebSocket; on polling the session ends with a packet `1`.";
const PLAIN: &str = "\
A WebSocket for clients without Socket.IO. Messages are objects `{\"event\": name, \"data\": …}` both ways: the events of Socket.IO \
and their one argument. Messages are text; a binary message is read like text.";

const NOW: Timestamp = Timestamp::from_millis(1_770_465_600_000);
/// What is about users and their tokens.
const NEVER: &[CloseCode] = &[
    CloseCode::MissingUserId,
    CloseCode::InvalidUserId,
    CloseCode::BadRequest,
    CloseCode::MissingToken,
    CloseCode::InvalidToken,
    CloseCode::TokenExpired,
];
const TENANT: &str = "demo1";
const LEAD: &str = r#"{"id":"lead_019c3765-1f80-7c41-a4be-6f1d2a3b4c5d","tenantId":"demo1","source":"voice","status":"NEW","payload":{"name":"John Doe","email":"john@example.com"},"createdAt":"2026-02-07T12:00:00.000Z","updatedAt":"2026-02-07T12:00:00.000Z"}"#;
const JOB: &str = "job_019c3765-1f80-7c41-a4be-6f1d2a3b4c5d";

/// A command in the document: the ids of its request and of its answer, and examples of both.
struct Described {
    name: CommandName,
    request: &'static str,
    answer: &'static str,
    about: &'static str,
    parameters: &'static str,
    data: String,
    replies: &'static [&'static str],
}

/// The plain WebSocket takes nothing in its query.
enum Nothing {}

impl IntoParams for Nothing {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        Vec::new()
    }
}

/// How a message looks on a channel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Event,
    Plain,
}

impl Form {
    fn message(
        self,
        id: &'static str,
        name: &'static str,
        about: &'static str,
        payload: impl Into<RefOr<Schema>>,
        example: Box<RawValue>,
    ) -> Message {
        match self {
            Form::Event => Message::new(id, about, payload, example).named(name),
            Form::Plain => {
                let example = format!(r#"{{"event":"{name}","data":{}}}"#, example.get());
                Message::new(id, about, framed(word(name), payload), raw(&example)).named(name)
            }
        }
    }
}

/// The frame of a plain WebSocket.
fn framed(name: impl Into<RefOr<Schema>>, data: impl Into<RefOr<Schema>>) -> Schema {
    object()
        .property("event", name)
        .required("event")
        .property("data", data)
        .required("data")
        .into()
}

/// The AsyncAPI document of the gateway.
pub fn asyncapi() -> Document {
    let mut document = Document::new("flow", env!("CARGO_PKG_VERSION"), ABOUT);
    for name in KEY_NAMES {
        let description = "A tenant key. If both headers are sent, they must be keys of one tenant.";
        let scheme = SecurityScheme::HttpApiKey {
            name,
            r#in: "header",
            description,
        };
        document.add_security(name, scheme);
    }
    document.collect::<Welcome<'_>>();
    document.collect::<Gap>();
    document.collect::<LeadCreated<'_>>();
    document.collect::<LeadUpdated<'_>>();
    document.collect::<LeadStatusChanged<'_>>();
    document.collect::<LeadDeleted>();
    document.collect::<Started<'_>>();
    document.collect::<Executed<'_>>();
    document.collect::<Completed<'_>>();
    document.collect::<ServiceError<'_>>();
    document.collect::<BackupResult<'_>>();
    document.collect::<Report>();
    document.collect::<ImportResult>();
    document.collect::<Detail>();
    document.collect::<RefusalData>();
    CommandName::collect_data(&mut document);
    document.add(
        Channel::socket_io("flow", NAMESPACE, "A tenant's events and commands", SOCKET_IO)
            .sends(sent(Form::Event))
            .sends([refused()])
            .receives(requests(Form::Event))
            .security(KEY_NAMES)
            .closes_with_all_but(NEVER),
    );
    document.add(
        Channel::websocket::<Nothing>("flowPlain", "/events", "The same over a plain WebSocket", PLAIN)
            .scope("flowPlain")
            .sends(sent(Form::Plain))
            .receives(requests(Form::Plain))
            .security(KEY_NAMES)
            .closes_with_all_but(NEVER),
    );
    document
}

/// Everything that the server says in either form.
fn sent(form: Form) -> Vec<Message> {
    let mut messages = said(form);
    messages.extend(lead_events(form));
    messages.extend(voice_events(form));
    messages.extend(integration_events(form));
    messages.extend(commands().map(|command| {
        let data = Ref::from_schema_name(command.name.data_name());
        let payload = success_schema(command.name.as_str(), data);
        let example = answered(command.name, true, &format!(r#""data":{}"#, command.data));
        form.message(
            command.answer,
            RESPONSE,
            "The command was carried out.",
            payload,
            example,
        )
    }));
    let example = answered(CommandName::GetLeads, false, r#""error":"Access denied""#);
    let about = "The command was not carried out; the caller alone is told.";
    messages.push(form.message("commandFailed", RESPONSE, about, failure_schema(), example));
    messages
}

/// What it says on its own account, and what others published.
fn said(form: Form) -> Vec<Message> {
    let tenant = TenantId::new(TENANT).expect("Invariant: a short word is a tenant id");
    let gap = Gap {
        dropped: 17,
        timestamp: NOW,
    };
    let gap = serde_json::value::to_raw_value(&gap).expect("Invariant: a number and a time are JSON");
    let mut names = vec!["gap", welcome::EVENT, RESPONSE];
    names.extend([EventKind::Lead, EventKind::Voice, EventKind::Integration].map(EventKind::as_str));
    let other =
        "Anything else that was published to the tenant's room, under the name that it was published with.";
    let announcement = raw(r#"{"text":"Maintenance tonight"}"#);
    let others = match form {
        Form::Event => {
            names.extend(RESERVED_EVENTS);
            Message::new("event", other, anything(), announcement)
                .named("*")
                .other_than(&names)
        }
        Form::Plain => {
            let example = format!(r#"{{"event":"announcement","data":{}}}"#, announcement.get());
            Message::new(
                "event",
                other,
                framed(but(string(), &names), anything()),
                raw(&example),
            )
            .named("*")
        }
    };
    vec![
        form.message(
            "connected",
            welcome::EVENT,
            "The first event: whose events come.",
            Ref::from_schema_name(Welcome::name()),
            welcome::data(&tenant, NOW),
        ),
        form.message(
            "gap",
            "gap",
            "Events were dropped here, because the client did not keep up; in rooms of the class *drop oldest* alone.",
            Ref::from_schema_name(Gap::name()),
            gap,
        ),
        others,
    ]
}

fn lead_events(form: Form) -> [Message; 4] {
    let name = EventKind::Lead.as_str();
    let event = |id, r#type, about, schema: &str, data: &str| {
        let payload = envelope::schema(r#type, Ref::from_schema_name(schema), true);
        form.message(
            id,
            name,
            about,
            payload,
            envelope::example(r#type, &raw(data), true),
        )
    };
    [
        event(
            "leadCreated",
            "LEAD_CREATED",
            "A lead came in.",
            &LeadCreated::name(),
            r#"{"status":"NEW","source":"voice","payload":{"name":"John Doe","email":"john@example.com"}}"#,
        ),
        event(
            "leadUpdated",
            "LEAD_UPDATED",
            "A lead's payload was changed.",
            &LeadUpdated::name(),
            r#"{"status":"NEW","source":"voice","payload":{"name":"John Doe","email":"john@example.com","company":"Acme"},"changes":{"company":"Acme"}}"#,
        ),
        event(
            "leadStatusChanged",
            "LEAD_STATUS_CHANGED",
            "A lead's status was changed.",
            &LeadStatusChanged::name(),
            r#"{"from":"NEW","to":"CONTACTED","status":"CONTACTED","source":"voice"}"#,
        ),
        event(
            "leadDeleted",
            "LEAD_DELETED",
            "A lead is gone.",
            &LeadDeleted::name(),
            "{}",
        ),
    ]
}

fn voice_events(form: Form) -> [Message; 3] {
    let name = EventKind::Voice.as_str();
    let event = |id, r#type, about, schema: &str, data: &str| {
        let payload = envelope::schema(r#type, Ref::from_schema_name(schema), false);
        form.message(
            id,
            name,
            about,
            payload,
            envelope::example(r#type, &raw(data), false),
        )
    };
    [
        event(
            "voiceProcessingStarted",
            "VOICE_PROCESSING_STARTED",
            "A command that is permitted and well-formed is about to be carried out.",
            &Started::name(),
            r#"{"command":"get_leads"}"#,
        ),
        event(
            "voiceCommandExecuted",
            "VOICE_COMMAND_EXECUTED",
            "It was carried out.",
            &Executed::name(),
            r#"{"command":"get_leads","parameters":{"limit":10},"response":{"count":1,"total":1,"message":"Found 1 lead"},"duration":3}"#,
        ),
        event(
            "voiceProcessingCompleted",
            "VOICE_PROCESSING_COMPLETED",
            "It has ended, well or not.",
            &Completed::name(),
            r#"{"command":"get_leads","success":true,"duration":4}"#,
        ),
    ]
}

fn integration_events(form: Form) -> [Message; 3] {
    let name = EventKind::Integration.as_str();
    let event = |id, r#type, about, data: RefOr<Schema>, example: &str| {
        let payload = envelope::schema(r#type, data, false);
        form.message(
            id,
            name,
            about,
            payload,
            envelope::example(r#type, &raw(example), false),
        )
    };
    [
        event(
            "syncStarted",
            "SYNC_STARTED",
            "Work has begun that goes on behind the answer: a backup, a compliance check, an import.",
            jobs::started_schema().into(),
            &format!(
                r#"{{"operation":"backup","result":{{"id":"{JOB}","type":"full","priority":"normal"}}}}"#
            ),
        ),
        event(
            "syncCompleted",
            "SYNC_COMPLETED",
            "It is done.",
            jobs::completed_schema().into(),
            r#"{"operation":"import","result":{"created":2,"updated":0,"failed":1},"duration":12}"#,
        ),
        event(
            "externalServiceError",
            "EXTERNAL_SERVICE_ERROR",
            "It could not be done, or the database does not answer.",
            Ref::from_schema_name(ServiceError::name()).into(),
            r#"{"operation":"backup","service":"backup_target","error":"it took longer than 60000 ms","retryable":true}"#,
        ),
    ]
}

/// The answer to a CONNECT that is refused.
fn refused() -> Message {
    let payload = object()
        .property("message", string())
        .required("message")
        .property("data", Ref::from_schema_name(RefusalData::name()));
    let refusal = refusal(KeyRefusal::InvalidApiKey);
    let data = refusal
        .data
        .map_or_else(String::new, |data| format!(r#","data":{}"#, data.get()));
    let example = raw(&format!(r#"{{"message":"{}"{data}}}"#, refusal.message));
    let about = "The key opens nothing, or the namespace is another one: the data of `connect_error`.";
    Message::new("connectionRefused", about, payload, example)
        .named("connect_error")
        .packet("CONNECT_ERROR")
}

fn requests(form: Form) -> impl Iterator<Item = Request> {
    commands().map(move |command| {
        let payload = object()
            .property("command", word(command.name.as_str()))
            .required("command")
            .property("parameters", command.name.parameters_schema())
            .property("tenantId", TenantId::schema());
        let example = format!(
            r#"{{"command":"{}","parameters":{}}}"#,
            command.name.as_str(),
            command.parameters
        );
        form.message(command.request, COMMAND, command.about, payload, raw(&example))
            .answered(command.replies)
    })
}

fn commands() -> impl Iterator<Item = Described> {
    CommandName::ALL.into_iter().map(described)
}

fn described(name: CommandName) -> Described {
    let under_way = |kind: &str, more: &str, message: &str| {
        let state = format!(r#"{{"id":"{JOB}",{more},"timestamp":"{NOW}"}}"#);
        format!(r#"{{"{kind}":{state},"message":"{message}"}}"#)
    };
    let (request, answer, about, parameters, data, replies): (_, _, _, _, _, &'static [&'static str]) = match name {
        CommandName::GetLeads => (
            "getLeads",
            "leadsFound",
            "List leads; needs the permission `leads:read`.",
            r#"{"status":"NEW","limit":10}"#,
            format!(r#"{{"leads":[{LEAD}],"total":1,"message":"Found 1 lead"}}"#),
            &["leadsFound", "commandFailed"],
        ),
        CommandName::CreateLead => (
            "createLead",
            "leadMade",
            "Create a lead; needs the permission `leads:write`.",
            r#"{"name":"John Doe","email":"john@example.com","company":"Acme Corp","phone":"+45 12 34 56 78","notes":"Interested in our services"}"#,
            format!(r#"{{"leadId":"lead_019c3765-1f80-7c41-a4be-6f1d2a3b4c5d","lead":{LEAD},"message":"Lead created"}}"#),
            &["leadMade", "commandFailed"],
        ),
        CommandName::SearchLeads => (
            "searchLeads",
            "leadsMatching",
            "Search leads; needs the permission `leads:read`.",
            r#"{"query":"john","status":"NEW","date_range":"month"}"#,
            format!(r#"{{"leads":[{LEAD}],"total":1,"query":"john","message":"Found 1 matching lead"}}"#),
            &["leadsMatching", "commandFailed"],
        ),
        CommandName::GetMetrics => (
            "getMetrics",
            "metricsCounted",
            "Count; needs the permission `metrics:read`.",
            r#"{"metric_type":"leads","period":"month"}"#,
            r#"{"metrics":{"type":"leads","period":"month","total":1,"new":1,"contacted":0,"qualified":0,"lost":0},"message":"Metrics for leads over period month"}"#.to_owned(),
            &["metricsCounted", "commandFailed"],
        ),
        CommandName::StartBackup => (
            "startBackup",
            "backupStarted",
            "Begin a backup; needs the permission `backup:run`.",
            r#"{"backup_type":"full","priority":"normal"}"#,
            under_way("backup", r#""type":"full","priority":"normal","status":"started""#, "Backup started"),
            &["backupStarted", "commandFailed"],
        ),
        CommandName::ComplianceCheck => (
            "complianceCheck",
            "complianceCheckStarted",
            "Begin a compliance check; needs the permission `compliance:run`.",
            r#"{"check_type":"nis2","severity":"medium"}"#,
            under_way("compliance", r#""type":"nis2","severity":"medium","status":"running""#, "Compliance check started"),
            &["complianceCheckStarted", "commandFailed"],
        ),
    };
    Described {
        name,
        request,
        answer,
        about,
        parameters,
        data,
        replies,
    }
}

/// An answer as an example.
fn answered(command: CommandName, success: bool, more: &str) -> Box<RawValue> {
    let command = command.as_str();
    raw(&format!(
        r#"{{"success":{success},"command":"{command}",{more},"tenant":"{TENANT}","timestamp":"{NOW}"}}"#
    ))
}
