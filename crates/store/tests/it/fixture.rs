//! A store in a folder of its own, with a clock that stands still until it is set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;
use tidings_store::{Clock, Lead, LeadPayload, LeadSource, NewLead, Store, StoreOptions, TenantId};
use tidings_wire::time::Timestamp;

pub(crate) const START_MS: i64 = 1_770_465_600_000;

pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) url: String,
    folder: TempDir,
    now_ms: Arc<AtomicI64>,
}

impl Fixture {
    pub(crate) async fn new() -> Fixture {
        Fixture::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut StoreOptions)) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/tidings.db", folder.path().display());
        let now_ms = Arc::new(AtomicI64::new(START_MS));
        let mut options = StoreOptions::new(&url);
        let shown = Arc::clone(&now_ms);
        options.clock = Clock::new(move || Timestamp::from_millis(shown.load(Ordering::Relaxed)));
        change(&mut options);
        let store = Store::open_with(options).await.unwrap();
        store.ensure_tenant(&tenant("demo1"), "Demo One").await.unwrap();
        store.ensure_tenant(&tenant("demo2"), "Demo Two").await.unwrap();
        Fixture {
            store,
            url,
            folder,
            now_ms,
        }
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("tidings.db")
    }

    pub(crate) fn advance_ms(&self, millis: i64) -> Timestamp {
        Timestamp::from_millis(self.now_ms.fetch_add(millis, Ordering::Relaxed) + millis)
    }

    pub(crate) async fn lead(&self, tenant_id: &str, payload: &str) -> Lead {
        self.store
            .create_lead(new_lead(tenant_id, payload))
            .await
            .unwrap()
    }
}

pub(crate) fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

pub(crate) fn new_lead(tenant_id: &str, payload: &str) -> NewLead {
    NewLead {
        tenant: tenant(tenant_id),
        source: LeadSource::VOICE,
        payload: LeadPayload::parse(payload).unwrap(),
    }
}
