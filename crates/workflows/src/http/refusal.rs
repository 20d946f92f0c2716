//! The store's refusals as problems.

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

/// An unknown id in the path.
pub(super) fn not_found(what: &'static str) -> Problem {
    of_store(StoreError::NotFound { what })
}
