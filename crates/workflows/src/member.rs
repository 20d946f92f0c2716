//! One connection's principal and rooms.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tidings_access::{Claims, UserId};
use tidings_hub::{Connection, RoomName};
use tidings_transport::Deadline;
use tokio::sync::MutexGuard;

use crate::form::Form;
use crate::frames::Frames;

/// A connection of this gateway: who it is and which rooms it is in.
pub(crate) struct Member {
    pub(crate) user: UserId,
    /// Changed under the turn alone.
    claims: Mutex<Arc<Claims>>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) form: Form,
    /// Held from a decision about a room until the hub has been told of it, so that a change of owner, or of what the
    /// token says, cannot slip in between.
    turn: tokio::sync::Mutex<()>,
    /// How often rules were asked again about its rooms: an answer from before is none any more. Changed under the turn alone.
    rechecks: AtomicU64,
    /// Written by [`crate::directory::Directory`] alone, which counts over all members.
    pub(crate) rooms: Mutex<Vec<Membership>>,
}

/// A room that a connection is in, and why.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    pub(crate) room: RoomName,
    /// The rule that let it in, or [`tidings_access::OWN_ROOM`].
    pub(crate) rule: &'static str,
    /// When that rule is to be asked again, if ever.
    pub(crate) answer: Option<Deadline>,
}

impl Member {
    pub(crate) fn new(claims: Claims, connection: Arc<Connection>, form: Form) -> Member {
        Member {
            user: claims.sub.clone(),
            claims: Mutex::new(Arc::new(kept(claims))),
            connection,
            form,
            turn: tokio::sync::Mutex::default(),
            rechecks: AtomicU64::new(0),
            rooms: Mutex::new(Vec::with_capacity(1)),
        }
    }

    /// What it is told, in its form.
    pub(crate) fn frames(&self) -> Frames {
        Frames::new(self.form)
    }

    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// The turn, if nobody has it.
    pub(crate) fn try_turn(&self) -> Option<MutexGuard<'_, ()>> {
        self.turn.try_lock().ok()
    }

    pub(crate) fn rechecks(&self) -> u64 {
        self.rechecks.load(Ordering::Relaxed)
    }

    pub(crate) fn count_recheck(&self) {
        self.rechecks.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn claims(&self) -> Arc<Claims> {
        self.claims.lock().clone()
    }

    /// Takes the claims of another token of the same user; who calls holds the turn.
    pub(crate) fn renew(&self, claims: Claims) {
        *self.claims.lock() = Arc::new(kept(claims));
    }

    pub(crate) fn memberships(&self) -> Vec<Membership> {
        self.rooms.lock().clone()
    }

    /// Whether it is in the room, and in how many.
    pub(crate) fn standing(&self, room: &RoomName) -> (bool, usize) {
        let rooms = self.rooms.lock();
        let is_in = rooms.iter().any(|membership| membership.room == *room);
        (is_in, rooms.len())
    }

    /// The room that a user's connections are in from the start.
    pub(crate) fn own_room(&self) -> RoomName {
        RoomName::new(&format!("user:{}", self.user))
            .expect("Invariant: a user id has at most 200 bytes and no control characters")
    }
}

/// The claims without what no rule reads: they stay as long as the connection.
fn kept(mut claims: Claims) -> Claims {
    claims.other = serde_json::Map::new();
    claims.jti = None;
    claims
}
