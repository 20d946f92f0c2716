//! What was published and who has received it.

use std::time::Instant;

use tidings_bench::histogram::Histogram;

use crate::options::InFlightBy;

pub(crate) struct Tally {
    start: Instant,
    members: u32,
    messages: Vec<Message>,
    /// Messages before this one have reached every member.
    complete: usize,
    deliveries: u64,
    latencies: Histogram,
    recording: bool,
}

struct Message {
    sent_ns: u64,
    received: u32,
}

impl Tally {
    pub(crate) fn new(members: u32) -> Self {
        Self {
            start: Instant::now(),
            members,
            messages: Vec::new(),
            complete: 0,
            deliveries: 0,
            latencies: Histogram::default(),
            recording: false,
        }
    }

    pub(crate) fn nanoseconds(&self, moment: Instant) -> u64 {
        moment.saturating_duration_since(self.start).as_nanos() as u64
    }

    /// Notes a message sent, or due, at `moment`; returns its sequence number.
    pub(crate) fn publish(&mut self, moment: Instant) -> u32 {
        let sent_ns = self.nanoseconds(moment);
        self.messages.push(Message { sent_ns, received: 0 });
        (self.messages.len() - 1) as u32
    }

    /// Notes that one more member has a message. False if that message was never sent.
    pub(crate) fn receive(&mut self, sequence: u32, now_ns: u64) -> bool {
        let Some(message) = self.messages.get_mut(sequence as usize) else {
            return false;
        };
        message.received += 1;
        self.deliveries += 1;
        if self.recording {
            self.latencies.record_ns(now_ns.saturating_sub(message.sent_ns));
        }
        while self
            .messages
            .get(self.complete)
            .is_some_and(|message| message.received == self.members)
        {
            self.complete += 1;
        }
        true
    }

    /// From now on latencies are recorded, or no longer.
    pub(crate) fn record(&mut self, recording: bool) {
        self.recording = recording;
    }

    pub(crate) fn published(&self) -> u64 {
        self.messages.len() as u64
    }

    pub(crate) fn deliveries(&self) -> u64 {
        self.deliveries
    }

    pub(crate) fn latencies(&self) -> &Histogram {
        &self.latencies
    }

    pub(crate) fn all_received(&self) -> bool {
        self.complete == self.messages.len()
    }

    /// Deliveries that have not come.
    pub(crate) fn missing(&self) -> u64 {
        self.published() * u64::from(self.members) - self.deliveries
    }

    pub(crate) fn under_way(&self, by: InFlightBy) -> u64 {
        let received = match by {
            InFlightBy::Slowest => self.complete as u64,
            InFlightBy::Mean => self.deliveries / u64::from(self.members),
        };
        self.published() - received
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_complete_when_every_member_has_it() {
        let mut tally = Tally::new(2);
        let now = Instant::now();
        assert_eq!((tally.publish(now), tally.publish(now)), (0, 1));
        for sequence in [0, 1] {
            assert!(tally.receive(sequence, 1));
        }
        assert_eq!(tally.under_way(InFlightBy::Slowest), 2);
        assert_eq!(tally.under_way(InFlightBy::Mean), 1);
        assert_eq!(tally.missing(), 2);
        assert!(tally.receive(0, 1) && !tally.all_received());
        assert!(tally.receive(1, 1) && tally.all_received());
        assert!(!tally.receive(2, 1));
    }
}
