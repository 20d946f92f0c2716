//! The OpenAPI documents: those of the gateways, and the routes that the binary adds to every listener.

use std::future::ready;

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tidings_sources::dapr::{self, DaprSettings};
use tidings_transport::openapi::merged;
use utoipa::OpenApi;

use crate::documents::{Documented, title};
use crate::{asyncapi, health};

#[derive(OpenApi)]
#[openapi(
    paths(health::health, served, asyncapi::served),
    tags((name = "service", description = "The server itself; needs no key and no token."))
)]
struct Added;

/// The document of a listener that has these parts, in JSON; none if there are none.
pub(crate) fn document(parts: &[Documented], dapr: &DaprSettings) -> Option<String> {
    let documents = parts.iter().map(|part| match part {
        Documented::Flow => tidings_flow::openapi(),
        Documented::Tasks => tidings_tasks::openapi(),
        Documented::Dapr => dapr::openapi(dapr),
        Documented::Workflows => tidings_workflows::openapi(),
    });
    let mut added = Added::openapi();
    if asyncapi::document(parts).is_none() {
        added.paths.paths.retain(|path, _| path != "/asyncapi.json");
    }
    let document = merged(&title(parts), documents)?.merge_from(added);
    let json = document
        .to_pretty_json()
        .expect("Invariant: a document holds texts, numbers and lists only");
    Some(json + "\n")
}

/// `GET /openapi.json` of a listener that has these parts.
pub(crate) fn routes(parts: &[Documented], dapr: &DaprSettings) -> Router {
    match document(parts, dapr).map(Bytes::from) {
        Some(document) => Router::new().route("/openapi.json", get(move || ready(served(document.clone())))),
        None => Router::new(),
    }
}

/// Reads this document
///
/// Of the gateways on this listener. No key and no token is needed.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "readOpenapi", tag = "service", security(()),
    responses((status = 200, body = Object, content_type = "application/json", description = "The document."))
)]
fn served(document: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;
    use crate::documents::tests::{LISTENERS, assert_references, assert_snapshot};

    fn of(parts: &[Documented]) -> String {
        document(parts, &DaprSettings::default()).unwrap()
    }

    #[test]
    fn every_reference_is_to_something() {
        for (_, parts) in LISTENERS {
            assert_references(&of(parts));
        }
    }

    #[test]
    fn the_committed_documents_are_current() {
        for (name, parts) in LISTENERS {
            assert_snapshot("openapi", name, &of(parts));
        }
    }

    #[test]
    fn an_operation_has_one_name_and_says_who_may_call_it() {
        let document: Value = serde_json::from_str(&of(Documented::ALL)).unwrap();
        let mut names = HashSet::new();
        for operations in document["paths"].as_object().unwrap().values() {
            for operation in operations.as_object().unwrap().values() {
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name.to_owned()), "{name}");
                assert!(operation["security"].is_array(), "{name}");
            }
        }
        assert!(names.len() > 25 && document.get("security").is_none());
    }

    #[test]
    fn what_has_no_part_has_no_document() {
        assert_eq!(document(&[], &DaprSettings::default()), None);
    }

    #[test]
    fn dapr_posts_to_the_configured_path() {
        let dapr = DaprSettings {
            route: "/elsewhere".to_owned(),
            ..DaprSettings::default()
        };
        let document: Value = serde_json::from_str(&document(&[Documented::Dapr], &dapr).unwrap()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        assert!(paths.contains_key("/elsewhere") && !paths.contains_key("/task-updates"));
    }
}
