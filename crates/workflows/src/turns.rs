//! One after the other, by key.

use std::hash::{BuildHasher, Hash, RandomState};

use tokio::sync::{Mutex, MutexGuard};

const STRIPES: usize = 256;

/// Turns by key: who holds a key's turn commits and publishes before the next one may. Different keys rarely share
/// a stripe; if they do, one waits for the other without need.
pub(crate) struct Turns {
    hasher: RandomState,
    stripes: Box<[Mutex<()>]>,
}

impl Turns {
    pub(crate) fn new() -> Turns {
        Turns {
            hasher: RandomState::new(),
            stripes: std::iter::repeat_with(Mutex::default).take(STRIPES).collect(),
        }
    }

    /// Waits for the key's turn; first come, first served.
    pub(crate) async fn of(&self, key: &impl Hash) -> MutexGuard<'_, ()> {
        self.stripe(key).lock().await
    }

    /// The key's turn, if nobody has it.
    pub(crate) fn try_of(&self, key: &impl Hash) -> Option<MutexGuard<'_, ()>> {
        self.stripe(key).try_lock().ok()
    }

    fn stripe(&self, key: &impl Hash) -> &Mutex<()> {
        &self.stripes[self.hasher.hash_one(key) as usize % STRIPES]
    }
}
