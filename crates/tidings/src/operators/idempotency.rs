//! Remembers publishes by their idempotency key, so that a repeated request publishes nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tidings_hub::EventId;
use tokio::time::Instant;

/// A window of keys, bounded in number and age; beyond it the oldest are forgotten.
#[derive(Debug, Clone)]
pub(super) struct IdempotencyKeys {
    keys_max: usize,
    age_max: Duration,
    window: Arc<Mutex<Window>>,
}

/// What is known of a key.
#[derive(Debug)]
pub(super) enum Claim {
    /// Nothing: publish, then keep the claim.
    New(Reservation),
    /// It was published under this id.
    Published(EventId),
    /// Another request with this key is being served right now.
    InFlight,
}

/// A key whose event is being published. Dropped without [`Reservation::keep`], the key is free again.
#[derive(Debug)]
pub(super) struct Reservation {
    key: Arc<str>,
    number: u64,
    window: Arc<Mutex<Window>>,
    is_kept: bool,
}

#[derive(Debug, Default)]
struct Window {
    entries: HashMap<Arc<str>, Entry>,
    /// Keys by age. An entry that was released early leaves its key here until its turn; the number tells.
    order: VecDeque<(Instant, Arc<str>, u64)>,
    next_number: u64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    published: Option<EventId>,
}

impl IdempotencyKeys {
    pub(super) fn new(keys_max: usize, age_max: Duration) -> Self {
        Self {
            keys_max,
            age_max,
            window: Arc::default(),
        }
    }

    /// Looks a key up, and claims it if it is new.
    pub(super) fn claim(&self, key: &str) -> Claim {
        let now = Instant::now();
        let mut window = self.window.lock();
        while window
            .order
            .front()
            .is_some_and(|(time, ..)| now.duration_since(*time) >= self.age_max)
        {
            window.forget_oldest();
        }
        match window.entries.get(key) {
            Some(Entry {
                published: Some(id), ..
            }) => return Claim::Published(*id),
            Some(Entry { published: None, .. }) => return Claim::InFlight,
            None => {}
        }
        while window.order.len() >= self.keys_max {
            window.forget_oldest();
        }
        let key: Arc<str> = key.into();
        let number = window.next_number;
        window.next_number += 1;
        window.entries.insert(
            Arc::clone(&key),
            Entry {
                number,
                published: None,
            },
        );
        window.order.push_back((now, Arc::clone(&key), number));
        Claim::New(Reservation {
            key,
            number,
            window: Arc::clone(&self.window),
            is_kept: false,
        })
    }
}

impl Window {
    fn forget_oldest(&mut self) {
        if let Some((_, key, number)) = self.order.pop_front() {
            self.forget(&key, number);
        }
    }

    /// Forgets a key unless it was claimed anew since.
    fn forget(&mut self, key: &str, number: u64) {
        if self.entries.get(key).is_some_and(|entry| entry.number == number) {
            self.entries.remove(key);
        }
    }
}

impl Reservation {
    /// The event was published: from now on the key stands for it.
    pub(super) fn keep(mut self, id: EventId) {
        self.is_kept = true;
        let mut window = self.window.lock();
        if let Some(entry) = window
            .entries
            .get_mut(&self.key)
            .filter(|entry| entry.number == self.number)
        {
            entry.published = Some(id);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.is_kept {
            self.window.lock().forget(&self.key, self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(keys: &IdempotencyKeys, key: &str) -> Option<EventId> {
        let Claim::New(reservation) = keys.claim(key) else {
            return None;
        };
        let id = EventId::generate();
        reservation.keep(id);
        Some(id)
    }

    fn published(keys: &IdempotencyKeys, key: &str) -> Option<EventId> {
        match keys.claim(key) {
            Claim::Published(id) => Some(id),
            _ => None,
        }
    }

    #[test]
    fn a_repeated_key_gives_the_same_id() {
        let keys = IdempotencyKeys::new(10, Duration::from_mins(1));
        let id = publish(&keys, "a");
        assert!(id.is_some());
        assert_eq!(published(&keys, "a"), id);
        assert_ne!(publish(&keys, "b"), id);
    }

    #[test]
    fn a_key_in_flight_is_not_published_twice_and_free_after_a_failure() {
        let keys = IdempotencyKeys::new(10, Duration::from_mins(1));
        let first = keys.claim("a");
        assert!(matches!(first, Claim::New(_)));
        assert!(matches!(keys.claim("a"), Claim::InFlight));
        drop(first);
        assert!(publish(&keys, "a").is_some());
    }

    #[test]
    fn the_oldest_keys_are_forgotten_first() {
        let keys = IdempotencyKeys::new(2, Duration::from_mins(1));
        for key in ["a", "b", "c"] {
            publish(&keys, key);
        }
        assert!(published(&keys, "b").is_some() && published(&keys, "c").is_some());
        assert!(matches!(keys.claim("a"), Claim::New(_)));
        // That claim was dropped at once. Its place in the order must not cost the next claim of the key.
        let id = publish(&keys, "a");
        publish(&keys, "d");
        assert_eq!(published(&keys, "a"), id);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_age() {
        let keys = IdempotencyKeys::new(10, Duration::from_mins(1));
        let id = publish(&keys, "a");
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(published(&keys, "a"), id);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(matches!(keys.claim("a"), Claim::New(_)));
    }
}
