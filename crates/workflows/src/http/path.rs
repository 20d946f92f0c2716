//! Ids in paths.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use tidings_transport::{Problem, ProblemCode};

use crate::Workflows;

/// The one id of a path.
pub(super) struct Id<T>(pub(super) T);

/// The two ids of a path.
pub(super) struct Ids<T, U>(pub(super) T, pub(super) U);

impl<T: FromStr<Err: Display>> FromRequestParts<Workflows> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, workflows: &Workflows) -> Result<Id<T>, Problem> {
        let path = Path::<String>::from_request_parts(parts, workflows).await;
        let Path(text) = path.map_err(malformed)?;
        text.parse().map(Id).map_err(malformed)
    }
}

impl<T, U> FromRequestParts<Workflows> for Ids<T, U>
where
    T: FromStr<Err: Display>,
    U: FromStr<Err: Display>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, workflows: &Workflows) -> Result<Ids<T, U>, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, workflows).await;
        let Path((first, second)) = path.map_err(malformed)?;
        Ok(Ids(
            first.parse().map_err(malformed)?,
            second.parse().map_err(malformed)?,
        ))
    }
}

fn malformed(error: impl Display) -> Problem {
    Problem::new(ProblemCode::InvalidParameter).detail(error.to_string())
}
