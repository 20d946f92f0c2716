//! An issuer's keys at an address: fetched in the background, and kept while the issuer is away.
//!
//! One task fetches ([`RemoteKeys::run`]); so there is one request at a time, and a least time between two. Whoever
//! has a token whose key is there takes it from memory, without waiting. Whoever has one whose key is not asks the task
//! to fetch, and waits for that, but not for long and not in any number.

mod progress;
mod unknown_keys;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

use self::progress::Progress;
use self::unknown_keys::UnknownKeys;
use super::KeySet;
use crate::BoxFuture;

/// Tokens that may wait for a fetch at one time. Beyond it they are not verified.
const WAITING_MAX: usize = 1_024;
/// The longest time between two tries while the issuer is away.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Gets a key set from where it is published. It bounds what it reads by [`super::KEY_SET_BYTES_MAX`].
pub trait FetchKeys: Send + Sync + 'static {
    /// Gets the document.
    fn fetch(&self) -> BoxFuture<'_, Result<Vec<u8>, FetchError>>;
}

/// Why there is no document. Logged, so it holds no secret.
pub type FetchError = Box<dyn Error + Send + Sync>;

/// How often, and how long.
#[derive(Clone, Copy, Debug)]
pub struct RemoteKeysSettings {
    /// Time between two fetches.
    pub refresh_interval: Duration,
    /// The least time between two fetches, whoever asks for one.
    pub refresh_interval_min: Duration,
    /// How long keys are used without a successful fetch.
    pub age_max: Duration,
    /// How long one fetch may take, and how long a token may wait for one.
    pub timeout: Duration,
}

/// The keys at one address. A clone is another handle.
#[derive(Clone)]
pub struct RemoteKeys(Arc<Inner>);

struct Inner {
    address: String,
    source: Box<dyn FetchKeys>,
    settings: RemoteKeysSettings,
    current: RwLock<Current>,
    unknown: Mutex<UnknownKeys>,
    /// Somebody waits for a fetch.
    wanted: Notify,
    waiting: Semaphore,
    progress: tokio::sync::watch::Sender<Progress>,
    loaded: AtomicU64,
    failed: AtomicU64,
}

struct Current {
    keys: Arc<KeySet>,
    loaded_at: Option<Instant>,
}

/// The issuer did not answer, or too many wait for it already: nobody can tell whether the key is one of its.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoAnswer;

impl RemoteKeys {
    /// Keys that `source` gets from `address`, which is only for the log. There are none before the first fetch.
    pub fn new(
        address: impl Into<String>,
        source: impl FetchKeys,
        settings: RemoteKeysSettings,
    ) -> RemoteKeys {
        RemoteKeys(Arc::new(Inner {
            address: address.into(),
            source: Box::new(source),
            settings,
            current: RwLock::new(Current {
                keys: Arc::default(),
                loaded_at: None,
            }),
            unknown: Mutex::default(),
            wanted: Notify::new(),
            waiting: Semaphore::new(WAITING_MAX),
            progress: tokio::sync::watch::Sender::new(Progress::default()),
            loaded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }))
    }

    /// Fetches now and again, forever. To be run once, on a task that is ended from outside.
    pub async fn run(self) {
        let inner = &*self.0;
        let settings = &inner.settings;
        let mut failures: u32 = 0;
        loop {
            let began = Instant::now();
            inner.progress.send_modify(Progress::begin);
            let is_loaded = inner.load(failures == 0).await;
            failures = if is_loaded { 0 } else { failures.saturating_add(1) };
            // Counted from the beginning of a success, so that the interval holds, and from the end of a failure.
            let (earliest, due) = if is_loaded {
                (
                    began + settings.refresh_interval_min,
                    began + settings.refresh_interval,
                )
            } else {
                let next = Instant::now() + settings.backoff(failures);
                (next, next)
            };
            inner
                .progress
                .send_modify(|progress| progress.finish(is_loaded, earliest));
            let wanted = async {
                inner.wanted.notified().await;
                sleep_until(earliest).await;
            };
            tokio::select! {
                () = sleep_until(due) => {}
                () = wanted => {}
            }
        }
    }

    /// How many fetches brought a key set, and how many did not.
    pub fn refreshes(&self) -> (u64, u64) {
        (self.0.loaded.load(Relaxed), self.0.failed.load(Relaxed))
    }

    /// The keys as they are now; none if they are too old to be believed.
    pub(super) fn current(&self) -> Arc<KeySet> {
        let current = self.0.current.read();
        match current.loaded_at {
            Some(loaded_at) if loaded_at.elapsed() < self.0.settings.age_max => current.keys.clone(),
            _ => Arc::default(),
        }
    }

    /// Waits until the keys were fetched anew, because no known one has verified a token of this key id. Does not wait for
    /// an id that a fetch did not bring a short time ago.
    pub(super) async fn wait_for(&self, id: Option<&str>) -> Result<(), NoAnswer> {
        let inner = &*self.0;
        if inner.unknown.lock().has(id, Instant::now()) {
            return Ok(());
        }
        let _place = inner.waiting.try_acquire().map_err(|_| NoAnswer)?;
        let deadline = Instant::now() + inner.settings.timeout;
        let mut progress = inner.progress.subscribe();
        let begun = progress.borrow_and_update().begun();
        inner.wanted.notify_one();
        loop {
            let now = *progress.borrow_and_update();
            let is_there = || id.is_some_and(|id| self.current().has(id));
            if is_there() {
                return Ok(());
            }
            // Not one that was under way before: it may have asked the issuer before this had the key.
            if now.finished() > begun {
                if !now.is_loaded() {
                    return Err(NoAnswer);
                }
                inner.unknown.lock().insert(id, Instant::now());
                return Ok(());
            }
            if now.next_after(deadline) {
                return Err(NoAnswer);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match timeout(left, progress.changed()).await {
                Ok(Ok(())) => {}
                _ => return Err(NoAnswer),
            }
        }
    }
}

impl Inner {
    /// Fetches once. What cannot be read leaves the old keys in force.
    async fn load(&self, was_well: bool) -> bool {
        let fetched = match timeout(self.settings.timeout, self.source.fetch()).await {
            Ok(Ok(document)) => KeySet::parse(&document).map_err(FetchError::from),
            Ok(Err(error)) => Err(error),
            Err(_) => Err("no answer in time".into()),
        };
        let keys = match fetched {
            Ok(keys) => keys,
            Err(error) => {
                self.failed.fetch_add(1, Relaxed);
                if was_well {
                    tracing::warn!(address = self.address, %error, "JWKS: the keys could not be fetched; the old ones stay");
                } else {
                    tracing::debug!(address = self.address, %error, "JWKS: the keys could still not be fetched");
                }
                return false;
            }
        };
        self.loaded.fetch_add(1, Relaxed);
        if keys.is_empty() {
            tracing::warn!(
                address = self.address,
                "JWKS: the set has no key that can be used"
            );
        } else if !was_well {
            tracing::info!(
                address = self.address,
                keys = keys.len(),
                "JWKS: the keys are fetched again"
            );
        }
        *self.current.write() = Current {
            keys: Arc::new(keys),
            loaded_at: Some(Instant::now()),
        };
        true
    }
}

impl RemoteKeysSettings {
    /// How long to leave an issuer alone that has failed so many times in a row.
    fn backoff(&self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.refresh_interval_min
            .saturating_mul(doubled)
            .min(BACKOFF_MAX.max(self.refresh_interval_min))
            .min(self.refresh_interval)
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RemoteKeys({})", self.0.address)
    }
}

#[cfg(test)]
mod tests;
