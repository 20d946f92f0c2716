//! The parsers of requests, for the fuzz targets.

use axum::http::request::Parts;
use axum::http::{HeaderValue, Uri};

use crate::Problem;
use crate::engineio::query::Parameters;
use crate::engineio::sid::Sid;
use crate::upgrade::request;

/// The version, the transport and the session of an Engine.IO target.
pub fn engineio(uri: &Uri) -> [Option<String>; 3] {
    let Parameters {
        version,
        transport,
        sid,
    } = Parameters::of(uri);
    [version, transport, sid]
}

/// A session's id as it is written, if the text is one.
pub fn session_id(text: &str) -> Option<String> {
    Sid::parse(text).map(Sid::text)
}

/// What a WebSocket's request is answered.
pub fn upgrade(parts: &Parts) -> Result<HeaderValue, Problem> {
    request::accept_value(parts)
}
