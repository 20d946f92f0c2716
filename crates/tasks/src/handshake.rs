//! `/ws`: from a request to a welcomed connection.

use crate::Tasks;
use crate::identity::{Asker, Credentials};
use crate::openapi::Upgraded;
use crate::session::Session;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use tidings_hub::Gateway;
use tidings_transport::{BEARER, Limit, WebSocketUpgrade};
use tidings_wire::close_code::CloseCode;

/// Opens a WebSocket on a user's tasks
///
/// The handshake is that of RFC 6455, over HTTP/1.1. A token may also be offered as `Sec-WebSocket-Protocol: bearer, TOKEN`.
/// Who is not let in is told so behind the upgrade, by a close code, which browsers can read; `/asyncapi.json` lists the
/// codes and the messages.
#[utoipa::path(
    get, path = "/ws", operation_id = "openTaskUpdates", tag = "task updates",
    security((), ("bearerToken" = []), ("queryToken" = [])), params(Asker), responses(Upgraded)
)]
pub(crate) async fn open(State(tasks): State<Tasks>, uri: Uri, upgrade: WebSocketUpgrade) -> Response {
    let Tasks(gateway) = tasks;
    let transport = gateway.transport.clone();
    let credentials = Credentials::read(&uri, upgrade.headers(), upgrade.protocols());
    // Who it is is known before the upgrade; a refusal comes after it.
    let identity = gateway.identify(credentials).await;
    // Also for a refusal: a browser drops a connection whose subprotocols are all passed over.
    let upgrade = upgrade.with_protocol(BEARER);
    let identity = match identity {
        Ok(identity) => identity,
        Err(code) => return upgrade.refuse(&transport, code),
    };
    let Some(place) = gateway.users.enter(identity.user) else {
        transport.counters().reached(Limit::ConnectionsPerUser);
        return upgrade.refuse(&transport, CloseCode::RateLimited);
    };
    let token = identity.token;
    upgrade.accept(&transport, Gateway::Tasks, move |connection| {
        Session::open(gateway, place, token, connection)
    })
}
