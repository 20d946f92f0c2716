//! The application's database: a schema of its own in the test server's PostgreSQL.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tidings_rules::SqlSettings;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::PATIENT;

pub(crate) struct Database {
    pub(crate) url: String,
}

/// What a rule is reached by that may be cut.
pub(crate) struct Link {
    pub(crate) port: u16,
    task: JoinHandle<()>,
}

impl Database {
    /// One with a table `grants` of who may enter what, with nothing in it.
    pub(crate) async fn new() -> Database {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let schema = format!("rules_{}_{number}", std::process::id());
        let server = postgres_url();
        let mut connection = PgConnection::connect(&server).await.unwrap();
        let create = format!(
            "DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema};
             CREATE TABLE {schema}.grants (owner text, kind text, id text, PRIMARY KEY (owner, kind, id))"
        );
        sqlx::raw_sql(AssertSqlSafe(create))
            .execute(&mut connection)
            .await
            .unwrap();
        Database {
            url: format!("{server}?options=-csearch_path%3D{schema}"),
        }
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    pub(crate) async fn execute(&self, sql: &str) {
        let mut connection = self.connect().await;
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        let mut connection = self.connect().await;
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
    }

    pub(crate) fn settings(&self, query: &str) -> SqlSettings {
        SqlSettings {
            url: self.url.clone(),
            query: query.to_owned(),
            connections_max: 4,
            timeout: Duration::from_secs(10),
            holds: Duration::from_mins(1),
            breaker: PATIENT,
        }
    }

    /// Its address by way of a port of this process.
    pub(crate) fn url_by(&self, port: u16) -> String {
        let (start, rest) = self.url.split_once("127.0.0.1:").unwrap();
        let (_, rest) = rest.split_once('/').unwrap();
        format!("{start}127.0.0.1:{port}/{rest}")
    }

    fn port(&self) -> u16 {
        let (_, rest) = self.url.split_once("127.0.0.1:").unwrap();
        rest.split_once('/').unwrap().0.parse().unwrap()
    }

    /// Passes on what comes to this port.
    pub(crate) async fn link(&self, port: u16) -> Link {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let (port, target) = (listener.local_addr().unwrap().port(), self.port());
        let task = tokio::spawn(async move {
            let mut streams = tokio::task::JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                streams.spawn(async move {
                    let mut server = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                    // Either side may go at any time.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Link { port, task }
    }
}

impl Link {
    /// Ends it with all that goes over it.
    pub(crate) async fn cut(self) {
        self.task.abort();
        // It has gone when its task has.
        let _ = self.task.await;
    }
}

fn postgres_url() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/services/postgres.url");
    std::env::var("TIDINGS_TEST_POSTGRES")
        .or_else(|_| std::fs::read_to_string(file))
        .expect("PostgreSQL runs: `scripts/services start postgres`")
}
