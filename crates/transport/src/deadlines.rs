//! Things in the order of their time: one book that a task looks through, instead of a timer for each.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

/// When an entry's time comes, in milliseconds. Its number tells it from others of the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    at_ms: i64,
    number: u64,
}

/// Entries by their deadline. What milliseconds count from is the owner's business.
#[derive(Debug)]
pub struct Deadlines<E> {
    entries: BTreeMap<Deadline, E>,
    next_number: u64,
}

impl<E> Default for Deadlines<E> {
    fn default() -> Deadlines<E> {
        Deadlines {
            entries: BTreeMap::new(),
            next_number: 0,
        }
    }
}

impl<E> Deadlines<E> {
    /// Takes an entry in; by its deadline it is found again.
    pub fn enter(&mut self, at_ms: i64, entry: E) -> Deadline {
        let deadline = Deadline {
            at_ms,
            number: self.next_number,
        };
        self.next_number += 1;
        self.entries.insert(deadline, entry);
        deadline
    }

    /// Takes an entry out, unless its time came before.
    pub fn remove(&mut self, deadline: Deadline) -> Option<E> {
        self.entries.remove(&deadline)
    }

    /// Takes out at most `limit` of those whose time has come, oldest first.
    pub fn take_due(&mut self, now_ms: i64, limit: usize) -> Vec<E> {
        let mut taken = Vec::new();
        while taken.len() < limit {
            match self.entries.first_entry() {
                Some(entry) if entry.key().at_ms <= now_ms => taken.push(entry.remove()),
                _ => break,
            }
        }
        taken
    }

    /// The next `limit` entries behind this place, and the place of the last one if there may be more.
    pub fn after(
        &self,
        behind: Option<Deadline>,
        limit: usize,
    ) -> (impl Iterator<Item = &E>, Option<Deadline>) {
        let range = (behind.map_or(Unbounded, Excluded), Unbounded);
        let last = self.entries.range(range).nth(limit - 1).map(|(place, _)| *place);
        let entries = self.entries.range(range).take(limit).map(|(_, entry)| entry);
        (entries, last)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Deadline {
    /// When it is.
    pub fn at_ms(self) -> i64 {
        self.at_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_when_the_time_has_come_and_not_before() {
        let mut book = Deadlines::default();
        book.enter(100, "a");
        book.enter(100, "b");
        let ended = book.enter(99, "c");
        book.enter(i64::MAX, "never");
        assert_eq!(book.remove(ended), Some("c"));
        assert_eq!(book.remove(ended), None);
        assert!(book.take_due(99, 10).is_empty());
        assert_eq!(book.take_due(100, 1), ["a"]);
        assert_eq!(book.take_due(100, 10), ["b"]);
        assert!(book.take_due(1_000_000, 10).is_empty());
        assert_eq!(book.len(), 1);
    }

    #[test]
    fn every_entry_is_looked_at_once() {
        for count in [0, 1, 2, 3, 4, 7] {
            let mut book = Deadlines::default();
            let numbers: Vec<_> = (0..count).collect();
            for number in &numbers {
                // Several at one time.
                book.enter(i64::from(number / 3), *number);
            }
            let (mut seen, mut behind) = (Vec::new(), None);
            loop {
                let (entries, last) = book.after(behind, 2);
                seen.extend(entries.copied());
                behind = last;
                if behind.is_none() {
                    break;
                }
            }
            assert_eq!(seen, numbers);
        }
    }
}
