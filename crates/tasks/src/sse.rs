//! `/sse`: the same connection as on `/ws`, one way.

use crate::Tasks;
use crate::identity::{Asker, Credentials};
use crate::openapi::Streamed;
use crate::session::Session;
use axum::extract::State;
use axum::response::Response;
use tidings_hub::Gateway;
use tidings_transport::{Limit, SseRefusal, SseRequest};
use tidings_wire::close_code::CloseCode;

/// Streams a user's tasks
///
/// The frames of the WebSocket, one way, as server-sent events; `/asyncapi.json` describes them. A token is needed unless
/// `tasks.token_required` is off, as it is in development. An expired token ends the stream.
#[utoipa::path(
    get, path = "/sse", operation_id = "streamTaskUpdates", tag = "task updates",
    security((), ("bearerToken" = []), ("queryToken" = [])), params(Asker), responses(Streamed)
)]
pub(crate) async fn open(State(tasks): State<Tasks>, request: SseRequest) -> Response {
    let Tasks(gateway) = tasks;
    let transport = gateway.transport.clone();
    let credentials = Credentials::read(request.uri(), request.headers(), &[]);
    let identity = match gateway.identify(credentials).await {
        Ok(identity) => identity,
        Err(code) => return request.refuse(&transport, code.into()),
    };
    let Some(place) = gateway.users.enter(identity.user) else {
        transport.counters().reached(Limit::ConnectionsPerUser);
        return request.refuse(&transport, CloseCode::RateLimited.into());
    };
    let start = async move |connection| {
        Session::open(gateway, place, identity.token, connection)
            .await
            .map_err(SseRefusal::from)
    };
    request.accept(&transport, Gateway::Tasks, start).await
}
