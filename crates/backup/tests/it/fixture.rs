//! A store and a place for its backups.

use std::path::PathBuf;

use serde_json::value::RawValue;
use tempfile::TempDir;
use tidings_backup::{
    BackupError, BackupLimits, BackupRequest, BackupTarget, BackupType, Manifest, Restored, create, restore,
    verify,
};
use tidings_store::{
    Actor, Attached, JobId, JobKind, JobPriority, Lead, LeadEdit, LeadId, LeadPayload, LeadSource,
    LeadStatus, LeadWrite, NewAuditEntry, NewJob, NewKey, NewLead, Store, TenantId,
};

pub(crate) const LIMITS: BackupLimits = BackupLimits {
    full_backups_max: 2,
    incrementals_max: 3,
};

pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) target: BackupTarget,
    pub(crate) directory: TempDir,
}

pub(crate) fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

pub(crate) fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

pub(crate) fn entry(action: &'static str) -> NewAuditEntry {
    NewAuditEntry {
        actor: Actor::system(),
        action,
        outcome: "success",
        detail: raw(r#"{"a":"b"}"#),
    }
}

impl Fixture {
    /// Tenants `t1` and `t2`.
    pub(crate) async fn new() -> Fixture {
        let fixture = Fixture::without_tenants().await;
        for id in ["t1", "t2"] {
            fixture
                .store
                .ensure_tenant(&tenant(id), "A tenant")
                .await
                .unwrap();
        }
        fixture
    }

    pub(crate) async fn without_tenants() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/tidings.db", directory.path().display())).await;
        let target = BackupTarget::directory(&directory.path().join("backups")).unwrap();
        Fixture {
            store: store.unwrap(),
            target,
            directory,
        }
    }

    pub(crate) async fn lead(&self, tenant_id: &str, payload: &str) -> Lead {
        let new = NewLead {
            tenant: tenant(tenant_id),
            source: LeadSource::new("web \"shop\"").unwrap(),
            payload: LeadPayload::parse(payload).unwrap(),
        };
        self.store.create_lead(new).await.unwrap()
    }

    pub(crate) async fn edit(&self, tenant_id: &str, id: LeadId, edit: &LeadEdit) {
        let (tenant, actor) = (tenant(tenant_id), Actor::system());
        let write = LeadWrite {
            tenant: &tenant,
            id,
            actor: &actor,
            expected: None,
            once: None,
        };
        self.store
            .edit_lead(write, edit, |_| Attached::default())
            .await
            .unwrap();
    }

    pub(crate) async fn set_status(&self, tenant_id: &str, id: LeadId, status: LeadStatus) {
        self.edit(tenant_id, id, &LeadEdit::Status(status)).await;
    }

    pub(crate) async fn delete(&self, tenant_id: &str, id: LeadId) {
        let (tenant, actor) = (tenant(tenant_id), Actor::system());
        let write = LeadWrite {
            tenant: &tenant,
            id,
            actor: &actor,
            expected: None,
            once: None,
        };
        self.store
            .delete_lead(write, |_| Attached::default())
            .await
            .unwrap();
    }

    pub(crate) async fn key(&self, tenant_id: &str, hash: u8) -> tidings_store::KeyId {
        let new = NewKey {
            tenant: tenant(tenant_id),
            hash: [hash; 32],
            permissions: vec!["leads:read".to_owned(), "backup:run".to_owned()],
            expires_at: None,
        };
        self.store.create_key(new).await.unwrap().id
    }

    pub(crate) async fn audit(&self, tenant_id: &str, action: &'static str) {
        let entries = [entry(action)];
        self.store
            .append_audit(&tenant(tenant_id), &entries)
            .await
            .unwrap();
    }

    pub(crate) async fn back_up(&self, tenant_id: &str, backup_type: BackupType) -> Manifest {
        self.try_back_up(tenant_id, backup_type).await.unwrap()
    }

    pub(crate) async fn try_back_up(
        &self,
        tenant_id: &str,
        backup_type: BackupType,
    ) -> Result<Manifest, BackupError> {
        let request = BackupRequest {
            tenant: tenant(tenant_id),
            id: JobId::generate(),
            backup_type,
        };
        create(&self.store, &self.target, &request, LIMITS).await
    }

    /// Restores this backup from a target into this fixture's store.
    pub(crate) async fn restore(
        &self,
        target: &BackupTarget,
        tenant_id: &str,
        id: Option<JobId>,
        replace: bool,
    ) -> Result<Restored, BackupError> {
        let chain = verify(target, &tenant(tenant_id), id).await?;
        restore(
            &self.store,
            chain,
            replace,
            new_restore(tenant_id),
            entry("backup restore"),
            |_| {},
        )
        .await
    }

    /// All of a tenant as text, but for the numbers that a database gives: leads, history by lead, keys, audit log.
    pub(crate) async fn dump(&self, tenant_id: &str) -> Vec<String> {
        let mut snapshot = self.store.snapshot(&tenant(tenant_id)).await.unwrap();
        let mut lines = vec![format!("{:?}", snapshot.tenant())];
        for key in snapshot.keys().await.unwrap() {
            lines.push(format!(
                "{key:?} {:?} {:?} {:?}",
                key.hash, key.revoked_at, key.expires_at
            ));
        }
        let mut last = None;
        loop {
            let leads = snapshot.leads(last.as_ref()).await.unwrap();
            let Some(lead) = leads.last().cloned() else { break };
            lines.extend(leads.iter().map(|lead| {
                // Its own text leaves the payload out.
                format!("{lead:?} {}", lead.payload.as_raw())
            }));
            last = Some(lead);
        }
        let mut last = None;
        loop {
            let changes = snapshot.lead_changes(0, last).await.unwrap();
            let Some((number, change)) = changes.last() else {
                break;
            };
            last = Some((change.lead_id, *number));
            lines.extend(changes.iter().map(|(_, change)| format!("{change:?}")));
        }
        let mut last = 0;
        loop {
            let entries = snapshot.audit(last).await.unwrap();
            let Some(entry) = entries.last() else { break };
            last = entry.sequence;
            lines.extend(entries.iter().map(|entry| format!("{entry:?}")));
        }
        lines
    }

    /// The file of a backup.
    pub(crate) fn file(&self, tenant_id: &str, id: JobId, name: &str) -> PathBuf {
        let folder = self.directory.path().join("backups").join(tenant_id);
        folder.join(id.to_string()).join(name)
    }
}

pub(crate) fn new_restore(tenant_id: &str) -> NewJob {
    NewJob {
        tenant: tenant(tenant_id),
        kind: JobKind::Restore,
        priority: JobPriority::High,
        parameters: raw("{}"),
        actor: Actor::command(),
    }
}
