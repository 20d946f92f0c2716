//! How many of something each key may hold at once: connections of an address, of a user.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

const STRIPES: usize = 16;

/// Counts what each key holds, up to a maximum. A clone is another handle on the same counts.
pub struct Quota<K>(Arc<Inner<K>>);

struct Inner<K> {
    max: usize,
    hasher: RandomState,
    stripes: [Mutex<HashMap<K, usize>>; STRIPES],
}

/// One place in a [`Quota`], given back on drop.
pub struct QuotaGuard<K: Hash + Eq> {
    quota: Arc<Inner<K>>,
    key: K,
}

impl<K> Clone for Quota<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Hash + Eq + Clone> Quota<K> {
    /// A quota of `max` places for each key.
    pub fn new(max: usize) -> Self {
        Self(Arc::new(Inner {
            max,
            hasher: RandomState::new(),
            stripes: Default::default(),
        }))
    }

    /// Takes one of the key's places, if one is free.
    pub fn enter(&self, key: K) -> Option<QuotaGuard<K>> {
        if self.0.max == 0 {
            return None;
        }
        match self.0.stripe(&key).lock().entry(key.clone()) {
            Entry::Occupied(entry) if *entry.get() >= self.0.max => return None,
            Entry::Occupied(mut entry) => *entry.get_mut() += 1,
            Entry::Vacant(entry) => {
                entry.insert(1);
            }
        }
        Some(QuotaGuard {
            quota: self.0.clone(),
            key,
        })
    }

    /// The places that `key` holds.
    pub fn of(&self, key: &K) -> usize {
        self.0.stripe(key).lock().get(key).copied().unwrap_or(0)
    }

    /// Every key that holds something, and how much; in no order, each stripe at its own moment.
    pub fn snapshot(&self) -> Vec<(K, usize)> {
        let mut all = Vec::new();
        for stripe in &self.0.stripes {
            all.extend(stripe.lock().iter().map(|(key, held)| (key.clone(), *held)));
        }
        all
    }

    /// The places held by all keys together.
    pub fn count(&self) -> usize {
        self.0
            .stripes
            .iter()
            .map(|stripe| stripe.lock().values().sum::<usize>())
            .sum()
    }
}

impl<K: Hash + Eq> Inner<K> {
    fn stripe(&self, key: &K) -> &Mutex<HashMap<K, usize>> {
        &self.stripes[self.hasher.hash_one(key) as usize % STRIPES]
    }
}

impl<K: Hash + Eq> QuotaGuard<K> {
    /// Whose place it is.
    pub fn key(&self) -> &K {
        &self.key
    }
}

impl<K: Hash + Eq> Drop for QuotaGuard<K> {
    fn drop(&mut self) {
        let mut held = self.quota.stripe(&self.key).lock();
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
                // A wave of keys that came and went must not keep its memory.
                if held.capacity() > 64 && held.len() < held.capacity() / 8 {
                    held.shrink_to_fit();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Quota;

    #[test]
    fn places_are_given_back() {
        let quota = Quota::new(2);
        let first = quota.enter("ada").unwrap();
        let second = quota.enter("ada").unwrap();
        assert!(quota.enter("ada").is_none());
        let other = quota.enter("bob").unwrap();
        assert_eq!((quota.count(), quota.of(&"ada")), (3, 2));
        drop(first);
        assert!(quota.enter("ada").is_some());
        drop((second, other));
        assert_eq!(quota.snapshot(), []);
    }

    #[test]
    fn a_quota_of_nothing_admits_nobody() {
        assert!(Quota::new(0).enter(1).is_none());
    }

    #[test]
    fn the_snapshot_names_every_key() {
        let quota = Quota::new(9);
        let guards: Vec<_> = (0..100).map(|key| quota.enter(key % 50).unwrap()).collect();
        let mut all = quota.snapshot();
        all.sort_unstable();
        assert_eq!(all, (0..50).map(|key| (key, 2)).collect::<Vec<_>>());
        assert_eq!(*guards[3].key(), 3);
    }
}
