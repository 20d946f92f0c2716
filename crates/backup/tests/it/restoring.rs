use serde_json::json;
use tidings_backup::{BackupError, BackupType, verify};
use tidings_store::{
    Attached, JobKind, LeadEdit, LeadFilter, LeadPayload, LeadSearch, LeadStatus, StoreError,
};

use crate::fixture::{Fixture, new_restore, tenant};

/// Some of everything, changed in every way between two backups.
async fn with_history(fixture: &Fixture) -> Vec<tidings_backup::Manifest> {
    let mut manifests = Vec::new();
    let kept = fixture
        .lead("t1", "{\"name\":\"Ann\",\"nested\":{\n \"a\": 1.50}}")
        .await;
    let edited = fixture.lead("t1", r#"{"name":"Bob"}"#).await;
    let deleted = fixture.lead("t1", r#"{"name":"Cy"}"#).await;
    fixture.set_status("t1", edited.id, LeadStatus::Contacted).await;
    fixture.lead("t2", r#"{"name":"Foreign"}"#).await;
    fixture.audit("t1", "one").await;
    fixture.key("t1", 1).await;
    manifests.push(fixture.back_up("t1", BackupType::Full).await);

    let patch = LeadEdit::Payload(LeadPayload::parse(r#"{"email":"bob@example.com","name":null}"#).unwrap());
    fixture.edit("t1", edited.id, &patch).await;
    fixture.delete("t1", deleted.id).await;
    let short_lived = fixture.lead("t1", r#"{"name":"Di"}"#).await;
    fixture.audit("t1", "two").await;
    let second = fixture.key("t1", 2).await;
    manifests.push(fixture.back_up("t1", BackupType::Incremental).await);

    fixture.delete("t1", short_lived.id).await;
    fixture.set_status("t1", kept.id, LeadStatus::Lost).await;
    fixture.set_status("t1", kept.id, LeadStatus::New).await;
    fixture.lead("t1", r#"{"name":"Eve"}"#).await;
    fixture.store.revoke_key(second).await.unwrap();
    manifests.push(fixture.back_up("t1", BackupType::Incremental).await);
    manifests
}

/// Without what the restore itself has left.
fn without_restore(mut dump: Vec<String>) -> Vec<String> {
    assert!(dump.pop().unwrap().contains("backup restore"));
    dump
}

#[tokio::test]
async fn each_backup_of_a_chain_restores_exactly_its_moment() {
    let fixture = Fixture::new().await;
    let mut dumps = Vec::new();
    // The same story is told to one fixture; what it was like is dumped at each backup's point.
    let manifests = with_history(&fixture).await;
    for manifest in &manifests {
        let restored = Fixture::without_tenants().await;
        let done = restored
            .restore(&fixture.target, "t1", Some(manifest.id), false)
            .await
            .unwrap();
        assert!(done.is_audit_restored);
        dumps.push(without_restore(restored.dump("t1").await));
        let head = restored
            .store
            .verify_audit(&tenant("t1"), &[manifest.point.audit_head])
            .await;
        assert_eq!(
            head.unwrap().unwrap().sequence,
            manifest.point.audit_head.sequence + 1
        );
        let jobs = restored
            .store
            .list_jobs(&tenant("t1"), JobKind::Restore, 10)
            .await;
        assert_eq!(jobs.unwrap()[0].status.as_str(), "completed");
        assert_eq!(
            restored.store.outbox_length().await.unwrap(),
            0,
            "nothing is announced"
        );
    }
    assert_eq!(dumps[2], fixture.dump("t1").await, "byte for byte");
    let counts: Vec<_> = manifests
        .iter()
        .map(|manifest| serde_json::to_value(manifest.rows).unwrap())
        .collect();
    assert_eq!(
        counts,
        [
            json!({"tenants": 1, "keys": 1, "leads": 3, "leadsGone": 0, "leadChanges": 4, "auditEntries": 1}),
            json!({"tenants": 1, "keys": 2, "leads": 2, "leadsGone": 1, "leadChanges": 3, "auditEntries": 1}),
            json!({"tenants": 1, "keys": 2, "leads": 2, "leadsGone": 1, "leadChanges": 4, "auditEntries": 0}),
        ]
    );
    let named = |dump: &[String], name: &str| {
        dump.iter()
            .any(|line| line.starts_with("Lead {") && line.contains(name))
    };
    for (name, expected) in [
        ("Ann", [true, true, true]),
        ("Cy", [true, false, false]),
        ("Di", [false, true, false]),
        ("Eve", [false, false, true]),
        ("Foreign", [false, false, false]),
    ] {
        let found: Vec<_> = dumps.iter().map(|dump| named(dump, name)).collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[tokio::test]
async fn what_is_restored_is_found_and_counted() {
    let fixture = Fixture::new().await;
    with_history(&fixture).await;
    let restored = Fixture::without_tenants().await;
    restored
        .restore(&fixture.target, "t1", None, false)
        .await
        .unwrap();
    for store in [&fixture.store, &restored.store] {
        let counts = store.lead_counts(&tenant("t1"), None).await.unwrap();
        assert_eq!((counts.total, counts.new, counts.contacted), (3, 2, 1));
        let search = LeadSearch {
            query: "ann".to_owned(),
            ..LeadSearch::default()
        };
        assert_eq!(
            store
                .search_leads(&tenant("t1"), &search, 10)
                .await
                .unwrap()
                .total,
            1
        );
        let page = store
            .list_leads(&tenant("t1"), &LeadFilter::default(), 10, None)
            .await
            .unwrap();
        assert_eq!(page.total, 3);
    }
}

#[tokio::test]
async fn leads_are_replaced_only_if_that_is_said() {
    let fixture = Fixture::new().await;
    let key = fixture.key("t1", 1).await;
    let lead = fixture.lead("t1", r#"{"name":"Ann"}"#).await;
    fixture.audit("t1", "before").await;
    let manifest = fixture.back_up("t1", BackupType::Full).await;
    fixture.delete("t1", lead.id).await;
    fixture.lead("t1", r#"{"name":"Later"}"#).await;
    fixture.store.revoke_key(key).await.unwrap();
    let later_key = fixture.key("t1", 2).await;
    fixture.audit("t1", "after").await;

    let before = fixture.dump("t1").await;
    let refused = fixture
        .restore(&fixture.target, "t1", None, false)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, BackupError::Store(StoreError::Conflict { .. })),
        "{refused}"
    );
    assert_eq!(fixture.dump("t1").await, before);

    let done = fixture.restore(&fixture.target, "t1", None, true).await.unwrap();
    assert!(done.is_audit_restored, "the log is the backup's, and goes on");
    let after = fixture.dump("t1").await;
    assert!(
        after.iter().any(|line| line.contains("Ann")) && !after.iter().any(|line| line.contains("Later"))
    );
    assert_eq!(
        fixture
            .store
            .lead_counts(&tenant("t1"), None)
            .await
            .unwrap()
            .total,
        1
    );
    // What was revoked since stays revoked, and what was made since stays.
    let keys = fixture.store.list_keys(&tenant("t1")).await.unwrap();
    let told: Vec<_> = keys
        .iter()
        .map(|key| (key.id, key.revoked_at.is_some()))
        .collect();
    assert_eq!(told, [(key, true), (later_key, false)]);
    let log = fixture.store.list_audit(&tenant("t1"), 0, 10).await.unwrap();
    let actions: Vec<_> = log.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["before", "after", "backup restore"]);
    assert!(
        !fixture
            .store
            .tenant(&tenant("t1"))
            .await
            .unwrap()
            .unwrap()
            .suspended
    );
    // Nothing stands upon what was before.
    let next = fixture.back_up("t1", BackupType::Incremental).await;
    assert_eq!((next.backup_type, next.base), (BackupType::Full, None));
    assert!(next.id > manifest.id);
}

#[tokio::test]
async fn a_log_of_its_own_stays() {
    let fixture = Fixture::new().await;
    fixture.audit("t1", "theirs").await;
    fixture.back_up("t1", BackupType::Full).await;
    let other = Fixture::new().await;
    other.audit("t1", "its own").await;
    let done = other.restore(&fixture.target, "t1", None, false).await.unwrap();
    assert!(!done.is_audit_restored);
    let log = other.store.list_audit(&tenant("t1"), 0, 10).await.unwrap();
    let actions: Vec<_> = log.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["its own", "backup restore"]);
    assert!(
        other
            .store
            .verify_audit(&tenant("t1"), &[])
            .await
            .unwrap()
            .is_ok()
    );
}

#[tokio::test]
async fn a_restore_that_was_given_up_is_done_anew() {
    let fixture = Fixture::new().await;
    with_history(&fixture).await;
    let expected = fixture.dump("t1").await;
    let other = Fixture::without_tenants().await;
    // It got no further than this.
    let chain = verify(&fixture.target, &tenant("t1"), None).await.unwrap();
    let row = fixture.store.tenant(&tenant("t1")).await.unwrap().unwrap();
    other
        .store
        .begin_restore(&row, false, new_restore("t1"), |_| Attached::default())
        .await
        .unwrap();
    other.lead("t1", r#"{"name":"Half"}"#).await;
    assert!(
        other
            .store
            .tenant(&tenant("t1"))
            .await
            .unwrap()
            .unwrap()
            .suspended
    );
    let refused = other
        .restore(&fixture.target, "t1", None, false)
        .await
        .unwrap_err();
    assert!(matches!(refused, BackupError::Store(StoreError::Conflict { .. })));
    drop(chain);
    other.restore(&fixture.target, "t1", None, true).await.unwrap();
    assert_eq!(without_restore(other.dump("t1").await), expected);
}

#[tokio::test]
async fn a_suspended_tenant_stays_suspended() {
    let fixture = Fixture::new().await;
    fixture.back_up("t1", BackupType::Full).await;
    fixture
        .store
        .set_tenant_suspended(&tenant("t1"), true)
        .await
        .unwrap();
    fixture.restore(&fixture.target, "t1", None, true).await.unwrap();
    assert!(
        fixture
            .store
            .tenant(&tenant("t1"))
            .await
            .unwrap()
            .unwrap()
            .suspended
    );
}

#[tokio::test]
async fn a_tenant_that_was_deleted_and_made_again_has_no_base() {
    let fixture = Fixture::new().await;
    fixture.lead("t1", "{}").await;
    fixture.back_up("t1", BackupType::Full).await;
    fixture.store.delete_tenant(&tenant("t1"), |_| {}).await.unwrap();
    // In another millisecond.
    let made = loop {
        let made = fixture.store.ensure_tenant(&tenant("t1"), "Again").await.unwrap();
        let manifests = fixture.target.list(&tenant("t1")).await.unwrap().0;
        if manifests[0].tenant_created_at != made.created_at {
            break made;
        }
        fixture.store.delete_tenant(&tenant("t1"), |_| {}).await.unwrap();
    };
    let manifest = fixture.back_up("t1", BackupType::Incremental).await;
    assert_eq!(
        (manifest.backup_type, manifest.tenant_created_at),
        (BackupType::Full, made.created_at)
    );
    // The one from before is there still, and comes back.
    let (manifests, _) = fixture.target.list(&tenant("t1")).await.unwrap();
    let done = fixture
        .restore(&fixture.target, "t1", Some(manifests[0].id), false)
        .await
        .unwrap();
    assert_eq!(done.rows.leads, 1);
}
