//! Where it is said.

use serde::Serialize;
use tidings_wire::close_code::CloseCode;
use utoipa::IntoParams;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::schema::{ObjectBuilder, Schema};

use super::message::{Message, Request, STREAM_ENDS};
use super::named::{Named, Reference};
use crate::openapi::schema::{object, string};

/// A place where messages are exchanged: a WebSocket, an event stream, a Socket.IO namespace.
#[derive(Clone)]
pub struct Channel {
    pub(super) name: &'static str,
    /// What the names of its messages' components begin with: the gateway's name, unless they are of this channel alone.
    pub(super) scope: Option<&'static str>,
    pub(super) object: ChannelObject,
    pub(super) sends: Vec<Message>,
    pub(super) receives: Vec<Request>,
    /// Names of security schemes, each of which is enough.
    pub(super) security: Vec<&'static str>,
    /// The query of an event stream, if it is one.
    pub(super) stream_query: Option<Schema>,
}

#[derive(Clone, Serialize)]
pub(super) struct ChannelObject {
    address: &'static str,
    title: &'static str,
    description: &'static str,
    pub(super) messages: Named<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bindings: Option<Bindings>,
    #[serde(rename = "x-server-sent-events", skip_serializing_if = "Option::is_none")]
    is_stream: Option<bool>,
    #[serde(rename = "x-socket.io", skip_serializing_if = "Option::is_none")]
    socket_io: Option<SocketIo>,
    #[serde(rename = "x-close-codes")]
    close_codes: Vec<Closing>,
}

/// A WebSocket's binding; nothing of AsyncAPI's own describes an event stream as a channel.
#[derive(Clone, Serialize)]
struct Bindings {
    ws: WebSocketBinding,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct WebSocketBinding {
    method: &'static str,
    query: Schema,
    binding_version: &'static str,
}

#[derive(Clone, Serialize)]
struct SocketIo {
    path: &'static str,
    namespace: &'static str,
    protocol: u8,
    #[serde(rename = "engine.io")]
    engine: u8,
    transports: [&'static str; 2],
}

/// An entry of the table of close codes.
#[derive(Clone, Copy, Serialize)]
struct Closing {
    code: u16,
    reason: &'static str,
    retry: &'static str,
    when: &'static str,
}

impl Channel {
    /// A WebSocket. `Query` is what it takes in the query besides `token`.
    pub fn websocket<Query: IntoParams>(
        name: &'static str,
        address: &'static str,
        title: &'static str,
        description: &'static str,
    ) -> Channel {
        let mut channel = Channel::new(name, address, title, description);
        channel.object.bindings = Some(Bindings {
            ws: WebSocketBinding {
                method: "GET",
                query: query::<Query>(),
                binding_version: "0.1.0",
            },
        });
        channel
    }

    /// An event stream, on which clients say nothing. `Query` is as of a WebSocket.
    pub fn stream<Query: IntoParams>(
        name: &'static str,
        address: &'static str,
        title: &'static str,
        description: &'static str,
    ) -> Channel {
        let mut channel = Channel::new(name, address, title, description);
        channel.stream_query = Some(query::<Query>());
        channel.object.close_codes = STREAM_ENDS.iter().copied().map(Closing::of).collect();
        channel.object.is_stream = Some(true);
        channel
    }

    /// A namespace of Socket.IO, whose events are the messages.
    pub fn socket_io(
        name: &'static str,
        namespace: &'static str,
        title: &'static str,
        description: &'static str,
    ) -> Channel {
        let mut channel = Channel::new(name, "/socket.io/", title, description);
        channel.object.socket_io = Some(SocketIo {
            path: "/socket.io/",
            namespace,
            protocol: 5,
            engine: 4,
            transports: ["polling", "websocket"],
        });
        channel
    }

    fn new(
        name: &'static str,
        address: &'static str,
        title: &'static str,
        description: &'static str,
    ) -> Channel {
        Channel {
            name,
            scope: None,
            object: ChannelObject {
                address,
                title,
                description,
                messages: Named::default(),
                bindings: None,
                is_stream: None,
                socket_io: None,
                close_codes: Vec::new(),
            },
            sends: Vec::new(),
            receives: Vec::new(),
            security: Vec::new(),
            stream_query: None,
        }
    }

    /// Its messages are not those of the gateway's other channels, though they may be called the same.
    #[must_use]
    pub fn scope(mut self, scope: &'static str) -> Channel {
        self.scope = Some(scope);
        self
    }

    /// What the server sends.
    #[must_use]
    pub fn sends(mut self, messages: impl IntoIterator<Item = Message>) -> Channel {
        self.sends.extend(messages);
        self
    }

    /// What the server takes.
    #[must_use]
    pub fn receives(mut self, requests: impl IntoIterator<Item = Request>) -> Channel {
        self.receives.extend(requests);
        self
    }

    /// By what one is let in: any of these security schemes.
    #[must_use]
    pub fn security(mut self, schemes: impl IntoIterator<Item = &'static str>) -> Channel {
        self.security.extend(schemes);
        self
    }

    /// How the server ends it: every way but these. Streams say so by themselves.
    #[must_use]
    pub fn closes_with_all_but(mut self, never: &[CloseCode]) -> Channel {
        let codes = CloseCode::ALL.iter().filter(|code| !never.contains(code));
        self.object.close_codes = codes.copied().map(Closing::of).collect();
        self
    }
}

impl Closing {
    fn of(code: CloseCode) -> Closing {
        Closing {
            code: code.code(),
            reason: code.reason(),
            retry: code.retry().as_str(),
            when: code.when(),
        }
    }
}

/// The parameters of a query as an object, the token with them.
fn query<Query: IntoParams>() -> Schema {
    let token = string().description(Some("A token, for clients that cannot set headers."));
    let parameters = Query::into_params(|| Some(ParameterIn::Query));
    let parameters = parameters.into_iter().filter_map(|parameter| {
        let mut schema = parameter.schema?;
        match &mut schema {
            RefOr::T(Schema::Object(object)) => object.description = parameter.description,
            RefOr::T(Schema::Array(array)) => array.description = parameter.description,
            _ => {}
        }
        Some((parameter.name, schema))
    });
    let query: ObjectBuilder =
        parameters.fold(object(), |query, (name, schema)| query.property(name, schema));
    query.property("token", token).into()
}
