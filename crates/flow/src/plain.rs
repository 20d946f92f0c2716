//! `GET /events`: the namespace for clients without Socket.IO, frames `{"event":name,"data":…}` both ways.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;
use tidings_hub::{Connection, Gateway};
use tidings_transport::{Incoming, Protocol, WebSocketUpgrade};
use tidings_wire::close_code::CloseCode;

use crate::authentication::Principal;
use crate::command;
use crate::encoding::plain_frame;
use crate::envelope::tenant_room;
use crate::flow::{Flow, LiveConnection, LiveHandle};
use crate::http::{Upgraded, authenticated};
use crate::parameters::{Members, text};
use crate::welcome::{self, COMMAND, RESPONSE};

/// Opens a WebSocket on the tenant's events
///
/// Frames are `{"event":name,"data":…}` both ways: the same events and commands as on Socket.IO's namespace of this
/// name, for clients without Socket.IO. The handshake is that of RFC 6455, over HTTP/1.1. The key is checked before it, so
/// that an incomplete handshake is a way to check keys.
#[utoipa::path(
    get,
    path = "/events",
    operation_id = "openEvents",
    tag = "events",
    responses(Upgraded)
)]
pub(crate) async fn events(State(flow): State<Flow>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let principal = match authenticated(&flow, &parts.headers).await {
        Ok(principal) => principal,
        Err(problem) => return problem.into_response(),
    };
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(problem) => return problem.into_response(),
    };
    let transport = flow.transport().clone();
    upgrade.accept(&transport, Gateway::Flow, |connection| async move {
        PlainConnection::open(flow, principal, connection).await
    })
}

/// One plain WebSocket.
struct PlainConnection {
    flow: Flow,
    principal: Principal,
    connection: Arc<Connection>,
    _live: LiveConnection,
}

impl PlainConnection {
    async fn open(
        flow: Flow,
        principal: Principal,
        connection: Arc<Connection>,
    ) -> Result<PlainConnection, CloseCode> {
        let live = flow
            .enter(&principal, LiveHandle::Plain(connection.clone()))
            .ok_or(CloseCode::RateLimited)?;
        let welcome = plain_frame(welcome::EVENT, welcome::data(&principal.tenant, flow.now()).get());
        let encoding = flow.encodings().plain(principal.permissions);
        connection
            .join(tenant_room(&principal.tenant), encoding, Some(welcome))
            .await;
        Ok(PlainConnection {
            flow,
            principal,
            connection,
            _live: live,
        })
    }

    async fn execute(&self, request: Option<&RawValue>) {
        let response = command::execute(&self.flow, &self.principal, request).await;
        self.connection
            .send(plain_frame(RESPONSE, response.json().get()))
            .await;
    }
}

impl Protocol for PlainConnection {
    /// What is no known event is ignored, as Socket.IO does with events nobody listens to.
    async fn receive(&mut self, message: Incoming) -> Result<(), CloseCode> {
        let json = match &message {
            Incoming::Text(text) => Some(text.as_str()),
            Incoming::Binary(bytes) => std::str::from_utf8(bytes).ok(),
        };
        if let Some(members) = json.and_then(|json| Members::read(json, &["event", "data"]))
            && members
                .get("event")
                .and_then(text)
                .is_some_and(|event| event == COMMAND)
        {
            Box::pin(self.execute(members.get("data"))).await;
        }
        Ok(())
    }
}
