//! What the shard does by the clock: heartbeats, ages, resets, drains.

use super::Shard;
use super::slot::Link;
use crate::clock::ticks;
use crate::wheel::{Deadline, Purpose};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Frame;

impl Shard {
    /// The first ping comes after half to one whole interval, so that connections that came together do not beat
    /// together.
    pub(super) fn start_heartbeat(&mut self, number: u32) {
        let Some(connection) = &self.slots[number as usize].connection else {
            return;
        };
        let interval = ticks(connection.heartbeat.interval);
        let random = (connection.id().random_bits() % u64::from(interval / 2 + 1)) as u32;
        let delay = interval - random;
        self.ledgers[number as usize].ping_due = self.now.after(delay);
        self.set_deadline(number, Purpose::Beat, delay);
    }

    pub(super) fn deadline(&mut self, deadline: Deadline) {
        let number = deadline.slot;
        let slot = &self.slots[number as usize];
        if slot.epoch != deadline.epoch || slot.link == Link::Free {
            return;
        }
        match deadline.purpose {
            Purpose::Beat => self.beat(number),
            Purpose::Age => self.judge_age(number),
            Purpose::Reset => self.reset(number),
            Purpose::Drain => self.judge_drain(number),
        }
    }

    /// Sends the ping that is due, or closes a peer that was silent for interval and timeout together.
    fn beat(&mut self, number: u32) {
        let Some(connection) = self.slots[number as usize].connection.clone() else {
            return;
        };
        if self.slots[number as usize].closing {
            return;
        }
        let silent = self.now.since(connection.seen());
        let silent_max = connection.silence_ticks_max();
        if silent >= silent_max {
            let code = CloseCode::PingTimeout;
            return self.close(number, code, Frame::close(code));
        }
        let interval = ticks(connection.heartbeat.interval);
        // A ping that was due within the wheel's resolution counts as due.
        if self.now.since(self.ledgers[number as usize].ping_due) > 0
            || self.now == self.ledgers[number as usize].ping_due
        {
            self.ledgers[number as usize].ping_due = self.now.after(interval);
            self.answer(number, connection.heartbeat.frame.clone());
        }
        let until_ping = self.ledgers[number as usize].ping_due.since(self.now);
        let until_silent = silent_max - silent;
        self.set_deadline(number, Purpose::Beat, until_ping.min(until_silent));
    }

    /// Closes a connection whose turn in the drain has come, or looks again when it has.
    fn judge_drain(&mut self, number: u32) {
        let Some((code, due)) = self.ledgers[number as usize].drain else {
            return;
        };
        match due.since(self.now) {
            0 => self.close(number, code, Frame::close(code)),
            left => self.set_deadline(number, Purpose::Drain, left),
        }
    }

    /// Cuts a connection whose oldest frame has waited too long, or looks again when it would have.
    fn judge_age(&mut self, number: u32) {
        let slot = &mut self.slots[number as usize];
        slot.age_watched = false;
        if slot.closing {
            return;
        }
        let oldest = match slot.link {
            Link::Relayed => slot
                .connection
                .as_ref()
                .and_then(|connection| connection.relay()?.oldest()),
            _ => slot.outbox.oldest(),
        };
        let Some(oldest) = oldest else {
            return;
        };
        let age = self.now.since(oldest);
        let Some(left) = self
            .limits
            .outbox_age_ticks_max
            .checked_sub(age)
            .filter(|left| *left > 0)
        else {
            return self.cut_slow_consumer(number);
        };
        if matches!(slot.link, Link::Blocked | Link::Relayed) {
            slot.age_watched = true;
            self.set_deadline(number, Purpose::Age, left);
        }
    }
}
