//! One connection's principal and rooms.

use std::sync::Arc;

use parking_lot::Mutex;
use tidings_access::Claims;
use tidings_hub::{Connection, RoomName};
use tokio::sync::MutexGuard;

/// A connection of this gateway: who it is and which rooms it is in.
pub(crate) struct Member {
    pub(crate) claims: Claims,
    pub(crate) connection: Arc<Connection>,
    /// Held from a decision about a room until the hub has been told of it, so that a change of owner cannot slip
    /// in between.
    turn: tokio::sync::Mutex<()>,
    /// Written by [`crate::directory::Directory`] alone, which counts over all members.
    pub(crate) rooms: Mutex<Vec<RoomName>>,
}

impl Member {
    pub(crate) fn new(mut claims: Claims, connection: Arc<Connection>) -> Member {
        // No rule reads the application's own claims, and they would stay as long as the connection.
        claims.other = serde_json::Map::new();
        claims.jti = None;
        Member {
            claims,
            connection,
            turn: tokio::sync::Mutex::default(),
            rooms: Mutex::new(Vec::with_capacity(1)),
        }
    }

    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    pub(crate) fn rooms(&self) -> Vec<RoomName> {
        self.rooms.lock().clone()
    }

    /// Whether it is in the room, and in how many.
    pub(crate) fn standing(&self, room: &RoomName) -> (bool, usize) {
        let rooms = self.rooms.lock();
        (rooms.contains(room), rooms.len())
    }

    /// The room that a user's connections are in from the start.
    pub(crate) fn own_room(&self) -> RoomName {
        RoomName::new(&format!("user:{}", self.claims.sub))
            .expect("a user id has at most 200 bytes and no control characters")
    }
}
