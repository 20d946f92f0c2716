//! Which records of a partition are done. They may end in another order than they began in.

use std::collections::VecDeque;

/// The records of a partition that have begun.
///
/// Invariant: `open` is in the order of the offsets, and its first record is not done.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    open: VecDeque<(i64, bool)>,
    /// The offset behind the last record before which all is done; not yet told.
    next: Option<i64>,
}

impl Offsets {
    /// A record begins.
    pub(super) fn begin(&mut self, offset: i64) {
        self.start_over_before(offset);
        self.open.push_back((offset, false));
    }

    /// A record that has begun is done.
    pub(super) fn end(&mut self, offset: i64) {
        if let Ok(place) = self.open.binary_search_by_key(&offset, |(offset, _)| *offset) {
            self.open[place].1 = true;
        }
        while let Some((offset, true)) = self.open.front() {
            self.next = Some(offset + 1);
            self.open.pop_front();
        }
    }

    /// A record begins and is done.
    pub(super) fn pass(&mut self, offset: i64) {
        self.start_over_before(offset);
        if self.open.is_empty() {
            self.next = Some(offset + 1);
        } else {
            self.open.push_back((offset, true));
        }
    }

    /// Offsets only grow, unless the topic was made anew or cut off: then what was open is of no account.
    fn start_over_before(&mut self, offset: i64) {
        if self.open.back().is_some_and(|(last, _)| offset <= *last) {
            self.open.clear();
        }
    }

    /// From where on is to be read after a restart, if that is not told yet.
    pub(super) fn take_next(&mut self) -> Option<i64> {
        self.next.take()
    }

    /// Records that have begun and do not count as done.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_counts_when_all_before_it_is() {
        let mut offsets = Offsets::default();
        offsets.pass(7);
        assert_eq!(offsets.take_next(), Some(8));
        assert_eq!(offsets.take_next(), None);
        // Offsets have gaps: compaction and transactions leave them.
        for offset in [10, 11, 15] {
            offsets.begin(offset);
        }
        offsets.pass(16);
        offsets.end(15);
        offsets.end(11);
        assert_eq!((offsets.take_next(), offsets.open()), (None, 4));
        offsets.end(10);
        assert_eq!((offsets.take_next(), offsets.open()), (Some(17), 0));
    }

    #[test]
    fn offsets_that_begin_anew_leave_nothing_open() {
        let mut offsets = Offsets::default();
        offsets.begin(7);
        offsets.pass(8);
        offsets.begin(0);
        offsets.end(7);
        assert_eq!((offsets.take_next(), offsets.open()), (None, 1));
        offsets.end(0);
        assert_eq!((offsets.take_next(), offsets.open()), (Some(1), 0));
    }

    #[test]
    fn a_record_that_is_not_open_changes_nothing() {
        let mut offsets = Offsets::default();
        offsets.begin(1);
        offsets.end(5);
        assert_eq!((offsets.take_next(), offsets.open()), (None, 1));
    }
}
