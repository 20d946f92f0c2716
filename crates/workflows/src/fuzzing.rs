//! The parsers of what clients and the backend send, for the fuzz targets.

use axum::http::Uri;
use tidings_hub::RoomName;
use tidings_transport::Problem;

use crate::messages::{AskedRoom, ClientMessage};
use crate::{handshake, http, sse};

/// The JSON that stood for a room, and the name in it.
pub type Asked<'a> = (&'a str, Option<RoomName>);

/// What a message says: its type, and the room.
pub fn message(text: &str) -> Option<(String, Option<Asked<'_>>)> {
    let room = |AskedRoom { sent, name }| (sent.get(), name);
    Some(match ClientMessage::parse(text).ok()? {
        ClientMessage::Subscribe(asked, _) => ("subscribe".to_owned(), asked.map(room)),
        ClientMessage::Unsubscribe(asked) => ("unsubscribe".to_owned(), asked.map(room)),
        ClientMessage::Refresh(_) => ("refresh".to_owned(), None),
        ClientMessage::Ping => ("ping".to_owned(), None),
        ClientMessage::Unknown(kind) => (kind.into_owned(), None),
    })
}

/// The token of a target.
pub fn token(uri: &Uri) -> Option<String> {
    handshake::from_query(uri)
}

/// The rooms of a stream's target.
pub fn rooms(uri: &Uri) -> Vec<Option<RoomName>> {
    sse::rooms(uri)
}

/// Reads a body by each of the routes that take one.
pub fn bodies(body: &[u8]) -> [Result<(), Problem>; 5] {
    http::bodies(body)
}
