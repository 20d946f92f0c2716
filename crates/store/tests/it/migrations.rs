//! What older schemas hold is there in the present one.

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tidings_store::{LeadSearch, LeadStatus, Store, StoreOptions, TimeRange};
use tidings_wire::time::Timestamp;

use crate::fixture::{Backend, Fixture, statement, tenant};

on_each_backend! {
    leads_of_an_older_schema_are_found,
}

async fn leads_of_an_older_schema_are_found(backend: Backend) {
    let empty = Fixture::empty(backend).await;
    let folder = match backend {
        Backend::Sqlite => concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite"),
        Backend::Postgres => concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres"),
    };
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let version = files
        .iter()
        .position(|file| file.to_string_lossy().ends_with("_search.sql"))
        .unwrap();
    let older: String = files[..version]
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let tenant_and_lead =
        "INSERT INTO tenant (id, slug, name, created_at) VALUES ('demo1', 'demo1', 'Demo', 0);
        INSERT INTO lead (id, tenant_id, source, status, payload, created_at, updated_at)";
    match backend {
        Backend::Sqlite => {
            let mut connection = SqliteConnection::connect(&format!("{}?mode=rwc", empty.url))
                .await
                .unwrap();
            let sql = format!(
                "{older} PRAGMA user_version = {version}; {tenant_and_lead}
                 VALUES (x'0123456789abcdef0123456789abcdef', 'demo1', 'form', 'LOST', '{{}}', 5, 5);
                 INSERT INTO lead_search (rowid, name) VALUES (1, '00000001ann');"
            );
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut connection)
                .await
                .unwrap();
            connection.close().await.unwrap();
        }
        Backend::Postgres => {
            let sql = format!(
                "SET tidings.tenant = '*'; {older} CREATE TABLE schema_version (version BIGINT NOT NULL);
                 INSERT INTO schema_version VALUES ({version}); {tenant_and_lead}
                 VALUES (decode('0123456789abcdef0123456789abcdef', 'hex'), 'demo1', 'form', 'LOST', '{{}}', 5, 5);
                 INSERT INTO lead_search (number, document) VALUES (1, $$'00000001ann':1A$$);"
            );
            statement(&empty.url, sql).await;
        }
    }
    let mut options = StoreOptions::new(&empty.url);
    options.migrate = true;
    let store = Store::open_with(options).await.unwrap();
    for (status, to, expected) in [
        (LeadStatus::Lost, 5, 1),
        (LeadStatus::Lost, 4, 0),
        (LeadStatus::New, 5, 0),
    ] {
        let search = LeadSearch {
            query: "an".to_owned(),
            status: Some(status),
            created: TimeRange {
                from: None,
                to: Some(Timestamp::from_millis(to)),
            },
        };
        let hits = store.search_leads(&tenant("demo1"), &search, 100).await.unwrap();
        assert_eq!(
            (hits.leads.len() as u64, hits.total),
            (expected, expected),
            "{search:?}"
        );
    }
}
