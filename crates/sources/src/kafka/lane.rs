//! One partition: what is in flight of it, and what waits behind.

use super::offsets::Offsets;
use rdkafka::message::BorrowedMessage;
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// Dead letters of one partition that are being written at a time; records behind them wait for a place.
const BURIALS_MAX: usize = 256;
/// Records that may be done behind a dead letter that is being written, and so would come again after a restart.
const OPEN_MAX: usize = 100_000;

/// The records of a partition that this node has begun with or holds back.
///
/// Invariant: records are taken in one after the other. Only dead letters are written beside.
pub(super) struct Lane<'c> {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) offsets: Offsets,
    pub(super) is_paused: bool,
    waiting: VecDeque<BorrowedMessage<'c>>,
    waiting_bytes: usize,
    /// Whether a record is being taken in that has to wait.
    is_busy: bool,
    burials: usize,
    leaving: Arc<Leaving>,
}

impl<'c> Lane<'c> {
    pub(super) fn new(topic: Arc<str>, partition: i32) -> Lane<'c> {
        Lane {
            topic,
            partition,
            offsets: Offsets::default(),
            is_paused: false,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            is_busy: false,
            burials: 0,
            leaving: Arc::default(),
        }
    }

    /// Whether the next record has to wait.
    pub(super) fn is_held(&self) -> bool {
        self.is_full() || !self.waiting.is_empty()
    }

    fn is_full(&self) -> bool {
        self.is_busy || self.burials >= BURIALS_MAX || self.offsets.open() >= OPEN_MAX
    }

    pub(super) fn wait(&mut self, record: BorrowedMessage<'c>) {
        self.waiting_bytes += record.payload_len();
        self.waiting.push_back(record);
    }

    /// The record whose turn it is, if one may begin.
    pub(super) fn next(&mut self) -> Option<BorrowedMessage<'c>> {
        if self.is_full() {
            return None;
        }
        let record = self.waiting.pop_front()?;
        self.waiting_bytes -= record.payload_len();
        Some(record)
    }

    /// Whether at least so much waits.
    pub(super) fn holds(&self, records: usize, bytes: usize) -> bool {
        self.waiting.len() >= records || self.waiting_bytes >= bytes
    }

    pub(super) fn begin(&mut self, offset: i64) {
        self.offsets.begin(offset);
        self.is_busy = true;
    }

    pub(super) fn end_taking(&mut self) {
        self.is_busy = false;
    }

    pub(super) fn begin_burial(&mut self) {
        self.burials += 1;
    }

    pub(super) fn end_burial(&mut self) {
        self.burials -= 1;
    }

    /// Begins nothing more, and lets go of what waits: somebody else will read it.
    pub(super) fn leave(&mut self) {
        self.leaving.begin();
        self.waiting.clear();
        self.waiting_bytes = 0;
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.has_begun()
    }

    /// For what is in flight, so that it does not try for ever.
    pub(super) fn leaving(&self) -> Arc<Leaving> {
        self.leaving.clone()
    }

    /// Whether nothing is in flight.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_busy && self.burials == 0
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        self.leaving.begin();
    }
}

/// That a lane leaves, for what waits for something else.
#[derive(Default)]
pub(super) struct Leaving {
    has_begun: AtomicBool,
    begins: Notify,
}

impl Leaving {
    fn begin(&self) {
        self.has_begun.store(true, Ordering::Release);
        self.begins.notify_waiters();
    }

    pub(super) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Acquire)
    }

    /// Waits so long, or until the lane leaves; `None` in this case.
    pub(super) async fn or_after(&self, time: Duration) -> Option<()> {
        let mut begins = pin!(self.begins.notified());
        // Listen first, then look: what begins in between is not missed.
        begins.as_mut().enable();
        if self.has_begun() {
            return None;
        }
        tokio::select! {
            () = begins => None,
            () = tokio::time::sleep(time) => Some(()),
        }
    }
}
