//! `POST /api/v1/access/invalidate`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Serialize;
use tidings_access::{BoxFuture, RoomKind, RoomTarget, UserId};
use tidings_hub::RoomName;
use tidings_workflows::Invalidated;

use super::Operators;
use super::field::{FieldError, Fields};
use super::refusal::Refusal;

const USER: &str = "a user id: 1 to 200 bytes without control characters";
const ROOM: &str = "`execution:ID` or `workflow:ID`, at most 256 bytes without control characters";

/// Forgets what rules have answered about a user, a room, or both, and asks again about those who are in rooms by it.
pub(crate) type Invalidate =
    Box<dyn Fn(Option<UserId>, Option<RoomName>) -> BoxFuture<'static, Invalidated> + Send + Sync>;

/// What became of it.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    /// Answers that were forgotten.
    answers: usize,
    /// Connections' rooms that were asked about again and go on.
    kept: u64,
    /// Those that have ended.
    ended: u64,
}

/// The answer means that nothing published from now on reaches those who may not be in a room any more.
pub(super) async fn invalidate(
    State(operators): State<Arc<Operators>>,
    body: Bytes,
) -> Result<Json<Answer>, Refusal> {
    let fields = Fields::read(&body)?;
    let user: Option<String> = fields.optional("user", USER)?;
    let room: Option<String> = fields.optional("room", ROOM)?;
    let user = user.map(|user| UserId::new(&user).map_err(|_| FieldError::new("user", USER)));
    let room = room.map(|room| named(&room).ok_or_else(|| FieldError::new("room", ROOM)));
    let Invalidated { answers, kept, ended } =
        (operators.invalidate)(user.transpose()?, room.transpose()?).await;
    Ok(Json(Answer { answers, kept, ended }))
}

/// A room that rules are asked about.
fn named(room: &str) -> Option<RoomName> {
    RoomTarget::parse(room).filter(|target| target.kind != RoomKind::User)?;
    RoomName::new(room).ok()
}
