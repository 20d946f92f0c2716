use std::fs::{self, File, FileTimes};
use std::time::{Duration, SystemTime};

use tidings_backup::BackupType;
use tidings_store::JobId;

use crate::fixture::{Fixture, tenant};

#[tokio::test]
async fn the_last_full_backups_stay_each_with_what_stands_upon_it() {
    let fixture = Fixture::new().await;
    let mut ids = Vec::new();
    for backup_type in [
        BackupType::Full,
        BackupType::Incremental,
        BackupType::Full,
        BackupType::Incremental,
        BackupType::Incremental,
        BackupType::Incremental,
        // One more than may stand upon one full backup.
        BackupType::Incremental,
    ] {
        ids.push(fixture.back_up("t1", backup_type).await.id);
    }
    fixture.back_up("t2", BackupType::Full).await;
    let (manifests, damaged) = fixture.target.list(&tenant("t1")).await.unwrap();
    assert!(damaged.is_empty());
    let kept: Vec<_> = manifests.iter().map(|manifest| manifest.id).collect();
    assert_eq!(kept, ids[2..]);
    let sequences: Vec<_> = manifests.iter().map(|manifest| manifest.sequence).collect();
    assert_eq!(sequences, [0, 1, 2, 3, 0]);
    assert_eq!(fixture.target.list(&tenant("t2")).await.unwrap().0.len(), 1);
}

#[tokio::test]
async fn what_a_crash_left_is_removed_after_a_day_and_nothing_else() {
    let fixture = Fixture::new().await;
    let old = SystemTime::now() - Duration::from_hours(25);
    let left = |name: &str, modified: Option<SystemTime>| {
        let id = JobId::generate();
        let path = fixture.file("t1", id, name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "half").unwrap();
        if let Some(modified) = modified {
            for path in [path.as_path(), path.parent().unwrap()] {
                let file = File::open(path).unwrap();
                file.set_times(FileTimes::new().set_modified(modified)).unwrap();
            }
        }
        path
    };
    let removed = [
        left("data.json-seq.gz", Some(old)),
        left("data.json-seq.gz#1", Some(old)),
    ];
    let kept = [
        left("data.json-seq.gz", None),
        left("data.json-seq.gz#1", None),
        left("notes.txt", Some(old)),
    ];
    fixture.back_up("t1", BackupType::Full).await;
    for path in removed {
        assert!(!path.exists(), "{}", path.display());
    }
    for path in kept {
        assert!(path.exists(), "{}", path.display());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_looks_in() {
    use std::os::unix::fs::PermissionsExt;

    let fixture = Fixture::new().await;
    fixture.back_up("t1", BackupType::Full).await;
    let mode = fs::metadata(fixture.directory.path().join("backups"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}
