//! Refusals that read the same wherever they occur stand once in the document.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{OpenApi, Ref, RefOr, Response};

use super::answer::PROBLEM;

/// Moves the refusals of each status into the components, unless operations differ in them.
pub(super) fn share_refusals(mut document: OpenApi) -> OpenApi {
    let mut by_status: BTreeMap<String, Vec<Response>> = BTreeMap::new();
    for (status, response) in refusals(&mut document) {
        if let RefOr::T(response) = response {
            by_status
                .entry(status.clone())
                .or_default()
                .push(response.clone());
        }
    }
    by_status
        .retain(|_, responses| responses.len() > 1 && responses.iter().all(|other| *other == responses[0]));
    for (status, response) in refusals(&mut document) {
        if by_status.contains_key(status) {
            *response = Ref::from_response_name(name(status)).into();
        }
    }
    let components = document.components.get_or_insert_default();
    for (status, responses) in by_status {
        let response = responses.into_iter().next().map(RefOr::T);
        components
            .responses
            .extend(response.map(|response| (name(&status), response)));
    }
    document
}

/// The status's own name, in one word.
fn name(status: &str) -> String {
    let status = status.parse().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    status.canonical_reason().unwrap_or_default().replace(' ', "")
}

/// The refusals of all operations, by status.
fn refusals(document: &mut OpenApi) -> impl Iterator<Item = (&String, &mut RefOr<Response>)> {
    let operations = document.paths.paths.values_mut().flat_map(operations);
    operations
        .flat_map(|operation| operation.responses.responses.iter_mut())
        .filter(
            |(_, response)| matches!(response, RefOr::T(response) if response.content.contains_key(PROBLEM)),
        )
}

/// The operations of a path.
pub(super) fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        put,
        post,
        patch,
        delete,
        ..
    } = path;
    [get, put, post, patch, delete].into_iter().flatten()
}
