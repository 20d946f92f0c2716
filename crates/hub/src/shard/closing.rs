//! How connections end from the server's side.

use super::Shard;
use super::slot::Link;
use crate::clock::ticks;
use crate::parcel::Parcel;
use crate::wheel::Purpose;
use socket2::SockRef;
use std::net::Shutdown;
use std::time::Duration;
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Frame;

impl Shard {
    /// Writes what waits, then the close frame; the connection is reset if it does not end in time.
    pub(super) fn close(&mut self, number: u32, code: CloseCode, frame: Frame) {
        if !self.begin_closing(number, code) {
            return;
        }
        let slot = &mut self.slots[number as usize];
        match slot.link {
            Link::Relayed => self.close_relay(number, code, frame, false),
            Link::Open | Link::Blocked => {
                slot.outbox
                    .push(Parcel::answer(frame, self.now), &mut self.spares);
                if slot.link == Link::Open {
                    self.write(number);
                }
            }
            Link::Free | Link::Dead => {}
        }
    }

    /// The outbox is over its bound: what waits is dropped, the frame in flight is finished, 4508 follows.
    pub(super) fn cut_slow_consumer(&mut self, number: u32) {
        let code = CloseCode::SlowConsumer;
        if !self.begin_closing(number, code) {
            return;
        }
        let slot = &mut self.slots[number as usize];
        if slot.link == Link::Relayed {
            return self.close_relay(number, code, Frame::close(code), true);
        }
        let dropped = slot.outbox.drop_waiting(&mut self.spares);
        self.tally.frames_dropped += dropped as u64;
        slot.outbox
            .push(Parcel::answer(Frame::close(code), self.now), &mut self.spares);
        if slot.link == Link::Open {
            self.write(number);
        }
    }

    /// Cuts a connection whose socket failed: its task reads the end of the stream and leaves.
    pub(super) fn cut(&mut self, number: u32) {
        let slot = &mut self.slots[number as usize];
        let dropped = slot.outbox.clear(&mut self.spares);
        self.tally.frames_dropped += dropped as u64;
        slot.link = Link::Dead;
        slot.closing = true;
        let Some(connection) = &slot.connection else {
            return;
        };
        connection.begin_closing();
        match connection.socket() {
            Some(stream) => {
                let socket = SockRef::from(stream);
                // Without lingering, closing the descriptor resets the connection and frees the kernel's buffer.
                drop(socket.set_linger(Some(Duration::ZERO)));
                drop(socket.shutdown(Shutdown::Read));
            }
            None => {
                if let Some(relay) = connection.relay() {
                    self.tally.frames_dropped += relay.cut() as u64;
                }
            }
        }
    }

    /// A closing connection had its time.
    pub(super) fn reset(&mut self, number: u32) {
        if self.slots[number as usize].closing {
            self.tally.resets += 1;
            self.cut(number);
        }
    }

    /// Gives every connection its turn within `spread`; one that opens from now on is closed at once.
    pub(super) fn drain(&mut self, code: CloseCode, spread: Duration) {
        self.draining = Some(code);
        let spread = u64::from(ticks(spread));
        let count = self.slots.len().max(1) as u64;
        for number in 0..self.slots.len() as u32 {
            if self.slots[number as usize].link == Link::Free {
                continue;
            }
            let delay = (spread * u64::from(number) / count) as u32;
            self.ledgers[number as usize].drain = Some((code, self.now.after(delay)));
            self.set_deadline(number, Purpose::Drain, delay);
        }
    }

    /// False when it was closing before.
    fn begin_closing(&mut self, number: u32, code: CloseCode) -> bool {
        let slot = &mut self.slots[number as usize];
        if slot.closing || slot.link == Link::Free {
            return false;
        }
        slot.closing = true;
        if let Some(connection) = &slot.connection {
            connection.begin_closing();
        }
        self.tally.closed.count(code);
        self.set_deadline(number, Purpose::Reset, self.limits.close_timeout_ticks);
        true
    }

    fn close_relay(&mut self, number: u32, code: CloseCode, frame: Frame, dropping: bool) {
        let connection = self.slots[number as usize].connection.as_ref();
        if let Some(relay) = connection.and_then(|connection| connection.relay()) {
            self.tally.frames_dropped += relay.close(code, frame, dropping) as u64;
        }
    }
}
