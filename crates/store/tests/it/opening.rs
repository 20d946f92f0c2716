use std::os::unix::fs::PermissionsExt;

use tidings_store::{Store, StoreError, StoreOptions};

use crate::fixture::{Backend, Fixture, statement, tenant};

#[tokio::test]
async fn what_was_stored_is_there_after_reopening() {
    let fixture = Fixture::new(Backend::Sqlite).await;
    let lead = fixture.lead("demo1", r#"{"name":"Ann"}"#).await;
    fixture.store.close().await;
    assert!(matches!(
        fixture.store.tenant(&tenant("demo1")).await,
        Err(StoreError::Unavailable(_))
    ));
    let store = Store::open(&fixture.url).await.unwrap();
    assert_eq!(store.lead(&tenant("demo1"), lead.id).await.unwrap(), Some(lead));
    store.check_health().await.unwrap();
}

#[tokio::test]
async fn a_database_in_memory_works_and_is_ones_own() {
    let store = Store::open("sqlite::memory:").await.unwrap();
    let other = Store::open("sqlite::memory:").await.unwrap();
    store.ensure_tenant(&tenant("demo1"), "Demo").await.unwrap();
    assert!(store.tenant(&tenant("demo1")).await.unwrap().is_some());
    assert!(other.tenant(&tenant("demo1")).await.unwrap().is_none());
}

#[tokio::test]
async fn the_file_is_private() {
    let fixture = Fixture::new(Backend::Sqlite).await;
    let mode = std::fs::metadata(fixture.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

#[tokio::test]
async fn addresses_that_cannot_be_used() {
    for url in [
        "",
        "tidings.db",
        "mysql://user:secret@host/db",
        "postgres://user:secret@host:port/db",
        "sqlite://x?mode=nonsense",
    ] {
        let error = Store::open(url).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Configuration { .. }),
            "{url:?}: {error:?}"
        );
        assert!(!error.to_string().contains("secret"));
    }
    let options = StoreOptions::new("postgres://user:secret@host/db");
    assert!(!format!("{options:?}").contains("secret"));
    let missing = Store::open("sqlite:///no/such/folder/tidings.db")
        .await
        .unwrap_err();
    assert!(matches!(missing, StoreError::Unavailable(_)), "{missing:?}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidings.db");
    std::fs::write(
        &path,
        "this is not a database, however long it may be".repeat(100),
    )
    .unwrap();
    let error = Store::open(&format!("sqlite://{}", path.display()))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let fixture = Fixture::new(Backend::Sqlite).await;
    fixture.store.close().await;
    // `user_version` stands at offset 60 of the file's header, big-endian.
    let mut bytes = std::fs::read(fixture.path()).unwrap();
    bytes[60..64].copy_from_slice(&1000_u32.to_be_bytes());
    std::fs::write(fixture.path(), &bytes).unwrap();
    let error = Store::open(&fixture.url).await.unwrap_err();
    assert!(
        matches!(error, StoreError::TooNew { found: 1000, .. }),
        "{error:?}"
    );
    assert_eq!(std::fs::read(fixture.path()).unwrap(), bytes);
}

#[tokio::test]
async fn an_older_postgres_schema_waits_for_somebody_to_say_so() {
    let fixture = Fixture::empty(Backend::Postgres).await;
    let mut options = StoreOptions::new(&fixture.url);
    let refused = Store::open_with(options.clone()).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::TooOld { found: 0, .. }),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("tidings migrate"));
    options.migrate = true;
    Store::open_with(options).await.unwrap();
    let store = Store::open(&fixture.url).await.unwrap();
    store.check_health().await.unwrap();
    statement(
        &fixture.url,
        "UPDATE schema_version SET version = 1000".to_owned(),
    )
    .await;
    let refused = Store::open(&fixture.url).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::TooNew { found: 1000, .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_postgres_that_is_away_is_unavailable() {
    let mut options = StoreOptions::new("postgres://tidings:secret@127.0.0.1:1/tidings");
    options.busy_timeout = std::time::Duration::from_millis(50);
    let error = Store::open_with(options).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("secret"));
}
