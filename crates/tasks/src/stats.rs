//! `GET /stats`: how many connections each user has.

use crate::Tasks;
use crate::openapi::Counted;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use std::collections::BTreeMap;
use tidings_access::{TokenError, UserId};
use tidings_transport::{Problem, ProblemCode, bearer_token};
use utoipa::ToSchema;

/// How many connections there are, and whose.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TaskStats)]
pub(crate) struct Stats {
    /// Users with a connection.
    total_users: usize,
    /// Connections of all of them.
    total_connections: usize,
    /// Connections by user.
    #[schema(value_type = BTreeMap<String, usize>)]
    users: BTreeMap<UserId, usize>,
}

/// Counts the connections of each user
///
/// In production an operator's or a service's token is needed, because the answer names users.
#[utoipa::path(
    get, path = "/stats", operation_id = "readTaskStats", tag = "task updates",
    security((), ("bearerToken" = [])), responses(Counted)
)]
pub(crate) async fn stats(State(tasks): State<Tasks>, headers: HeaderMap) -> Result<Json<Stats>, Problem> {
    let gateway = &tasks.0;
    if gateway.settings.stats_token_required {
        let token = bearer_token(&headers)
            .filter(|token| !token.is_empty())
            .ok_or(ProblemCode::MissingToken)?;
        // Operators' and services' tokens alike.
        gateway
            .authenticator
            .verify_service_at(token, gateway.now_s())
            .map_err(|error| match error {
                TokenError::Revoked => ProblemCode::Forbidden,
                _ => ProblemCode::InvalidToken,
            })?;
    }
    let users: BTreeMap<_, _> = gateway.users.snapshot().into_iter().collect();
    Ok(Json(Stats {
        total_users: users.len(),
        total_connections: users.values().sum(),
        users,
    }))
}
