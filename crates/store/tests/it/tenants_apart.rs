//! The second wall between tenants: what PostgreSQL itself lets a transaction see, whatever a statement says.

use serde_json::value::RawValue;
use sqlx::{Connection, PgConnection, Row};
use tidings_store::{
    Actor, Attached, IdempotentRequest, JobKind, JobPriority, NewJob, NewKey, NewOutboxEvent, StoredResponse,
};

use crate::fixture::{Backend, Fixture, new_lead, postgres_url, tenant};

/// A fixture in which both tenants have some of everything.
async fn with_rows() -> Fixture {
    let fixture = Fixture::new(Backend::Postgres).await;
    let store = &fixture.store;
    for (number, id) in ["demo1", "demo2"].into_iter().enumerate() {
        let request = IdempotentRequest::new(&format!("tenant:{id}"), "k", [0; 32]).unwrap();
        let attach = |_: &_| Attached {
            event: Some(NewOutboxEvent {
                id: format!("evt_{id}"),
                kind: "lead_event".to_owned(),
                data: RawValue::from_string("{}".to_owned()).unwrap(),
            }),
            response: Some(StoredResponse {
                status: 201,
                body: Vec::new(),
            }),
            audit: Some(crate::audit::entry("create_lead")),
        };
        store
            .create_lead_with(
                new_lead(id, r#"{"name":"Ann"}"#),
                &Actor::system(),
                Some(&request),
                attach,
            )
            .await
            .unwrap();
        store.bump(&tenant(id), "voice_commands", 1).await.unwrap();
        let permissions = vec!["admin".to_owned()];
        let key = NewKey {
            tenant: tenant(id),
            hash: [number as u8; 32],
            permissions,
            expires_at: None,
        };
        store.create_key(key).await.unwrap();
        let job = NewJob {
            tenant: tenant(id),
            kind: JobKind::Backup,
            priority: JobPriority::Normal,
            parameters: RawValue::from_string("{}".to_owned()).unwrap(),
            actor: Actor::system(),
        };
        store.request_job(job, |_| Attached::default()).await.unwrap();
    }
    fixture
}

/// Every table that belongs to tenants, and the expression that names a row's tenant.
const TABLES: [(&str, &str); 12] = [
    ("tenant", "id"),
    ("tenant_key", "tenant_id"),
    ("lead", "tenant_id"),
    ("lead_total", "tenant_id"),
    ("lead_hour", "tenant_id"),
    ("lead_change", "tenant_id"),
    ("outbox", "tenant_id"),
    ("audit_entry", "tenant_id"),
    ("audit_head", "tenant_id"),
    ("metric_rollup", "tenant_id"),
    ("job", "tenant_id"),
    ("idempotency_key", "substr(scope, 8)"),
];

async fn tenants_seen(connection: &mut PgConnection, table: &str, tenant: &str) -> Vec<String> {
    let query = format!("SELECT DISTINCT {tenant} FROM {table} ORDER BY 1");
    let rows = sqlx::query(sqlx::AssertSqlSafe(query))
        .fetch_all(connection)
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_query_without_its_tenant_filter_sees_the_transactions_tenant_alone() {
    let fixture = with_rows().await;
    let mut connection = PgConnection::connect(&fixture.url).await.unwrap();
    for (setting, expected) in [
        (None, &[][..]),
        (Some("demo1"), &["demo1"]),
        (Some("demo2"), &["demo2"]),
        (Some("nobody"), &[]),
        (Some("*"), &["demo1", "demo2"]),
    ] {
        if let Some(tenant) = setting {
            let set = format!("SET tidings.tenant = '{tenant}'");
            sqlx::raw_sql(sqlx::AssertSqlSafe(set))
                .execute(&mut connection)
                .await
                .unwrap();
        }
        for (table, tenant) in TABLES {
            assert_eq!(
                tenants_seen(&mut connection, table, tenant).await,
                expected,
                "{table} as {setting:?}"
            );
        }
    }
}

#[tokio::test]
async fn nothing_of_another_tenant_is_written_or_removed() {
    let fixture = with_rows().await;
    let mut connection = PgConnection::connect(&fixture.url).await.unwrap();
    sqlx::raw_sql("SET tidings.tenant = 'demo1'")
        .execute(&mut connection)
        .await
        .unwrap();
    for statement in ["UPDATE lead SET status = 'LOST'", "DELETE FROM lead"] {
        assert_eq!(
            sqlx::query(statement)
                .execute(&mut connection)
                .await
                .unwrap()
                .rows_affected(),
            1
        );
    }
    let foreign = sqlx::query("UPDATE metric_rollup SET tenant_id = 'demo2'")
        .execute(&mut connection)
        .await;
    let insert = "INSERT INTO metric_rollup (tenant_id, metric, hour, count) VALUES ('demo2', 'x', 0, 1)";
    for refused in [foreign, sqlx::query(insert).execute(&mut connection).await] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("row-level security"), "{error}");
    }
    let found = fixture.store.lead_counts(&tenant("demo2"), None).await.unwrap();
    assert_eq!((found.total, found.lost), (1, 0));
}

/// So that a table of a later migration is not forgotten.
#[tokio::test]
async fn every_table_with_a_tenant_is_walled() {
    let fixture = Fixture::new(Backend::Postgres).await;
    let mut connection = PgConnection::connect(&fixture.url).await.unwrap();
    let open: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
           AND NOT (c.relrowsecurity AND c.relforcerowsecurity)",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(open, [""; 0]);
    let listed: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_class
         WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relforcerowsecurity",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(
        usize::try_from(listed).unwrap(),
        TABLES.len(),
        "the tests above know them all"
    );
}

#[tokio::test]
async fn a_user_whom_the_wall_does_not_hold_is_known() {
    let fixture = Fixture::new(Backend::Postgres).await;
    assert!(!fixture.store.bypasses_row_security());
    let (_, schema) = fixture.url.split_once('?').unwrap();
    let url = postgres_url().replace("//tidings@", "//postgres@");
    let mut options = tidings_store::StoreOptions::new(&format!("{url}?{schema}"));
    options.connections_max = 2;
    let store = tidings_store::Store::open_with(options).await.unwrap();
    assert!(store.bypasses_row_security());
}
