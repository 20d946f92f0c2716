//! Publishing what is stored in the outbox.
//!
//! A change and the event that tells of it are committed together; whoever made the change publishes the event at once
//! ([`Outbox::publish`]), in its order among what its room hears. A task ([`Outbox::run`]) removes what was published, and
//! publishes what was left behind: by a server that died in between, by a bus that did not take it, by a command beside
//! the server. See decision 0015.
//!
//! Invariant: at most [`OUTBOX_BATCH_MAX`] events of an outbox are published and not yet removed. So many are published again
//! if the server dies.
//! Invariant: removing goes on while publishing waits, and who publishes late leaves half of the places to the others. So
//! whoever waits for a place gets one, also if he holds what the late publisher waits for.

mod behind;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tidings_store::{OUTBOX_BATCH_MAX, OUTBOX_LENGTH_MAX, OutboxNumber, Store, StoreError};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use behind::Behind;
pub use waiting::Waiting;

/// How often somebody looks for what was left behind.
const ROUND: Duration = Duration::from_millis(500);

/// Places for events that were published and are not removed yet. They are removed in rounds, or when half of the places
/// are taken, and not at once: what is on its way to clients when the server dies is published again.
const PLACES: usize = OUTBOX_BATCH_MAX as usize;

/// What a gateway has in the outbox.
pub struct Outbox {
    store: Store,
    places: Semaphore,
    published: Mutex<Vec<OutboxNumber>>,
    /// Events that this process is publishing, or has published and not removed: to be left alone, should somebody think
    /// that they were left behind.
    in_hand: Mutex<HashSet<OutboxNumber>>,
    behind: Mutex<Behind>,
    /// Held while events are taken out of the store and into the hand, and while they are removed from both: one that is just
    /// being removed must not come into the hand again.
    exchange: tokio::sync::Mutex<()>,
    /// Half of the places are taken.
    wake: Notify,
    published_at_once: AtomicU64,
    published_later: AtomicU64,
    refused: AtomicU64,
    length: AtomicU64,
}

/// What became of stored events, since the start.
#[derive(Clone, Copy, Debug)]
pub struct OutboxFigures {
    /// Published right behind the change they tell of.
    pub published_at_once: u64,
    /// Published by the round that looks for what was left behind.
    pub published_later: u64,
    /// Attempts that the bus refused; the events stay.
    pub refused: u64,
    /// Published and not yet removed.
    pub unremoved: u64,
    /// In the outbox when the last round began, up to [`tidings_store::OUTBOX_LENGTH_MAX`]; the most if the store did not
    /// tell.
    pub length: u64,
}

impl Outbox {
    /// An outbox in this store. Nothing is removed until it runs.
    pub fn new(store: Store) -> Outbox {
        Outbox {
            store,
            places: Semaphore::new(PLACES),
            published: Mutex::default(),
            in_hand: Mutex::default(),
            behind: Mutex::default(),
            exchange: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            published_at_once: AtomicU64::new(0),
            published_later: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            // Until the first round has looked.
            length: AtomicU64::new(OUTBOX_LENGTH_MAX),
        }
    }

    /// What became of the events that are stored with what they tell of.
    pub fn figures(&self) -> OutboxFigures {
        OutboxFigures {
            published_at_once: self.published_at_once.load(Ordering::Relaxed),
            published_later: self.published_later.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            length: self.length.load(Ordering::Relaxed),
            unremoved: (PLACES - self.places.available_permits()) as u64,
        }
    }

    /// Publishes an event that was just stored; `publish` says whether the bus took it. If it did not, or if others wait
    /// since it did not take them, the event is published later.
    pub async fn publish(&self, number: OutboxNumber, publish: impl Future<Output = bool>) {
        self.in_hand.lock().insert(number);
        let place = self.places.acquire().await;
        if self.behind.lock().joined_by(number) {
            return;
        }
        if self.publish_one(number, publish).await {
            self.published_at_once.fetch_add(1, Ordering::Relaxed);
            if let Ok(place) = place {
                place.forget();
            }
        }
    }

    /// Publishes an event; it holds a place from then on. Whether the bus took it.
    async fn publish_one(&self, number: OutboxNumber, publish: impl Future<Output = bool>) -> bool {
        let is_taken = publish.await;
        if is_taken {
            let mut published = self.published.lock();
            published.push(number);
            if published.len() >= PLACES / 2 {
                self.wake.notify_one();
            }
        } else {
            self.behind.lock().begin_with(number);
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        is_taken
    }

    /// Removes what was published and publishes what was left behind, until the shutdown. `publish_late` is given the latter,
    /// and says whether the bus took it.
    pub async fn run<Event, Publishing>(
        &self,
        shutdown: &CancellationToken,
        publish_late: impl Fn(Event) -> Publishing + Send + Sync,
    ) where
        Event: Waiting,
        Publishing: Future<Output = bool> + Send,
    {
        let removing = async {
            let mut rounds = rounds();
            loop {
                tokio::select! {
                    () = shutdown.cancelled() => break,
                    () = self.wake.notified() => {}
                    _ = rounds.tick() => {}
                }
                self.remove_published().await;
            }
        };
        let publishing = async {
            let mut rounds = rounds();
            while shutdown.run_until_cancelled(rounds.tick()).await.is_some() {
                let length = self.store.outbox_length().await.unwrap_or(OUTBOX_LENGTH_MAX);
                self.length.store(length, Ordering::Relaxed);
                if length > 0 {
                    self.publish_left_behind(shutdown, &publish_late).await;
                }
            }
        };
        tokio::join!(removing, publishing);
    }

    /// Removes what was published. Whether the store did it.
    pub async fn remove_published(&self) -> bool {
        let _exchange = self.exchange.lock().await;
        let numbers = std::mem::take(&mut *self.published.lock());
        if numbers.is_empty() {
            return true;
        }
        match self.store.remove_from_outbox(&numbers).await {
            Ok(()) => {
                self.let_fall(&numbers);
                self.places.add_permits(numbers.len());
                true
            }
            Err(error) => {
                tracing::warn!(%error, "published events were not removed from the outbox, trying again");
                self.published.lock().extend(numbers);
                false
            }
        }
    }

    fn let_fall(&self, numbers: &[OutboxNumber]) {
        let mut in_hand = self.in_hand.lock();
        for number in numbers {
            in_hand.remove(number);
        }
    }

    async fn publish_left_behind<Event, Publishing>(
        &self,
        shutdown: &CancellationToken,
        publish_late: &(impl Fn(Event) -> Publishing + Send + Sync),
    ) where
        Event: Waiting,
        Publishing: Future<Output = bool> + Send,
    {
        let unpublished = self.behind.lock().take();
        // Should the store not do it, they fall from the hand by themselves.
        if let Err(error) = self.store.let_go_of_outbox(&unpublished).await {
            tracing::warn!(%error, "events that the bus did not take come later");
        }
        self.let_fall(&unpublished);
        while !shutdown.is_cancelled() {
            let places = self.take_free_places();
            let claimed = match self.claim::<Event>(places).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    tracing::warn!(%error, "the outbox was not read, trying again");
                    self.places.add_permits(places);
                    return;
                }
            };
            let (count, is_all) = (claimed.len(), claimed.len() < places);
            // Those that somebody has in hand are published by him.
            let claimed: Vec<Event> = claimed.into_iter().flatten().collect();
            self.places.add_permits(places - claimed.len());
            let taken = claimed.len();
            let last = waiting::last_of_each(&claimed);
            let (mut published, mut is_refused) = (0, false);
            for event in claimed {
                let number = event.number();
                if is_refused {
                    self.behind.lock().begin_with(number);
                    continue;
                }
                // A later one tells the same.
                let is_told = event.subject().is_some_and(|subject| last[&subject] != number);
                let publishing = async { is_told || publish_late(event).await };
                if self.publish_one(number, publishing).await {
                    published += 1;
                    self.published_later.fetch_add(1, Ordering::Relaxed);
                } else {
                    is_refused = true;
                }
            }
            self.places.add_permits(taken - published);
            if is_refused {
                return;
            }
            if is_all {
                self.behind.lock().end_if_empty();
            }
            if is_all || count == 0 {
                return;
            }
            self.remove_published().await;
        }
    }

    /// Takes the oldest that nobody holds into the hand; none in the place of one that is in it.
    async fn claim<Event: Waiting>(&self, limit: usize) -> Result<Vec<Option<Event>>, StoreError> {
        let _exchange = self.exchange.lock().await;
        let claimed = Event::claim(&self.store, limit).await?;
        let mut in_hand = self.in_hand.lock();
        let taken = claimed
            .into_iter()
            .map(|event| in_hand.insert(event.number()).then_some(event));
        Ok(taken.collect())
    }

    /// As many as are free, without waiting, and at most half of all.
    fn take_free_places(&self) -> usize {
        let mut places = 0;
        while places < PLACES / 2
            && let Ok(place) = self.places.try_acquire()
        {
            place.forget();
            places += 1;
        }
        places
    }
}

fn rounds() -> Interval {
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    rounds
}
