//! `/api/v1/sse`: a connection that names its rooms when it opens, and says nothing afterwards.

use axum::extract::{Query, State};
use axum::http::Uri;
use axum::response::Response;
use tidings_access::ROOM_BYTES_MAX;
use tidings_hub::{Gateway, RoomName};
use tidings_transport::openapi::{parameter, schema};
use tidings_transport::{SseRefusal, SseRequest};
use tidings_wire::close_code::CloseCode;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::ArrayBuilder;

use crate::Workflows;
use crate::form::Form;
use crate::handshake::{Warned, token, verify, wants_warning};
use crate::http::Streamed;
use crate::session::{NoEntry, Session};

/// The parameter that [`rooms`] reads.
pub(crate) enum Rooms {}

impl IntoParams for Rooms {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let about =
            "A room to be in besides one's own, as often as there are rooms: `execution:ID`, `workflow:ID`.";
        let rooms = ArrayBuilder::new().items(schema::plain(ROOM_BYTES_MAX));
        let parameter = parameter(ParameterIn::Query, "room", rooms, about)
            .style(Some(ParameterStyle::Form))
            .explode(Some(true));
        vec![parameter.build()]
    }
}

/// Streams the caller's workflows
///
/// The frames of the WebSocket, one way, as server-sent events; `/asyncapi.json` describes them. A stream is in all of the
/// rooms that it asks for, or it is not opened: a room that the caller may not enter refuses it, whether it exists or not.
#[utoipa::path(
    get, path = "/api/v1/sse", operation_id = "streamWorkflowUpdates", tag = "workflow updates",
    security(("bearerToken" = []), ("queryToken" = [])), params(Rooms, Warned), responses(Streamed)
)]
pub(crate) async fn open(State(workflows): State<Workflows>, request: SseRequest) -> Response {
    let transport = &workflows.0.transport;
    let token = token(request.uri(), request.headers(), &[]);
    let claims = match verify(&workflows, token).await {
        Ok(claims) => claims,
        Err(code) => return request.refuse(transport, code.into()),
    };
    let rooms = rooms(request.uri());
    // Each room costs a look into the store: too many are refused before the first one.
    if rooms.len() > workflows.0.limits.rooms_per_connection_max {
        return request.refuse(transport, too_many_rooms());
    }
    let gateway = workflows.0.clone();
    let is_to_be_warned = wants_warning(request.uri());
    let start = async move |connection| {
        let session = Session::open(gateway, claims, is_to_be_warned, connection, Form::Json).await?;
        enter(session, rooms).await
    };
    request.accept(transport, Gateway::Workflows, start).await
}

/// A stream is in all of the rooms that it asks for, or it is not opened: it could not ask again.
async fn enter(session: Session, rooms: Vec<Option<RoomName>>) -> Result<Session, SseRefusal> {
    for (place, room) in rooms.into_iter().enumerate() {
        let entry = match room {
            Some(room) => session.enter(room).await,
            None => Err(NoEntry::Denied),
        };
        entry.map_err(|no_entry| match no_entry {
            NoEntry::Denied => denied(place),
            NoEntry::TooManyRooms => too_many_rooms(),
            NoEntry::TooManyRoomsOfUser => SseRefusal::from(CloseCode::RateLimited).detail("Too many rooms"),
        })?;
    }
    Ok(session)
}

/// The values of `room`, in order; `None` for one that can name no room.
pub(crate) fn rooms(uri: &Uri) -> Vec<Option<RoomName>> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri);
    let pairs = pairs.map(|Query(pairs)| pairs).unwrap_or_default();
    pairs
        .into_iter()
        .filter(|(key, _)| key == "room")
        .map(|(_, room)| RoomName::new(&room).ok())
        .collect()
}

/// One text for all that a user may not enter, whether it exists or not.
fn denied(place: usize) -> SseRefusal {
    SseRefusal::from(CloseCode::Forbidden)
        .detail("Access denied to room")
        .error(format!("/room/{place}"), "Access denied to room")
}

fn too_many_rooms() -> SseRefusal {
    SseRefusal::from(CloseCode::BadRequest).detail("Too many rooms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_of_the_query() {
        let rooms = |target: &str| -> Vec<_> {
            rooms(&target.parse().unwrap())
                .into_iter()
                .map(|room| room.map(|room| room.to_string()))
                .collect()
        };
        let named = |room: &str| Some(room.to_owned());
        assert_eq!(rooms("/api/v1/sse?token=x"), []);
        assert_eq!(rooms("/api/v1/sse"), []);
        assert_eq!(
            rooms("/api/v1/sse?room=execution:1&token=x&room=workflow%3A2%26&room=execution:1"),
            [named("execution:1"), named("workflow:2&"), named("execution:1")]
        );
        assert_eq!(rooms("/api/v1/sse?room=&room&room=a%00"), [None, None, None]);
        assert_eq!(rooms(&format!("/api/v1/sse?room={}", "x".repeat(257))), [None]);
    }
}
