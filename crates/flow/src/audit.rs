//! Writing commands down in the audit log.
//!
//! A command that changes something is written down in the transaction of its change. The others (reads, and what was
//! refused) leave nothing behind in the store; they are gathered here and written every [`ROUND`], because a write waits
//! for the disk and a read should not. Their last moments may be lost with the power.
//!
//! Invariant: a command that cannot be written down is not carried out: it has its place before it begins.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tidings_store::{Actor, AuditHead, NewAuditEntry, Store, TenantId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::flow::Flow;

/// Entries that wait to be written; beyond that, commands wait.
const WAITING_MAX: usize = 10_000;
/// How long a command waits for a place.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How often what was gathered is written.
const ROUND: Duration = Duration::from_millis(250);
/// How often the head of a log that grows is written to the process's own log, which nobody changes from the database.
const ANCHOR_INTERVAL: Duration = Duration::from_mins(10);
/// Entries written in one transaction.
const BATCH_MAX: usize = 500;

pub(crate) struct AuditQueue {
    places: Arc<Semaphore>,
    waiting: Mutex<HashMap<TenantId, Vec<Waiting>>>,
    /// The heads that were last written to the process's own log.
    anchored: Mutex<HashMap<TenantId, AuditHead>>,
}

/// A place for an entry.
pub(crate) type Place = OwnedSemaphorePermit;

struct Waiting {
    entry: NewAuditEntry,
    _place: Place,
}

impl Default for AuditQueue {
    fn default() -> AuditQueue {
        AuditQueue {
            places: Arc::new(Semaphore::new(WAITING_MAX)),
            waiting: Mutex::default(),
            anchored: Mutex::default(),
        }
    }
}

impl AuditQueue {
    /// A place for what is about to be done; `None` if there was none for too long.
    pub(crate) async fn reserve(&self) -> Option<Place> {
        let place = tokio::time::timeout(WAIT_MAX, self.places.clone().acquire_owned()).await;
        place.ok()?.ok()
    }

    /// Writes an entry down with the next round.
    pub(crate) fn record(&self, place: Place, tenant: &TenantId, entry: NewAuditEntry) {
        let mut waiting = self.waiting.lock();
        waiting
            .entry(tenant.clone())
            .or_default()
            .push(Waiting { entry, _place: place });
    }

    /// The head of a tenant's log that this process last wrote to its own log: the tenant's log once reached it.
    pub(crate) fn anchored(&self, tenant: &TenantId) -> Option<AuditHead> {
        self.anchored.lock().get(tenant).copied()
    }

    /// Writes what was gathered. What the store does not take waits for the next round, in its order.
    async fn write(&self, store: &Store) -> Vec<TenantId> {
        let gathered = std::mem::take(&mut *self.waiting.lock());
        let mut written = Vec::new();
        for (tenant, mut waiting) in gathered {
            while !waiting.is_empty() {
                let entries: Vec<_> = waiting
                    .iter()
                    .take(BATCH_MAX)
                    .map(|waiting| waiting.entry.clone())
                    .collect();
                if let Err(error) = store.append_audit(&tenant, &entries).await {
                    tracing::warn!(%error, %tenant, "the audit log was not written, trying again");
                    break;
                }
                waiting.drain(..entries.len());
            }
            if waiting.is_empty() {
                written.push(tenant);
            } else {
                let mut all = self.waiting.lock();
                let since = all.insert(tenant.clone(), waiting).unwrap_or_default();
                all.entry(tenant).or_default().extend(since);
            }
        }
        written
    }
}

impl Flow {
    /// Writes the audit log as long as the server runs; the last of it is for [`Flow::write_out`].
    pub(crate) async fn write_audit(self) {
        let shutdown = self.transport().shutdown().clone();
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut anchored: HashMap<TenantId, Instant> = HashMap::new();
        while shutdown.run_until_cancelled(rounds.tick()).await.is_some() {
            let now = Instant::now();
            for tenant in self.audit().write(self.store()).await {
                let last = anchored.get(&tenant);
                if last.is_none_or(|last| now - *last >= ANCHOR_INTERVAL) {
                    self.anchor(&tenant).await;
                    anchored.insert(tenant, now);
                }
            }
        }
        for tenant in anchored.into_keys() {
            self.anchor(&tenant).await;
        }
    }

    /// Writes what is left of the audit log.
    pub(crate) async fn write_last_audit(&self) {
        for tenant in self.audit().write(self.store()).await {
            self.anchor(&tenant).await;
        }
        let lost = WAITING_MAX - self.audit().places.available_permits();
        if lost > 0 {
            tracing::error!(lost, "commands that are not written down in the audit log");
        }
    }

    async fn anchor(&self, tenant: &TenantId) {
        if let Ok(head) = self.store().audit_head(tenant).await {
            tracing::info!(%tenant, %head, "audit log");
            self.audit().anchored.lock().insert(tenant.clone(), head);
        }
    }
}

/// An entry about something that was done.
pub(crate) fn entry(
    actor: Actor,
    action: &'static str,
    outcome: &'static str,
    detail: &impl Serialize,
) -> NewAuditEntry {
    NewAuditEntry {
        actor,
        action,
        outcome,
        detail: serde_json::value::to_raw_value(detail)
            .expect("Invariant: details hold texts, numbers and times only"),
    }
}

/// The outcome of what was done.
pub(crate) const SUCCESS: &str = "success";

/// A text of which one can tell only whether two are alike: the first letter, and of an email address where it is.
pub(crate) fn masked(text: &str) -> String {
    let first: String = text.chars().take(1).collect();
    match text.rsplit_once('@') {
        Some((_, host)) => format!("{first}***@{host}"),
        None => format!("{first}***"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_masked_names_nobody() {
        for (text, expected) in [
            ("John Doe", "J***"),
            ("john@example.com", "j***@example.com"),
            ("\"a@b\"@example.com", "\"***@example.com"),
            ("Ø", "Ø***"),
            ("", "***"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_place_nothing_begins() {
        let queue = AuditQueue::default();
        let mut held = Vec::new();
        for _ in 0..WAITING_MAX {
            held.push(queue.reserve().await);
        }
        let start = Instant::now();
        assert!(queue.reserve().await.is_none());
        assert_eq!(start.elapsed(), WAIT_MAX);
        held.pop();
        assert!(queue.reserve().await.is_some());
    }

    #[tokio::test]
    async fn entries_are_written_in_their_order_and_give_their_places_back() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let tenant = TenantId::new("t1").unwrap();
        let queue = AuditQueue::default();
        for _ in 0..=BATCH_MAX {
            let place = queue.reserve().await.unwrap();
            queue.record(
                place,
                &tenant,
                entry(Actor::system(), "get_leads", SUCCESS, &serde_json::json!({})),
            );
        }
        assert_eq!(queue.places.available_permits(), WAITING_MAX - BATCH_MAX - 1);
        assert_eq!(queue.write(&store).await, std::slice::from_ref(&tenant));
        assert_eq!(queue.places.available_permits(), WAITING_MAX);
        assert_eq!(
            store.verify_audit(&tenant, &[]).await.unwrap().unwrap().sequence,
            501
        );
        store.close().await;
        let place = queue.reserve().await.unwrap();
        queue.record(
            place,
            &tenant,
            entry(Actor::system(), "get_leads", SUCCESS, &serde_json::json!({})),
        );
        assert!(queue.write(&store).await.is_empty());
        assert_eq!(
            queue.places.available_permits(),
            WAITING_MAX - 1,
            "it waits for the next round"
        );
    }
}
