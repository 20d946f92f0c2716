//! `GET /stats`: how many connections each user has.

use crate::Tasks;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use std::collections::BTreeMap;
use tidings_access::{TokenError, UserId};
use tidings_transport::{Problem, ProblemCode, bearer_token};

#[derive(Debug, Serialize)]
pub(crate) struct Stats {
    total_users: usize,
    total_connections: usize,
    users: BTreeMap<UserId, usize>,
}

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
