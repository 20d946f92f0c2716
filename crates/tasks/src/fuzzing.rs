//! The parsers of what clients send, for the fuzz targets.

use axum::http::{HeaderMap, Uri};

use crate::identity::Credentials;
use crate::message::Message;

/// Whether a message is a ping.
pub fn is_ping(message: &[u8]) -> bool {
    Message::read(message) == Message::Ping
}

/// The user id and the token of a request.
pub fn credentials(uri: &Uri, headers: &HeaderMap, protocols: &[String]) -> (Option<String>, Option<String>) {
    let Credentials { user_id, token } = Credentials::read(uri, headers, protocols);
    (user_id, token)
}
