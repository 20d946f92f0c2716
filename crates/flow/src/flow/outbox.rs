//! Publishing what is stored in the outbox.
//!
//! A change and the event that tells of it are committed together; whoever made the change publishes the event at once
//! ([`Flow::publish_stored`]), in its order among what the room hears of a command. A task removes what was published, and
//! publishes what was left behind: by a server that died in between, by a bus that did not take it, by a command beside
//! the server.
//!
//! Invariant: at most [`OUTBOX_BATCH_MAX`] events are published and not yet removed. So many are published again, under
//! the same ids, if the server dies.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tidings_store::{OUTBOX_BATCH_MAX, OUTBOX_LENGTH_MAX, OutboxEvent, OutboxNumber};
use tokio::sync::{Notify, Semaphore};

use super::Flow;
use crate::envelope;

/// How often somebody looks for what was left behind.
const ROUND: Duration = Duration::from_millis(500);

/// Places for events that were published and are not removed yet. They are removed in rounds, or when half of the places
/// are taken, and not at once: what is on its way to clients when the server dies is published again.
const PLACES: usize = OUTBOX_BATCH_MAX as usize;

pub(super) struct Outbox {
    places: Semaphore,
    published: Mutex<Vec<OutboxNumber>>,
    /// Events that this process is publishing, or has published and not removed: to be left alone, should somebody think
    /// that they were left behind.
    in_hand: Mutex<HashSet<OutboxNumber>>,
    behind: Mutex<Behind>,
    /// Half of the places are taken.
    wake: Notify,
    published_at_once: AtomicU64,
    published_later: AtomicU64,
    refused: AtomicU64,
    length: AtomicU64,
}

/// What the bus did not take.
#[derive(Default)]
struct Behind {
    /// Those who come now wait behind those that the bus did not take, so that events stay in order.
    is_behind: bool,
    /// To be let go in the next round.
    unpublished: Vec<OutboxNumber>,
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
    fn let_go_of(&self, numbers: &[OutboxNumber]) {
        let mut in_hand = self.in_hand.lock();
        for number in numbers {
            in_hand.remove(number);
        }
    }
}

impl Behind {
    /// Whether an event has to wait with the others.
    fn joined_by(&mut self, number: OutboxNumber) -> bool {
        if self.is_behind {
            self.unpublished.push(number);
        }
        self.is_behind
    }

    fn begin_with(&mut self, number: OutboxNumber) {
        self.is_behind = true;
        self.unpublished.push(number);
    }

    fn end_if_empty(&mut self) {
        self.is_behind &= !self.unpublished.is_empty();
    }
}

impl Default for Outbox {
    fn default() -> Outbox {
        Outbox {
            places: Semaphore::new(PLACES),
            published: Mutex::default(),
            in_hand: Mutex::default(),
            behind: Mutex::default(),
            wake: Notify::new(),
            published_at_once: AtomicU64::new(0),
            published_later: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            // Until the first round has looked.
            length: AtomicU64::new(OUTBOX_LENGTH_MAX),
        }
    }
}

impl Flow {
    /// What became of the events that are stored with what they tell of.
    pub fn outbox_figures(&self) -> OutboxFigures {
        let outbox = &self.0.outbox;
        OutboxFigures {
            published_at_once: outbox.published_at_once.load(Ordering::Relaxed),
            published_later: outbox.published_later.load(Ordering::Relaxed),
            refused: outbox.refused.load(Ordering::Relaxed),
            length: outbox.length.load(Ordering::Relaxed),
            unremoved: (PLACES - outbox.places.available_permits()) as u64,
        }
    }

    /// Publishes an event that was just stored. If that fails it is published later.
    pub(crate) async fn publish_stored(&self, event: Option<OutboxEvent>) {
        let Some(event) = event else { return };
        let outbox = &self.0.outbox;
        let number = event.number;
        outbox.in_hand.lock().insert(number);
        let place = outbox.places.acquire().await;
        if outbox.behind.lock().joined_by(number) {
            return;
        }
        if self.publish_one(event).await {
            outbox.published_at_once.fetch_add(1, Ordering::Relaxed);
            if let Ok(place) = place {
                place.forget();
            }
        }
    }

    /// Publishes an event; it holds a place from then on. Whether the bus took it.
    async fn publish_one(&self, stored: OutboxEvent) -> bool {
        let outbox = &self.0.outbox;
        let (number, tenant) = (stored.number, stored.tenant.clone());
        let is_taken = match envelope::stored(stored) {
            Ok(event) => self.hand_to_bus(&tenant, event).await.is_ok(),
            Err(error) => {
                // Nobody but a hand in the database can have written it; it would be tried for ever.
                tracing::error!(%error, %tenant, "a stored event has no good id and is dropped");
                self.usage().count(&tenant, "lost_events");
                true
            }
        };
        if is_taken {
            let mut published = outbox.published.lock();
            published.push(number);
            if published.len() >= PLACES / 2 {
                outbox.wake.notify_one();
            }
        } else {
            outbox.behind.lock().begin_with(number);
            outbox.refused.fetch_add(1, Ordering::Relaxed);
        }
        is_taken
    }

    /// Removes what was published and publishes what was left behind, as long as the server runs.
    pub(super) async fn drain_outbox(self) {
        let shutdown = self.transport().shutdown().clone();
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let is_round = tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.0.outbox.wake.notified() => false,
                _ = rounds.tick() => true,
            };
            self.remove_published().await;
            if is_round {
                let length = self.store().outbox_length().await.unwrap_or(OUTBOX_LENGTH_MAX);
                self.0.outbox.length.store(length, Ordering::Relaxed);
                if length > 0 {
                    self.publish_left_behind().await;
                }
            }
        }
    }

    /// Whether the store did it.
    pub(super) async fn remove_published(&self) -> bool {
        let outbox = &self.0.outbox;
        let numbers = std::mem::take(&mut *outbox.published.lock());
        if numbers.is_empty() {
            return true;
        }
        match self.store().remove_from_outbox(&numbers).await {
            Ok(()) => {
                outbox.let_go_of(&numbers);
                outbox.places.add_permits(numbers.len());
                true
            }
            Err(error) => {
                tracing::warn!(%error, "published events were not removed from the outbox, trying again");
                outbox.published.lock().extend(numbers);
                false
            }
        }
    }

    async fn publish_left_behind(&self) {
        let outbox = &self.0.outbox;
        let unpublished = std::mem::take(&mut outbox.behind.lock().unpublished);
        // Should the store not do it, they fall from the hand by themselves.
        if let Err(error) = self.store().let_go_of_outbox(&unpublished).await {
            tracing::warn!(%error, "events that the bus did not take come later");
        }
        outbox.let_go_of(&unpublished);
        loop {
            // As many as there are places for, without waiting: this task alone makes room.
            let mut places = 0;
            while places < PLACES
                && let Ok(place) = outbox.places.try_acquire()
            {
                place.forget();
                places += 1;
            }
            let claimed = self.store().claim_outbox(places).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "the outbox was not read, trying again");
                Vec::new()
            });
            let count = claimed.len();
            let (mut published, mut is_refused) = (0, false);
            for event in claimed {
                let number = event.number;
                if !outbox.in_hand.lock().insert(number) {
                    continue;
                }
                if is_refused {
                    outbox.behind.lock().begin_with(number);
                } else if self.publish_one(event).await {
                    published += 1;
                    outbox.published_later.fetch_add(1, Ordering::Relaxed);
                } else {
                    is_refused = true;
                }
            }
            outbox.places.add_permits(places - published);
            if is_refused {
                return;
            }
            outbox.behind.lock().end_if_empty();
            if count == 0 || count < places {
                return;
            }
            self.remove_published().await;
        }
    }
}
