//! What older schemas hold is there in the present one.

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tidings_store::{LeadSearch, LeadStatus, Store, StoreOptions, TimeRange};
use tidings_wire::time::Timestamp;

use crate::fixture::{Backend, Fixture, statement, tenant};

on_each_backend! {
    leads_of_an_older_schema_are_found,
}

/// What a search index held before a migration, the one with this name, of a lead called Ann.
const OLDER: [(&str, &str, &str); 2] = [
    (
        "0008_search.sql",
        "INSERT INTO lead_search (rowid, name, email, notes)
             VALUES (1, '00000001ann', '00000001mail', '00000001ann 00000001note')",
        "INSERT INTO lead_search (number, document)
             VALUES (1, $$'00000001ann':1A,3D '00000001mail':2B '00000001note':4D$$)",
    ),
    (
        "0009_search_filters.sql",
        "INSERT INTO lead_search (rowid, terms)
             VALUES (1, '000000010ann 000000011mail 000000013ann 000000013note')",
        "INSERT INTO lead_search (number, status, created_at, document)
             VALUES (1, 'LOST', 5, $$'00000001ann':1A,3D '00000001mail':2B '00000001note':4D$$)",
    ),
];

async fn leads_of_an_older_schema_are_found(backend: Backend) {
    for (migration, on_sqlite, on_postgres) in OLDER {
        let entry = match backend {
            Backend::Sqlite => on_sqlite,
            Backend::Postgres => on_postgres,
        };
        is_found_after(backend, migration, entry).await;
    }
}

async fn is_found_after(backend: Backend, migration: &str, entry: &str) {
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
    let version = files.iter().position(|file| file.ends_with(migration)).unwrap();
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
                 VALUES (x'0123456789abcdef0123456789abcdef', 'demo1', 'form', 'LOST', '{{}}', 5, 5); {entry};"
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
                 {entry};"
            );
            statement(&empty.url, sql).await;
        }
    }
    let mut options = StoreOptions::new(&empty.url);
    options.migrate = true;
    let store = Store::open_with(options).await.unwrap();
    for (query, status, to, expected) in [
        ("an", LeadStatus::Lost, 5, 1),
        ("ann", LeadStatus::Lost, 5, 1),
        ("ann mai note", LeadStatus::Lost, 5, 1),
        ("ail", LeadStatus::Lost, 5, 0),
        ("an", LeadStatus::Lost, 4, 0),
        ("an", LeadStatus::New, 5, 0),
    ] {
        let search = LeadSearch {
            query: query.to_owned(),
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
