//! Until when members may be in rooms: one book over all connections, instead of a timer for each room.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tidings_hub::RoomName;
use tidings_transport::{Deadline, Deadlines};
use tokio::time::Instant;

use crate::member::Member;

/// The answers of rules that hold for a time. Written by [`crate::directory::Directory`] alone.
///
/// Invariant: an entry's deadline stands in the membership that it is about, unless it was taken out as due.
pub(crate) struct Answers {
    start: Instant,
    book: Mutex<Deadlines<Answer>>,
}

struct Answer {
    member: Arc<Member>,
    room: RoomName,
    /// When the last good answer ended, if nobody could be asked since.
    ended_at: Option<Instant>,
    asked_again_at: Instant,
}

/// A membership whose time has come.
pub(crate) struct DueAnswer {
    pub(crate) member: Arc<Member>,
    pub(crate) room: RoomName,
    /// When the last good answer ended.
    pub(crate) ended_at: Instant,
    /// When it was to be asked about.
    pub(crate) due_at: Instant,
}

impl Answers {
    pub(crate) fn new() -> Answers {
        Answers {
            start: Instant::now(),
            book: Mutex::default(),
        }
    }

    pub(crate) fn enter(
        &self,
        holds: Duration,
        ended_at: Option<Instant>,
        member: &Arc<Member>,
        room: &RoomName,
    ) -> Deadline {
        // Longer than any process runs; an answer for longer than that is one for good.
        let asked_again_at = Instant::now() + holds.min(Duration::from_hours(24 * 365));
        let answer = Answer {
            member: member.clone(),
            room: room.clone(),
            ended_at,
            asked_again_at,
        };
        self.book.lock().enter(self.millis(asked_again_at), answer)
    }

    pub(crate) fn forget(&self, deadline: Option<Deadline>) {
        if let Some(deadline) = deadline {
            // The member is dropped behind the lock.
            let answer = self.book.lock().remove(deadline);
            drop(answer);
        }
    }

    pub(crate) fn take_due(&self, now: Instant) -> Option<DueAnswer> {
        let answer = self.book.lock().take_due(self.millis(now), 1).pop()?;
        Some(DueAnswer {
            member: answer.member,
            room: answer.room,
            ended_at: answer.ended_at.unwrap_or(answer.asked_again_at),
            due_at: answer.asked_again_at,
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.book.lock().len()
    }

    fn millis(&self, time: Instant) -> i64 {
        let elapsed = time.saturating_duration_since(self.start).as_millis();
        i64::try_from(elapsed).unwrap_or(i64::MAX)
    }
}
