//! The OpenAPI document of the flow gateway's listener: the gateway's own, and the routes that the binary adds to it.

use std::future::ready;

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa::OpenApi;

use crate::health;

#[derive(OpenApi)]
#[openapi(
    paths(health::health, served),
    tags((name = "service", description = "The server itself; needs no key."))
)]
struct Added;

/// The document, in JSON.
pub(crate) fn document() -> String {
    let document = tidings_flow::openapi().merge_from(Added::openapi());
    let json = document
        .to_pretty_json()
        .expect("Invariant: a document holds texts, numbers and lists only");
    json + "\n"
}

/// `GET /openapi.json`.
pub(crate) fn routes() -> Router {
    let document = Bytes::from(document());
    Router::new().route("/openapi.json", get(move || ready(served(document.clone()))))
}

/// Reads this document
///
/// As `tidings openapi` prints it. No key is needed.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "readOpenapi", tag = "service", security(()),
    responses((status = 200, body = Object, content_type = "application/json", description = "The document."))
)]
fn served(document: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_is_to_something() {
        let document = document();
        let parsed: serde_json::Value = serde_json::from_str(&document).unwrap();
        let mut count = 0;
        for reference in document.split("\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(parsed.pointer(pointer).is_some(), "{pointer}");
            count += 1;
        }
        assert_ne!(count, 0, "references are found");
    }

    #[test]
    fn the_committed_document_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/openapi.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == document(),
            "the OpenAPI document changed; look at the difference: cargo run -- openapi > docs/reference/openapi.json"
        );
    }
}
