//! Which sessions there are.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::session::Session;
use super::sid::Sid;

const STRIPES: usize = 64;

/// How long a session that its client closed is remembered: the client's pending GET and the POST that closes travel
/// on two connections, and the GET may come last.
const TOMBSTONE_TIME: Duration = Duration::from_millis(100);

/// Tombstones at one time. Beyond them a late GET is told that the session is unknown, which clients survive.
const TOMBSTONES_MAX: usize = 1_024;

/// All sessions of one server by their id. Bounded by the hub's connections.
pub(super) struct Table<P> {
    stripes: [Mutex<HashMap<Sid, Entry<P>>>; STRIPES],
    tombstones: Mutex<VecDeque<(Sid, Instant)>>,
}

/// Where a session is.
enum Entry<P> {
    Polling(Arc<Session<P>>),
    /// On a WebSocket, whose task owns all of it.
    WebSocket,
}

/// What an id names.
pub(super) enum Found<P> {
    Polling(Arc<Session<P>>),
    WebSocket,
    Nothing,
}

impl<P> Table<P> {
    pub(super) fn new() -> Self {
        Self {
            stripes: std::array::from_fn(|_| Mutex::default()),
            tombstones: Mutex::default(),
        }
    }

    pub(super) fn find(&self, sid: Sid) -> Found<P> {
        match self.stripe(sid).lock().get(&sid) {
            Some(Entry::Polling(session)) => Found::Polling(session.clone()),
            Some(Entry::WebSocket) => Found::WebSocket,
            None => Found::Nothing,
        }
    }

    pub(super) fn insert(&self, session: &Arc<Session<P>>) {
        self.stripe(session.sid)
            .lock()
            .insert(session.sid, Entry::Polling(session.clone()));
    }

    /// Notes that a session is on a WebSocket, from its start or by an upgrade.
    pub(super) fn insert_websocket(&self, sid: Sid) {
        // The session that stood there ends outside of the lock.
        let replaced = self.stripe(sid).lock().insert(sid, Entry::WebSocket);
        drop(replaced);
    }

    pub(super) fn remove(&self, sid: Sid) {
        let mut stripe = self.stripe(sid).lock();
        let removed = stripe.remove(&sid);
        // A wave of sessions that came and went must not keep its memory.
        if stripe.capacity() > 64 && stripe.len() < stripe.capacity() / 8 {
            stripe.shrink_to_fit();
        }
        drop(stripe);
        drop(removed);
    }

    /// The polling sessions that `matching` picks, stripe after stripe.
    pub(super) fn polling_sessions(&self, matching: impl Fn(&Session<P>) -> bool) -> Vec<Arc<Session<P>>> {
        let mut picked = Vec::new();
        for stripe in &self.stripes {
            for entry in stripe.lock().values() {
                if let Entry::Polling(session) = entry
                    && matching(session)
                {
                    picked.push(session.clone());
                }
            }
        }
        picked
    }

    /// Remembers that the client closed this session, for one late GET.
    pub(super) fn bury(&self, sid: Sid) {
        let mut tombstones = self.tombstones.lock();
        forget_old(&mut tombstones);
        if tombstones.len() == TOMBSTONES_MAX {
            tombstones.pop_front();
        }
        tombstones.push_back((sid, Instant::now()));
    }

    /// Whether the client closed this session a moment ago; true once.
    pub(super) fn exhume(&self, sid: Sid) -> bool {
        let mut tombstones = self.tombstones.lock();
        forget_old(&mut tombstones);
        let place = tombstones.iter().position(|(buried, _)| *buried == sid);
        place.is_some_and(|place| tombstones.remove(place).is_some())
    }

    fn stripe(&self, sid: Sid) -> &Mutex<HashMap<Sid, Entry<P>>> {
        &self.stripes[sid.stripe() % STRIPES]
    }
}

fn forget_old(tombstones: &mut VecDeque<(Sid, Instant)>) {
    while tombstones
        .front()
        .is_some_and(|(_, since)| since.elapsed() > TOMBSTONE_TIME)
    {
        tombstones.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::{TOMBSTONES_MAX, Table};
    use crate::engineio::sid::Sid;

    #[test]
    fn a_tombstone_is_seen_once_and_their_number_is_bounded() {
        let table = Table::<()>::new();
        let first = Sid::generate().unwrap();
        table.bury(first);
        assert!(table.exhume(first));
        assert!(!table.exhume(first));
        for _ in 0..2 * TOMBSTONES_MAX {
            table.bury(Sid::generate().unwrap());
        }
        assert!(table.tombstones.lock().len() <= TOMBSTONES_MAX);
    }
}
