use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tidings_backup::BackupType;
use tidings_store::{LeadEdit, LeadId, LeadPayload};

use crate::fixture::{Fixture, tenant};

/// How often each lead had been written up to this number of the history.
async fn versions_at(fixture: &Fixture, last_change: i64) -> HashMap<LeadId, i64> {
    let mut snapshot = fixture.store.snapshot(&tenant("t1")).await.unwrap();
    let (mut versions, mut last) = (HashMap::new(), None);
    loop {
        let changes = snapshot.lead_changes(0, last).await.unwrap();
        let Some((number, change)) = changes.last() else {
            return versions;
        };
        last = Some((change.lead_id, *number));
        for (_, change) in changes.iter().filter(|(number, _)| *number <= last_change) {
            *versions.entry(change.lead_id).or_default() += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_under_writes_restore_the_moment_of_their_manifests() {
    let fixture = Arc::new(Fixture::new().await);
    let is_over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (fixture, is_over) = (fixture.clone(), is_over.clone());
            tokio::spawn(async move {
                let mut leads = Vec::new();
                for number in 0_usize.. {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    leads.push(
                        fixture
                            .lead("t1", &format!(r#"{{"name":"{writer} {number}"}}"#))
                            .await
                            .id,
                    );
                    let patch = LeadPayload::parse(&format!(r#"{{"notes":"{number}"}}"#)).unwrap();
                    let lead = leads[number / 2];
                    fixture.edit("t1", lead, &LeadEdit::Payload(patch)).await;
                    fixture.audit("t1", "written").await;
                }
            })
        })
        .collect();
    let mut manifests = Vec::new();
    for backup_type in [
        BackupType::Full,
        BackupType::Incremental,
        BackupType::Incremental,
        BackupType::Full,
        BackupType::Incremental,
    ] {
        manifests.push(fixture.back_up("t1", backup_type).await);
    }
    is_over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    for manifest in &manifests {
        let restored = Fixture::without_tenants().await;
        restored
            .restore(&fixture.target, "t1", Some(manifest.id), false)
            .await
            .unwrap();
        let mut snapshot = restored.store.snapshot(&tenant("t1")).await.unwrap();
        let (mut versions, mut last) = (HashMap::new(), None);
        loop {
            let leads = snapshot.leads(last.as_ref()).await.unwrap();
            let Some(lead) = leads.last().cloned() else { break };
            versions.extend(leads.iter().map(|lead| (lead.id, lead.version.0)));
            last = Some(lead);
        }
        assert_eq!(versions, versions_at(&fixture, manifest.point.lead_change).await);
        assert_eq!(
            versions,
            versions_at(&restored, i64::MAX).await,
            "and so does its history"
        );
        let head = restored
            .store
            .verify_audit(&tenant("t1"), &[manifest.point.audit_head])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(head.sequence, manifest.point.audit_head.sequence + 1);
    }
}
