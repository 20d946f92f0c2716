//! The operators' listener: publishing, taking back what rules about rooms have said, health, metrics.
//!
//! Everything but health asks for an operator's or service's token; so do metrics, unless only this machine can reach
//! the listener.

mod auth;
mod batch;
mod events;
mod field;
mod idempotency;
mod invalidate;
mod publish;
mod refusal;
mod request;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tidings_access::Authenticator;
use tidings_bus::Bus;
use tidings_sources::Ingest;
use tidings_transport::Problem;

use self::idempotency::IdempotencyKeys;
pub(crate) use self::invalidate::Invalidate;
use self::refusal::Refusal;
use crate::config;
use crate::health::{self, Health};
use crate::metrics::{CONTENT_TYPE, Metrics};

/// The largest body: one event of the largest size with its envelope, or a whole batch.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What the operators' routes work with.
pub(crate) struct Operators {
    bus: Arc<dyn Bus>,
    ingest: Arc<Ingest>,
    invalidate: Invalidate,
    authenticator: Authenticator,
    metrics: Metrics,
    is_metrics_open: bool,
    idempotency: IdempotencyKeys,
}

impl Operators {
    pub(crate) fn new(
        config: &config::Operators,
        bus: Arc<dyn Bus>,
        ingest: Arc<Ingest>,
        invalidate: Invalidate,
        authenticator: Authenticator,
        metrics: Metrics,
    ) -> Self {
        let keys_max = usize::try_from(config.idempotency_keys_max).unwrap_or(usize::MAX);
        Self {
            bus,
            ingest,
            invalidate,
            authenticator,
            metrics,
            is_metrics_open: config.listen.is_loopback(),
            idempotency: IdempotencyKeys::new(keys_max, Duration::from_millis(config.idempotency_age_ms_max)),
        }
    }
}

/// The routes, without `/health`, which every listener has in its own form.
pub(crate) fn routes(operators: Arc<Operators>, health: Arc<Health>) -> Router {
    let guarded = Router::new()
        .route("/api/v1/publish", post(publish::publish))
        .route("/api/v1/batch", post(batch::batch))
        .route("/api/v1/events", post(events::post))
        .route("/api/v1/access/invalidate", post(invalidate::invalidate))
        // The body is read only once the caller is known.
        .layer(middleware::from_fn(read_body))
        .layer(middleware::from_fn_with_state(Arc::clone(&operators), guard));
    let open = Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/startupz", get(health::startupz))
        .with_state(health);
    guarded
        .with_state(operators.clone())
        .merge(metrics_route(operators))
        .merge(open)
}

/// The metrics alone, which the flow gateway's listener has too in development.
pub(crate) fn metrics_route(operators: Arc<Operators>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .with_state(operators)
}

async fn guard(
    State(operators): State<Arc<Operators>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    auth::authorize(&operators.authenticator, request.headers())?;
    Ok(next.run(request).await)
}

/// Reads the body within its bounds, so that handlers have it whole.
async fn read_body(request: Request, next: Next) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = tidings_transport::read_body(body, BODY_BYTES_MAX, parts.extensions.get()).await?;
    Ok(next.run(Request::from_parts(parts, Body::from(bytes))).await)
}

async fn metrics(State(operators): State<Arc<Operators>>, headers: HeaderMap) -> Result<Response, Refusal> {
    if !operators.is_metrics_open {
        auth::authorize(&operators.authenticator, &headers)?;
    }
    let text = operators.metrics.render().map_err(|_| Refusal::Internal)?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}
