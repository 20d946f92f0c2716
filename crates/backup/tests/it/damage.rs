use std::fs;

use tidings_backup::{BackupError, BackupType, verify};
use tidings_store::JobId;

use crate::fixture::{Fixture, tenant};

/// Tries to restore what was damaged: it is refused, says this, and nothing has changed.
async fn is_refused(fixture: &Fixture, id: Option<JobId>, what: &str) {
    let before = fixture.dump("t2").await;
    let error = fixture
        .restore(&fixture.target, "t1", id, true)
        .await
        .unwrap_err();
    assert!(error.to_string().contains(what), "{error}");
    assert!(!error.is_retryable());
    let other = Fixture::without_tenants().await;
    assert!(other.restore(&fixture.target, "t1", id, false).await.is_err());
    assert!(
        other.store.tenant(&tenant("t1")).await.unwrap().is_none(),
        "not even the tenant was made"
    );
    assert_eq!(fixture.dump("t2").await, before);
}

async fn backed_up() -> (Fixture, JobId, Vec<String>) {
    let fixture = Fixture::new().await;
    for number in 0..20 {
        fixture
            .lead("t1", &format!(r#"{{"name":"Lead {number}"}}"#))
            .await;
    }
    fixture.audit("t1", "one").await;
    let manifest = fixture.back_up("t1", BackupType::Full).await;
    let dump = fixture.dump("t1").await;
    (fixture, manifest.id, dump)
}

#[tokio::test]
async fn data_that_is_cut_off_longer_altered_or_missing() {
    let (fixture, id, dump) = backed_up().await;
    let path = fixture.file("t1", id, "data.json-seq.gz");
    let data = fs::read(&path).unwrap();
    for length in [0, 1, data.len() / 2, data.len() - 1] {
        fs::write(&path, &data[..length]).unwrap();
        is_refused(&fixture, Some(id), "is cut off").await;
    }
    for place in (0..data.len()).step_by(data.len() / 12) {
        let mut altered = data.clone();
        altered[place] ^= 1 << (place % 8);
        fs::write(&path, altered).unwrap();
        is_refused(&fixture, Some(id), "does not hash to").await;
    }
    fs::write(&path, [&data[..], b"x"].concat()).unwrap();
    is_refused(&fixture, Some(id), "is longer than").await;
    fs::remove_file(&path).unwrap();
    is_refused(&fixture, Some(id), "its data is missing").await;
    assert_eq!(fixture.dump("t1").await, dump, "nothing has changed");
    fs::write(&path, &data).unwrap();
    fixture
        .restore(&fixture.target, "t1", Some(id), true)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_manifest_that_is_altered_or_anothers() {
    let (fixture, id, dump) = backed_up().await;
    let path = fixture.file("t1", id, "manifest.json");
    let manifest = fs::read_to_string(&path).unwrap();
    fs::write(&path, &manifest[..manifest.len() - 1]).unwrap();
    is_refused(&fixture, None, "cut off or altered").await;
    fs::write(&path, manifest.replace("\"leads\":20", "\"leads\":19")).unwrap();
    is_refused(&fixture, None, "does not hash to").await;
    // Of another tenant, whole as it is.
    fixture.lead("t2", r#"{"name":"Foreign"}"#).await;
    let foreign = fixture.back_up("t2", BackupType::Full).await;
    let folder = fixture.file("t2", foreign.id, "");
    let into = fixture.file("t1", foreign.id, "");
    fs::create_dir_all(&into).unwrap();
    for name in ["manifest.json", "data.json-seq.gz"] {
        fs::copy(folder.join(name), into.join(name)).unwrap();
    }
    is_refused(&fixture, Some(foreign.id), "it is of tenant t2").await;
    // The rows of another under a manifest of its own.
    fs::write(&path, &manifest).unwrap();
    fs::copy(
        folder.join("data.json-seq.gz"),
        fixture.file("t1", id, "data.json-seq.gz"),
    )
    .unwrap();
    is_refused(&fixture, Some(id), "").await;
    assert_eq!(fixture.dump("t1").await, dump);
}

#[tokio::test]
async fn a_chain_with_a_link_that_is_missing_or_anothers() {
    let (fixture, id, _) = backed_up().await;
    fixture.lead("t1", r#"{"name":"More"}"#).await;
    let second = fixture.back_up("t1", BackupType::Incremental).await;
    let dump = fixture.dump("t1").await;
    let folder = fixture.file("t1", id, "");
    let aside = fixture.directory.path().join("aside");
    fs::rename(&folder, &aside).unwrap();
    is_refused(
        &fixture,
        Some(second.id),
        &format!("backup {id}, upon which it stands, is missing"),
    )
    .await;
    fs::rename(&aside, &folder).unwrap();
    // The same id, other rows: as if somebody had made the full one anew.
    let path = folder.join("data.json-seq.gz");
    let mut data = fs::read(&path).unwrap();
    let last = data.len() - 1;
    data[last] ^= 1;
    fs::write(&path, data).unwrap();
    is_refused(&fixture, Some(second.id), "does not hash to").await;
    assert_eq!(fixture.dump("t1").await, dump);
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_so() {
    let fixture = Fixture::new().await;
    let none = verify(&fixture.target, &tenant("t1"), None).await;
    assert!(matches!(none, Err(BackupError::None { .. })));
    let unknown = verify(&fixture.target, &tenant("t1"), Some(JobId::generate())).await;
    assert!(matches!(unknown, Err(BackupError::NotFound { .. })));
    // Data alone is no backup.
    let id = JobId::generate();
    fs::create_dir_all(fixture.file("t1", id, "")).unwrap();
    fs::write(fixture.file("t1", id, "data.json-seq.gz"), "half").unwrap();
    let unfinished = verify(&fixture.target, &tenant("t1"), Some(id)).await;
    assert!(matches!(unfinished, Err(BackupError::NotFound { .. })));
    assert!(matches!(
        verify(&fixture.target, &tenant("t1"), None).await,
        Err(BackupError::None { .. })
    ));
    let nobody = fixture.try_back_up("nobody", BackupType::Full).await;
    assert!(matches!(
        nobody,
        Err(BackupError::Store(tidings_store::StoreError::NotFound { .. }))
    ));
}
