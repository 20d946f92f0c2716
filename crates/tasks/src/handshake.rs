//! `/ws`: from a request to a welcomed connection.

use crate::Tasks;
use crate::identity::Credentials;
use crate::session::Session;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use tidings_hub::Gateway;
use tidings_transport::{BEARER, Limit, WebSocketUpgrade};
use tidings_wire::close_code::CloseCode;

/// Answers the handshake. Who it is is known before the upgrade; a refusal comes after it, as a close code.
pub(crate) async fn open(State(tasks): State<Tasks>, uri: Uri, upgrade: WebSocketUpgrade) -> Response {
    let Tasks(gateway) = tasks;
    let transport = gateway.transport.clone();
    let credentials = Credentials::read(&uri, upgrade.headers(), upgrade.protocols());
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
