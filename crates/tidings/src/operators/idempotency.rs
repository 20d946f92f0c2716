//! Remembers publishes by their idempotency key, so that a repeated request publishes nothing and a key that is used
//! for something else is noticed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tidings_hub::EventId;
use tokio::time::Instant;

/// A window of keys, bounded in number and age; beyond it the oldest are forgotten.
#[derive(Debug, Clone)]
pub(super) struct IdempotencyKeys {
    keys_max: usize,
    age_max: Duration,
    window: Arc<Mutex<Window>>,
}

/// What a request asked for, to tell its repetition from another request. A cryptographic hash, because publishers
/// choose what they send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a request as it came.
    pub(super) fn of(body: &[u8]) -> Self {
        Self(Sha256::digest(body).into())
    }
}

/// What is known of a key.
#[derive(Debug)]
pub(super) enum Claim {
    /// Nothing: publish, then keep the claim.
    New(Reservation),
    /// It was published under this id.
    Published(EventId),
    /// The same request is being served right now.
    InFlight,
    /// It stands for another request.
    Taken,
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
    fingerprint: Fingerprint,
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

    /// Looks a key up, and claims it for this request if it is new.
    pub(super) fn claim(&self, key: &str, fingerprint: Fingerprint) -> Claim {
        let now = Instant::now();
        let mut window = self.window.lock();
        while window
            .order
            .front()
            .is_some_and(|(time, ..)| now.duration_since(*time) >= self.age_max)
        {
            window.forget_oldest();
        }
        if let Some(entry) = window.entries.get(key) {
            if entry.fingerprint != fingerprint {
                return Claim::Taken;
            }
            return entry.published.map_or(Claim::InFlight, Claim::Published);
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
                fingerprint,
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

    fn claim(keys: &IdempotencyKeys, key: &str) -> Claim {
        keys.claim(key, Fingerprint::of(b"body"))
    }

    fn publish(keys: &IdempotencyKeys, key: &str) -> Option<EventId> {
        let Claim::New(reservation) = claim(keys, key) else {
            return None;
        };
        let id = EventId::generate();
        reservation.keep(id);
        Some(id)
    }

    fn published(keys: &IdempotencyKeys, key: &str) -> Option<EventId> {
        match claim(keys, key) {
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
        let first = claim(&keys, "a");
        assert!(matches!(first, Claim::New(_)));
        assert!(matches!(claim(&keys, "a"), Claim::InFlight));
        drop(first);
        assert!(publish(&keys, "a").is_some());
    }

    #[test]
    fn a_key_stands_for_one_request() {
        let keys = IdempotencyKeys::new(10, Duration::from_mins(1));
        let other = Fingerprint::of(b"other");
        let first = claim(&keys, "a");
        assert!(matches!(keys.claim("a", other), Claim::Taken), "in flight");
        drop(first);
        assert!(matches!(keys.claim("a", other), Claim::New(_)), "free again");
        publish(&keys, "a");
        assert!(matches!(keys.claim("a", other), Claim::Taken), "published");
    }

    #[test]
    fn the_oldest_keys_are_forgotten_first() {
        let keys = IdempotencyKeys::new(2, Duration::from_mins(1));
        for key in ["a", "b", "c"] {
            publish(&keys, key);
        }
        assert!(published(&keys, "b").is_some() && published(&keys, "c").is_some());
        assert!(matches!(claim(&keys, "a"), Claim::New(_)));
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
        assert!(matches!(claim(&keys, "a"), Claim::New(_)));
    }
}
