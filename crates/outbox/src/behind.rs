//! What the bus did not take.

use tidings_store::OutboxNumber;

/// Those who come now wait behind those that the bus did not take, so that events stay in order.
#[derive(Default)]
pub(crate) struct Behind {
    is_behind: bool,
    /// To be let go in the next round.
    unpublished: Vec<OutboxNumber>,
}

impl Behind {
    /// Whether an event has to wait with the others.
    pub(crate) fn joined_by(&mut self, number: OutboxNumber) -> bool {
        if self.is_behind {
            self.unpublished.push(number);
        }
        self.is_behind
    }

    pub(crate) fn begin_with(&mut self, number: OutboxNumber) {
        self.is_behind = true;
        self.unpublished.push(number);
    }

    pub(crate) fn end_if_empty(&mut self) {
        self.is_behind &= !self.unpublished.is_empty();
    }

    pub(crate) fn take(&mut self) -> Vec<OutboxNumber> {
        std::mem::take(&mut self.unpublished)
    }
}
