//! The AsyncAPI documents: those of the gateways, at `/asyncapi.json` of the listeners that they share.

use std::future::ready;

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tidings_transport::asyncapi::Document;

use crate::documents::{Documented, title};

/// The document of a listener that has these parts, in JSON; none if nobody speaks there. Dapr only asks and posts.
pub(crate) fn document(parts: &[Documented]) -> Option<String> {
    let parts: Vec<Documented> = parts
        .iter()
        .copied()
        .filter(|part| *part != Documented::Dapr)
        .collect();
    let documents = parts.iter().filter_map(|part| match part {
        Documented::Flow => Some(tidings_flow::asyncapi()),
        Documented::Tasks => Some(tidings_tasks::asyncapi()),
        Documented::Workflows => Some(tidings_workflows::asyncapi()),
        Documented::Dapr => None,
    });
    Some(Document::merged(&title(&parts), documents)?.to_json())
}

/// `GET /asyncapi.json` of a listener that has these parts.
pub(crate) fn routes(parts: &[Documented]) -> Router {
    match document(parts).map(Bytes::from) {
        Some(document) => Router::new().route("/asyncapi.json", get(move || ready(served(document.clone())))),
        None => Router::new(),
    }
}

/// Reads the AsyncAPI document
///
/// What is said on the sockets, event streams and Socket.IO namespaces of the gateways on this listener. No key and no
/// token is needed.
#[utoipa::path(
    get, path = "/asyncapi.json", operation_id = "readAsyncapi", tag = "service", security(()),
    responses((status = 200, body = Object, content_type = "application/json", description = "The document."))
)]
pub(crate) fn served(document: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::documents::tests::{LISTENERS, assert_references, assert_snapshot};

    #[test]
    fn every_reference_is_to_something() {
        for (_, parts) in LISTENERS {
            assert_references(&document(parts).unwrap());
        }
        assert_references(&document(Documented::ALL).unwrap());
    }

    #[test]
    fn the_committed_documents_are_current() {
        for (name, parts) in LISTENERS {
            assert_snapshot("asyncapi", name, &document(parts).unwrap());
        }
    }

    #[test]
    fn one_document_of_all_has_all_that_each_of_them_has() {
        let parsed =
            |parts: &[Documented]| -> Value { serde_json::from_str(&document(parts).unwrap()).unwrap() };
        let all = parsed(Documented::ALL);
        for (name, parts) in LISTENERS {
            let one = parsed(parts);
            for place in [
                "/channels",
                "/operations",
                "/components/messages",
                "/components/schemas",
                "/components/securitySchemes",
            ] {
                for (key, object) in one.pointer(place).unwrap().as_object().unwrap() {
                    assert_eq!(&all.pointer(place).unwrap()[key], object, "{name}: {place}/{key}");
                }
            }
        }
    }

    #[test]
    fn who_only_posts_is_not_spoken_to() {
        assert_eq!(document(&[Documented::Dapr]), None);
    }
}
