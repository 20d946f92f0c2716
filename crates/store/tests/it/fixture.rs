//! A store in a database of its own, with a clock that stands still until it is set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;
use tidings_store::{Clock, Lead, LeadPayload, LeadSource, NewLead, Store, StoreOptions, TenantId};
use tidings_wire::time::Timestamp;

pub(crate) const START_MS: i64 = 1_770_465_600_000;

/// Which database.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) url: String,
    folder: TempDir,
    now_ms: Arc<AtomicI64>,
}

/// A database with nothing in it.
pub(crate) struct Empty {
    pub(crate) url: String,
    folder: TempDir,
}

impl Fixture {
    pub(crate) async fn empty(backend: Backend) -> Empty {
        let folder = tempfile::tempdir().unwrap();
        let url = match backend {
            Backend::Sqlite => format!("sqlite://{}/tidings.db", folder.path().display()),
            Backend::Postgres => postgres_schema().await,
        };
        Empty { url, folder }
    }

    pub(crate) async fn new(backend: Backend) -> Fixture {
        Fixture::with(backend, |_| {}).await
    }

    pub(crate) async fn with(backend: Backend, change: impl FnOnce(&mut StoreOptions)) -> Fixture {
        let Empty { url, folder } = Fixture::empty(backend).await;
        let now_ms = Arc::new(AtomicI64::new(START_MS));
        let mut options = StoreOptions::new(&url);
        let shown = Arc::clone(&now_ms);
        options.clock = Clock::new(move || Timestamp::from_millis(shown.load(Ordering::Relaxed)));
        options.migrate = true;
        options.connections_max = 4;
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

    /// The same database once more, as another process has it.
    pub(crate) async fn open_again(&self) -> Result<Store, tidings_store::StoreError> {
        let mut options = StoreOptions::new(&self.url);
        options.connections_max = 4;
        Store::open_with(options).await
    }

    /// Carries statements out past the store, as somebody does who may see everything.
    pub(crate) async fn try_statement(&self, sql: &str) -> Result<(), String> {
        use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
        let text = |error: sqlx::Error| error.to_string();
        if self.url.starts_with("sqlite:") {
            let mut connection = SqliteConnection::connect(&self.url).await.map_err(text)?;
            let sql = AssertSqlSafe(sql.to_owned());
            sqlx::raw_sql(sql).execute(&mut connection).await.map_err(text)?;
        } else {
            let mut connection = PgConnection::connect(&self.url).await.map_err(text)?;
            let sql = AssertSqlSafe(format!("SET tidings.tenant = '*'; {sql}"));
            sqlx::raw_sql(sql).execute(&mut connection).await.map_err(text)?;
        }
        Ok(())
    }

    /// The same by somebody who owns the tables.
    pub(crate) async fn without_triggers(&self, sql: &str) {
        let lift = if self.url.starts_with("sqlite:") {
            "DROP TRIGGER audit_entry_is_not_changed; DROP TRIGGER audit_entry_is_not_removed"
        } else {
            "DROP TRIGGER audit_entry_is_not_changed ON audit_entry"
        };
        self.try_statement(&format!("{lift}; {sql}")).await.unwrap();
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

/// The address of the test server's PostgreSQL.
pub(crate) fn postgres_url() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/services/postgres.url");
    std::env::var("TIDINGS_TEST_POSTGRES")
        .or_else(|_| std::fs::read_to_string(file))
        .expect("PostgreSQL runs: `scripts/services start postgres`")
}

/// A new schema, in which everything that this address opens takes place. Schemas go when the server does.
async fn postgres_schema() -> String {
    static NUMBER: AtomicI64 = AtomicI64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let schema = format!("test_{}_{number}", std::process::id());
    let url = postgres_url();
    statement(
        &url,
        format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}"),
    )
    .await;
    format!("{url}?options=-csearch_path%3D{schema}")
}

/// Carries statements out, past the store.
pub(crate) async fn statement(url: &str, sql: String) {
    use sqlx::{AssertSqlSafe, Connection, PgConnection};
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
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
