//! Socket.IO: the namespace `/events`.

use axum::http::HeaderName;
use serde::Serialize;
use serde_json::value::RawValue;
use tidings_transport::socketio::{Application, ConnectRequest, Event, Refusal, SocketHandle};
use tidings_wire::close_code::CloseCode;
use tidings_wire::socketio::encode_event;
use utoipa::ToSchema;

use crate::authentication::{KEY_NAMES, KeyRefusal, OfferedKeys, Principal, authenticate};
use crate::command;
use crate::encoding::NAMESPACE;
use crate::envelope::tenant_room;
use crate::flow::{Flow, LiveConnection, LiveHandle};
use crate::welcome::{self, COMMAND, RESPONSE};

/// What happens on `/events`.
pub struct Events(Flow);

impl Events {
    pub(crate) fn new(flow: Flow) -> Events {
        Events(flow)
    }
}

/// One client on `/events`.
pub struct EventsSocket {
    principal: Principal,
    handle: SocketHandle,
    _live: LiveConnection,
}

impl Application for Events {
    type Socket = EventsSocket;

    fn serves(&self, namespace: &str) -> bool {
        namespace == NAMESPACE
    }

    fn needs_header(&self, name: &HeaderName) -> bool {
        KEY_NAMES.contains(&name.as_str())
    }

    async fn connect(&self, request: ConnectRequest<'_>) -> Result<EventsSocket, Refusal> {
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

/// Why a CONNECT was refused, for programs.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectRefusal)]
pub(crate) struct RefusalData {
    code: KeyRefusal,
}

/// What a refused CONNECT is told.
pub(crate) fn refusal(refusal: KeyRefusal) -> Refusal {
    let data = serde_json::value::to_raw_value(&RefusalData { code: refusal }).ok();
    Refusal {
        message: refusal.message().to_owned(),
        data,
    }
}
