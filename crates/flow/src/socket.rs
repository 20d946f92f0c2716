//! Socket.IO: the namespace `/events`.

use axum::Router;
use axum::http::HeaderName;
use serde_json::value::RawValue;
use tidings_hub::Gateway;
use tidings_transport::engineio::EngineOptions;
use tidings_transport::socketio::{
    Application, ConnectRequest, Event, Refusal, SocketHandle, SocketOptions, SocketServer,
};
use tidings_wire::close_code::CloseCode;
use tidings_wire::socketio::{Limits, encode_event};

use crate::authentication::{KEY_NAMES, KeyRefusal, OfferedKeys, Principal, authenticate};
use crate::command;
use crate::encoding::NAMESPACE;
use crate::envelope::tenant_room;
use crate::flow::{Flow, LiveConnection, LiveHandle};
use crate::welcome::{self, COMMAND, RESPONSE};

pub(crate) fn routes(flow: &Flow) -> Router {
    let transport = flow.transport();
    let heartbeat = transport.heartbeat();
    let limits = transport.limits();
    let message_bytes_max = limits.message_bytes_max;
    let engine_options = EngineOptions {
        ping_interval: heartbeat.interval,
        ping_timeout: heartbeat.timeout,
        upgrade_timeout: limits.upgrade_timeout,
        payload_bytes_max: message_bytes_max,
        payload_packets_max: limits.payload_packets_max,
        ..EngineOptions::new("/socket.io", Gateway::Flow)
    };
    let options = SocketOptions {
        connect_timeout: limits.connect_timeout,
        namespaces_max: limits.namespaces_per_connection_max,
        packet_limits: Limits {
            attachments_max: limits.attachments_max,
            attachment_bytes_max: message_bytes_max,
            ..Limits::default()
        },
    };
    SocketServer::start(transport, engine_options, options, Events(flow.clone())).routes()
}

/// What happens on `/events`.
struct Events(Flow);

/// One client on `/events`.
struct EventsSocket {
    principal: Principal,
    handle: SocketHandle,
    _live: LiveConnection,
}

impl Application for Events {
    type Socket = EventsSocket;

    fn needs_header(&self, name: &HeaderName) -> bool {
        KEY_NAMES.contains(&name.as_str())
    }

    async fn connect(&self, request: ConnectRequest<'_>) -> Result<EventsSocket, Refusal> {
        if request.namespace != NAMESPACE {
            return Err(Refusal::invalid_namespace());
        }
        let flow = &self.0;
        let offered = OfferedKeys::of(request.headers, request.auth);
        let principal = authenticate(flow.store(), flow.clock(), &offered)
            .await
            .map_err(refusal)?;
        let Some(live) = flow.enter(&principal, LiveHandle::Socket(request.handle.clone())) else {
            // With its transport, so that the stock client comes back; after a refusal alone it would not. The refusal
            // comes behind the close and is not sent.
            request.handle.close(CloseCode::RateLimited).await;
            return Err(Refusal::new("too many connections of this tenant"));
        };
        Ok(EventsSocket {
            principal,
            handle: request.handle,
            _live: live,
        })
    }

    async fn connected(&self, socket: &mut EventsSocket) {
        let EventsSocket {
            principal, handle, ..
        } = socket;
        let data = welcome::data(&principal.tenant, self.0.now());
        let welcome = encode_event(NAMESPACE, welcome::EVENT, &[data], None);
        let encoding = self.0.encodings().socket(principal.permissions);
        handle
            .connection
            .join(tenant_room(&principal.tenant), encoding, Some(welcome))
            .await;
    }

    /// Events that nobody listens to are ignored, as by the reference server.
    async fn event(&self, socket: &mut EventsSocket, event: Event) -> Result<(), CloseCode> {
        if event.name != COMMAND {
            return Ok(());
        }
        let request = event.args.first().map(|request| &**request);
        let answer = command::execute(&self.0, &socket.principal, request).await;
        let response: [Box<RawValue>; 1] = [answer.json()];
        socket.handle.emit(RESPONSE, &response).await;
        if let Some(ack) = event.ack {
            ack.send(&response).await;
        }
        // Not before it was sent: what comes of the command later is told behind it.
        drop(answer);
        Ok(())
    }

    async fn disconnected(&self, socket: EventsSocket) {
        socket
            .handle
            .connection
            .leave(tenant_room(&socket.principal.tenant), None)
            .await;
    }
}

fn refusal(refusal: KeyRefusal) -> Refusal {
    #[derive(serde::Serialize)]
    struct Data {
        code: KeyRefusal,
    }
    let data = serde_json::value::to_raw_value(&Data { code: refusal }).ok();
    Refusal {
        message: refusal.message().to_owned(),
        data,
    }
}
