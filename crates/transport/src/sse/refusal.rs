//! Why a request gets no stream.

use crate::{FieldError, Problem, ProblemCode};
use tidings_wire::close_code::CloseCode;

/// A refusal that a WebSocket would get as a close code: here it is a problem with the same name, counted as the
/// close code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseRefusal {
    code: CloseCode,
    detail: Option<&'static str>,
    error: Option<FieldError>,
}

impl SseRefusal {
    /// Says what is wrong this time.
    #[must_use]
    pub fn detail(mut self, detail: &'static str) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Names a parameter and what is wrong with it.
    #[must_use]
    pub fn error(mut self, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        self.error = Some(FieldError {
            pointer: pointer.into(),
            message: message.into(),
        });
        self
    }

    pub(super) fn code(&self) -> CloseCode {
        self.code
    }

    pub(super) fn into_problem(self) -> Problem {
        let mut problem = Problem::new(ProblemCode::from(self.code));
        if let Some(detail) = self.detail {
            problem = problem.detail(detail);
        }
        if let Some(FieldError { pointer, message }) = self.error {
            problem = problem.error(pointer, message);
        }
        problem
    }
}

impl From<CloseCode> for SseRefusal {
    fn from(code: CloseCode) -> Self {
        Self {
            code,
            detail: None,
            error: None,
        }
    }
}
