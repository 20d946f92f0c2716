//! The store's and the bus's refusals as problems.

use tidings_bus::BusError;
use tidings_store::StoreError;
use tidings_transport::{Problem, ProblemCode};

pub(super) fn of_store(error: StoreError) -> Problem {
    let detail = error.to_string();
    let code = match error {
        StoreError::NotFound { .. } => ProblemCode::NotFound,
        StoreError::Conflict { .. } => ProblemCode::Conflict,
        StoreError::IllegalTransition { .. } => ProblemCode::IllegalTransition,
        StoreError::Invalid { .. } => ProblemCode::InvalidBody,
        StoreError::Unavailable(cause) => {
            tracing::warn!(%cause, "the store is unavailable");
            return Problem::new(ProblemCode::StoreUnavailable);
        }
        error => {
            tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
            return Problem::new(ProblemCode::InternalError);
        }
    };
    Problem::new(code).detail(detail)
}

/// The change is in the store by then, and the report of it is not published by repeating it.
pub(super) fn of_bus(error: BusError) -> Problem {
    tracing::error!(%error, "a change is stored and was not published");
    Problem::new(ProblemCode::BusUnavailable).detail("the change is stored and was not published")
}

/// An unknown id in the path.
pub(super) fn not_found(what: &'static str) -> Problem {
    of_store(StoreError::NotFound { what })
}
