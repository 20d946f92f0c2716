//! From outboxes to sockets.

use super::slot::{Blocked, Link, Slot};
use super::{LONE_SLICE_MAX, SLICE_MAX, SLICE_MIN, Shard};
use crate::clock::Ticks;
use crate::counters::Tally;
use crate::mailbox::Mailbox;
use crate::outbox::{Outbox, SLICES_MAX, Spares};
use crate::wheel::Purpose;
use parking_lot::Mutex;
use socket2::SockRef;
use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Slots whose sockets became writable, as (number, epoch), put there by their wakers.
#[derive(Default)]
pub(crate) struct Unblocked {
    any: AtomicBool,
    slots: Mutex<Vec<(u32, u16)>>,
}

impl Unblocked {
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    fn put(&self, slot: u32, epoch: u16, mailbox: &Mailbox) {
        self.slots.lock().push((slot, epoch));
        self.any.store(true, Ordering::Release);
        mailbox.bell.notify_one();
    }

    fn take(&self) -> Vec<(u32, u16)> {
        if !self.any.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        std::mem::take(&mut *self.slots.lock())
    }
}

/// Exists only while a socket is full.
struct Unblock {
    shard: Arc<super::ShardHandle>,
    slot: u32,
    epoch: u16,
}

impl Wake for Unblock {
    fn wake(self: Arc<Self>) {
        self.shard
            .unblocked
            .put(self.slot, self.epoch, &self.shard.mailbox);
    }
}

impl Shard {
    /// Flushes the sockets whose turn it is: few while events come, so that these coalesce; twice as many each lap
    /// while none follows.
    pub(super) fn flush_slice(&mut self) {
        let least = (self.dirty.len() / 16).clamp(SLICE_MIN, SLICE_MAX);
        let doublings = self.lone_laps.map_or(0, |laps| laps.min(LONE_SLICE_MAX.ilog2()));
        let count = (least << doublings).min(LONE_SLICE_MAX);
        self.warm(count);
        for _ in 0..count {
            let Some(number) = self.dirty.pop_front() else {
                break;
            };
            self.behind = self.behind.saturating_sub(1);
            self.flush(number);
        }
    }

    /// Touches what the next `count` flushes need. The kernel's side of a write leaves little of it in the cache; here
    /// the misses overlap instead of following one another.
    fn warm(&self, count: usize) {
        let mut connected = 0;
        for number in self.dirty.iter().take(count) {
            let slot = &self.slots[*number as usize];
            connected += usize::from(slot.stream().is_some());
        }
        std::hint::black_box(connected);
    }

    /// A slot's turn in the dirty queue.
    pub(super) fn flush(&mut self, number: u32) {
        let slot = &mut self.slots[number as usize];
        slot.dirty = false;
        match slot.link {
            Link::Free => self.free.push(number),
            Link::Open => self.write(number),
            Link::Blocked | Link::Relayed | Link::Dead => {}
        }
    }

    /// Writes until the outbox is empty or the socket is full.
    pub(super) fn write(&mut self, number: u32) {
        let slot = &mut self.slots[number as usize];
        match slot.write(self.now, &mut self.spares, &mut self.tally) {
            Written::All => {
                if let (true, Some(stream)) = (slot.closing, slot.stream()) {
                    // The close frame is out: say so to the peer's kernel as well. Its answer, or the reset, ends it.
                    drop(SockRef::from(stream).shutdown(Shutdown::Write));
                }
            }
            Written::Full => self.wait_until_writable(number),
            Written::Failed => self.cut(number),
        }
    }

    /// Leaves the socket alone until the runtime finds it writable.
    fn wait_until_writable(&mut self, number: u32) {
        self.tally.writes_blocked += 1;
        let slot = &mut self.slots[number as usize];
        let Some(connection) = slot.connection.clone() else {
            return;
        };
        let Some(stream) = connection.socket() else { return };
        // The write went past the runtime, which still believes the socket writable: only a refusal under `try_io`
        // clears that belief, so that the waker below waits for the next edge.
        let probe = stream.try_io(Interest::WRITABLE, || send(stream, &slot.outbox));
        match probe {
            Ok(written) => {
                slot.advance(written, self.now, &mut self.spares, &mut self.tally);
                return self.mark_dirty(number);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return self.cut(number),
        }
        slot.link = Link::Blocked;
        let head = slot.outbox.first().map_or(0, |first| first.as_ptr() as usize);
        let blocked = &mut self.ledgers[number as usize].blocked;
        let oldest = slot.outbox.oldest();
        if blocked.head != head || oldest.is_some_and(|oldest| oldest.since(blocked.since) > 0) {
            *blocked = Blocked {
                head,
                since: self.now,
                is_lagging: false,
            };
        }
        let epoch = slot.epoch;
        let watch_age = !slot.age_watched && !slot.closing;
        slot.age_watched |= watch_age;
        let age = slot.outbox.oldest().map_or(0, |oldest| self.now.since(oldest));
        if watch_age {
            let delay = self.limits.outbox_age_ticks_max.saturating_sub(age);
            self.set_deadline(number, Purpose::Age, delay);
        }
        let waker: Waker = Arc::new(Unblock {
            shard: self.handle.clone(),
            slot: number,
            epoch,
        })
        .into();
        if stream
            .poll_write_ready(&mut Context::from_waker(&waker))
            .is_ready()
        {
            waker.wake();
        }
    }

    /// Puts the slots whose sockets became writable back into the dirty queue.
    pub(super) fn take_unblocked(&mut self) {
        for (number, epoch) in self.handle.unblocked.take() {
            let slot = &mut self.slots[number as usize];
            if slot.link == Link::Blocked && slot.epoch == epoch {
                slot.link = Link::Open;
                self.mark_dirty(number);
            }
        }
    }
}

enum Written {
    All,
    Full,
    Failed,
}

impl Slot {
    fn stream(&self) -> Option<&TcpStream> {
        self.connection.as_ref()?.socket()
    }

    #[inline]
    fn write(&mut self, now: Ticks, spares: &mut Spares, tally: &mut Tally) -> Written {
        while !self.outbox.is_empty() {
            let Some(stream) = self.stream() else {
                return Written::Failed;
            };
            match send(stream, &self.outbox) {
                Ok(written) => self.advance(written, now, spares, tally),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Written::Full,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Written::Failed,
            }
        }
        Written::All
    }

    #[inline]
    fn advance(&mut self, written: usize, now: Ticks, spares: &mut Spares, tally: &mut Tally) {
        if let Some(oldest) = self.outbox.oldest() {
            tally.observe_latency(now.since(oldest));
        }
        tally.writes += 1;
        tally.bytes_written += written as u64;
        tally.frames_written += u64::from(self.outbox.advance(written, spares));
    }
}

/// One write call with as many parcels as it takes.
#[inline]
fn send(stream: &TcpStream, outbox: &Outbox) -> io::Result<usize> {
    let socket = SockRef::from(stream);
    if let (true, Some(bytes)) = (outbox.has_one(), outbox.first()) {
        return socket.send(bytes);
    }
    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
    let count = outbox.slices(&mut slices);
    socket.send_vectored(&slices[..count])
}
