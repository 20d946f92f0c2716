//! How far the task that fetches is.

use tokio::time::Instant;

/// Fetches begun and finished, and what became of the last one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    begun: u64,
    finished: u64,
    is_loaded: bool,
    /// When the next one may begin; `None` while one is under way.
    next: Option<Instant>,
}

impl Progress {
    pub(super) fn begin(&mut self) {
        self.begun += 1;
        self.next = None;
    }

    pub(super) fn finish(&mut self, is_loaded: bool, next: Instant) {
        self.finished = self.begun;
        self.is_loaded = is_loaded;
        self.next = Some(next);
    }

    /// The number of the last one that has begun.
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    /// The number of the last one that has finished.
    pub(super) fn finished(&self) -> u64 {
        self.finished
    }

    /// Whether the last one brought keys.
    pub(super) fn is_loaded(&self) -> bool {
        self.is_loaded
    }

    /// Whether it is sure that none begins before this time.
    pub(super) fn next_after(&self, time: Instant) -> bool {
        self.next.is_some_and(|next| next > time)
    }
}
