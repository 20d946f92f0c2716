//! What tenants did, gathered in memory and written to the store now and then: every write waits for the disk.

use std::collections::HashMap;

use parking_lot::Mutex;
use tidings_store::{KeyId, MetricIncrement, Store, StoreError, TenantId};
use tidings_wire::time::Timestamp;

/// Different counts and keys to remember before new ones are left out. Both are bounded by the tenants and keys
/// there are; this is for the case that the store does not take them for long.
const ENTRIES_MAX: usize = 100_000;

/// Counts that are not in the store yet.
#[derive(Default)]
pub(crate) struct Usage {
    pending: Mutex<Pending>,
    /// Held during a write, so that whoever wants to read what was counted waits for a write under way.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Pending {
    counts: HashMap<(TenantId, &'static str), u32>,
    keys: HashMap<KeyId, Timestamp>,
}

impl Usage {
    /// Something happened.
    pub(crate) fn count(&self, tenant: &TenantId, metric: &'static str) {
        self.add(tenant.clone(), metric, 1);
    }

    /// A key was used.
    pub(crate) fn key_used(&self, key: KeyId, time: Timestamp) {
        let keys = &mut self.pending.lock().keys;
        if keys.len() < ENTRIES_MAX || keys.contains_key(&key) {
            keys.insert(key, time);
        }
    }

    /// Writes what was gathered. What cannot be written is kept for the next time.
    pub(crate) async fn write(&self, store: &Store) -> Result<(), StoreError> {
        let _writing = self.writing.lock().await;
        let Pending { counts, keys } = std::mem::take(&mut *self.pending.lock());
        if !keys.is_empty() {
            let keys: Vec<_> = keys.into_iter().collect();
            // When a key was last used is of no consequence: should this fail, the next use tells it.
            if let Err(error) = store.mark_keys_used(&keys).await {
                tracing::warn!(%error, "last uses of keys were not recorded");
            }
        }
        let increments: Vec<_> = counts
            .into_iter()
            .map(|((tenant, metric), count)| MetricIncrement {
                tenant,
                metric,
                count,
            })
            .collect();
        let written = store.bump_all(&increments).await;
        if written.is_err() {
            for MetricIncrement {
                tenant,
                metric,
                count,
            } in increments
            {
                self.add(tenant, metric, count);
            }
        }
        written
    }

    fn add(&self, tenant: TenantId, metric: &'static str, count: u32) {
        let counts = &mut self.pending.lock().counts;
        let entry = (tenant, metric);
        if counts.len() < ENTRIES_MAX || counts.contains_key(&entry) {
            let known = counts.entry(entry).or_default();
            *known = known.saturating_add(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn counts_reach_the_store_once() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let tenant = TenantId::new("demo1").unwrap();
        store.ensure_tenant(&tenant, "Demo").await.unwrap();
        let usage = Usage::default();
        usage.count(&tenant, "connections");
        usage.count(&tenant, "connections");
        usage.count(&tenant, "voice.succeeded");
        for _ in 0..2 {
            usage.write(&store).await.unwrap();
            let counts = store.metric_counts(&tenant, None).await.unwrap();
            assert_eq!(counts.get("connections"), Some(&2));
            assert_eq!(counts.get("voice.succeeded"), Some(&1));
        }
    }
}
