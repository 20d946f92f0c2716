//! Deleting tenants: all of one, nothing of another, and in the middle a state that one can live with.

use serde_json::value::RawValue;
use sqlx::{Connection, PgConnection, SqliteConnection};
use tidings_store::{
    Actor, IdempotentRequest, ImportedLead, KeyStanding, Lead, LeadPayload, LeadSearch, LeadSource,
    LeadStatus, MetricIncrement, NewKey, NewOutboxEvent, Store, StoreError, StoredResponse, TenantDeletion,
};
use tidings_wire::time::Timestamp;

use crate::fixture::{Backend, Fixture, START_MS, new_lead, tenant};

on_each_backend! {
    everything_of_a_tenant_goes_and_nothing_else,
    a_deletion_goes_on_where_it_was_left,
    others_write_while_a_tenant_is_deleted,
    leads_of_long_ago_are_counted_out,
    an_unknown_tenant_is_not_deleted,
    every_table_with_a_tenant_goes_with_it,
}

const LEADS: u64 = 25;

async fn filled(backend: Backend) -> Fixture {
    let fixture = Fixture::new(backend).await;
    for (number, id) in ["demo1", "demo2"].into_iter().enumerate() {
        fill(&fixture, id, u8::try_from(number).unwrap()).await;
    }
    fixture
}

async fn fill(fixture: &Fixture, id: &str, hash: u8) {
    let store = &fixture.store;
    for number in 0..LEADS {
        fixture.lead(id, &format!(r#"{{"name":"Ada {number}"}}"#)).await;
        let request =
            IdempotentRequest::new(&format!("tenant:{id}"), &format!("k{number}"), [0; 32]).unwrap();
        let response = StoredResponse {
            status: 201,
            body: b"{}".to_vec(),
        };
        store.remember_response(&request, response).await.unwrap();
    }
    let metrics = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let increments = metrics.map(|metric| MetricIncrement {
        tenant: tenant(id),
        metric,
        count: 1,
    });
    store.bump_all(&increments).await.unwrap();
    let permissions = vec!["admin".to_owned()];
    let key = NewKey {
        tenant: tenant(id),
        hash: [hash; 32],
        permissions,
        expires_at: None,
    };
    store.create_key(key).await.unwrap();
}

/// Leads in all and by the hour, hits, metrics, keys, and whether an answer is remembered.
async fn census(store: &Store, id: &str) -> (u64, u64, u64, usize, usize, bool) {
    let id = tenant(id);
    let search = LeadSearch {
        query: "ada".to_owned(),
        ..LeadSearch::default()
    };
    let start = Timestamp::from_millis(START_MS);
    let request = IdempotentRequest::new(&format!("tenant:{id}"), "k0", [0; 32]).unwrap();
    (
        store.lead_counts(&id, None).await.unwrap().total,
        store.lead_counts(&id, Some(start)).await.unwrap().total,
        store.search_leads(&id, &search, 10).await.unwrap().total,
        store.metric_counts(&id, None).await.unwrap().len(),
        store.list_keys(&id).await.unwrap().len(),
        store.idempotent_response(&request).await.unwrap().is_some(),
    )
}

const WHOLE: (u64, u64, u64, usize, usize, bool) = (LEADS, LEADS, LEADS, 12, 1, true);
const NOTHING: (u64, u64, u64, usize, usize, bool) = (0, 0, 0, 0, 0, false);

async fn everything_of_a_tenant_goes_and_nothing_else(backend: Backend) {
    let fixture = filled(backend).await;
    let store = &fixture.store;
    assert_eq!(census(store, "demo1").await, WHOLE);
    let mut deleted = 0;
    store
        .delete_tenant(&tenant("demo1"), |leads| deleted += leads)
        .await
        .unwrap();
    assert_eq!(deleted, LEADS);
    assert_eq!(store.tenant(&tenant("demo1")).await.unwrap(), None);
    assert_eq!(census(store, "demo1").await, NOTHING);
    assert_eq!(census(store, "demo2").await, WHOLE);
    assert_eq!(index_entries(&fixture, backend).await, LEADS);
    let changes = "SELECT count(*) FROM lead_change";
    assert_eq!(number(&fixture, backend, changes).await, LEADS);

    // Whoever has the id afterwards begins with nothing.
    store.ensure_tenant(&tenant("demo1"), "Another").await.unwrap();
    assert_eq!(census(store, "demo1").await, NOTHING);
    fill(&fixture, "demo1", 9).await;
    assert_eq!(census(store, "demo1").await, WHOLE);
    assert_eq!(index_entries(&fixture, backend).await, 2 * LEADS);
}

async fn a_deletion_goes_on_where_it_was_left(backend: Backend) {
    let fixture = filled(backend).await;
    let store = &fixture.store;
    let id = tenant("demo1");
    let part = store.delete_tenant_part(&id, 10).await.unwrap();
    assert_eq!(part, TenantDeletion::UnderWay { leads: 10 });
    assert_eq!(census(store, "demo1").await, (15, 15, 15, 2, 1, false));
    assert!(store.tenant(&id).await.unwrap().unwrap().suspended);
    let (key, owner) = store.key_by_hash(&[0; 32]).await.unwrap().unwrap();
    assert_eq!(key.standing(&owner, key.created_at), KeyStanding::TenantSuspended);

    // A command that was let in before is still under way; somebody resumes the tenant.
    store.create_lead(new_lead("demo1", "{}")).await.unwrap();
    store.set_tenant_suspended(&id, false).await.unwrap();
    let command = fixture.open_again().await.unwrap();
    let part = command.delete_tenant_part(&id, 10).await.unwrap();
    assert_eq!(part, TenantDeletion::UnderWay { leads: 10 });
    assert!(store.tenant(&id).await.unwrap().unwrap().suspended);
    let part = command.delete_tenant_part(&id, 10).await.unwrap();
    assert_eq!(part, TenantDeletion::Done { leads: 6 });
    assert_eq!(store.tenant(&id).await.unwrap(), None);
    assert_eq!(census(store, "demo1").await, NOTHING);
    assert_eq!(index_entries(&fixture, backend).await, LEADS);
}

async fn others_write_while_a_tenant_is_deleted(backend: Backend) {
    let fixture = filled(backend).await;
    let store = fixture.store.clone();
    let command = fixture.open_again().await.unwrap();
    let deletion = async {
        while let TenantDeletion::UnderWay { .. } =
            command.delete_tenant_part(&tenant("demo1"), 1).await.unwrap()
        {}
    };
    let writer = async {
        for number in 0..LEADS {
            store
                .create_lead(new_lead("demo2", r#"{"name":"Ada"}"#))
                .await
                .unwrap();
            // One that fails, and one that counts for a tenant that may be gone by now.
            let late = store.create_lead(new_lead("demo1", "{}")).await;
            assert!(
                matches!(late, Ok(_) | Err(StoreError::NotFound { .. })),
                "{number}: {late:?}"
            );
            store.bump(&tenant("demo2"), "m", 1).await.unwrap();
        }
    };
    tokio::join!(deletion, writer);
    assert_eq!(census(&store, "demo1").await, NOTHING);
    assert_eq!(
        census(&store, "demo2").await,
        (2 * LEADS, 2 * LEADS, 2 * LEADS, 13, 1, true)
    );
    assert_eq!(index_entries(&fixture, backend).await, 2 * LEADS);
}

/// Also where the hour is counted backwards.
async fn leads_of_long_ago_are_counted_out(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let (store, id) = (&fixture.store, tenant("demo1"));
    let times = [-3_600_001, -3_600_000, -1, 0, 3_599_999];
    let leads = times.map(|time| ImportedLead {
        source: LeadSource::VOICE,
        status: LeadStatus::New,
        payload: LeadPayload::parse("{}").unwrap(),
        created_at: Some(Timestamp::from_millis(time)),
    });
    let announce = |lead: &Lead| {
        Some(NewOutboxEvent {
            id: lead.id.to_string(),
            kind: "lead_event".to_owned(),
            data: RawValue::NULL.to_owned(),
        })
    };
    store
        .import_leads(&id, leads.into(), &Actor::system(), None, announce)
        .await
        .unwrap();
    for left in [4, 3, 2, 1] {
        store.delete_tenant_part(&id, 1).await.unwrap();
        let hours = times
            .map(|time| Timestamp::from_millis(time.div_euclid(3_600_000) * 3_600_000))
            .map(async |hour| store.lead_counts(&id, Some(hour)).await.unwrap().total);
        let counts = futures_util::future::join_all(hours).await;
        let since = |from: usize| u64::try_from(times.len() - from.max(times.len() - left)).unwrap();
        assert_eq!(
            counts,
            [since(0), since(1), since(1), since(3), since(3)],
            "{left} left"
        );
        assert_eq!(store.outbox_length().await.unwrap(), left as u64);
    }
}

async fn an_unknown_tenant_is_not_deleted(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let refusal = fixture.store.delete_tenant(&tenant("nobody"), |_| {}).await;
    assert!(
        matches!(refusal, Err(StoreError::NotFound { what: "tenant" })),
        "{refusal:?}"
    );
}

/// So that a table of a later migration is not forgotten. The audit log outlives its tenant.
async fn every_table_with_a_tenant_goes_with_it(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let with_tenant = match backend {
        Backend::Sqlite => {
            "SELECT count(*) FROM sqlite_schema m JOIN pragma_table_info(m.name) c ON c.name = 'tenant_id'
             WHERE m.type = 'table' AND m.name NOT LIKE 'audit_%'"
        }
        Backend::Postgres => {
            "SELECT count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
             WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
               AND c.relname NOT LIKE 'audit_%'"
        }
    };
    let cascading = match backend {
        Backend::Sqlite => {
            "SELECT count(*) FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) k
                 ON k.\"table\" = 'tenant' AND k.\"from\" = 'tenant_id' AND k.on_delete = 'CASCADE'
             WHERE m.type = 'table'"
        }
        Backend::Postgres => {
            "SELECT count(*) FROM pg_constraint
             WHERE contype = 'f' AND confrelid = 'tenant'::regclass AND confdeltype = 'c'
               AND connamespace = current_schema()::regnamespace"
        }
    };
    let tables = number(&fixture, backend, with_tenant).await;
    assert_ne!(tables, 0, "the query finds tables");
    assert_eq!(number(&fixture, backend, cascading).await, tables);
}

/// Rows of the search index, whosever they are.
async fn index_entries(fixture: &Fixture, backend: Backend) -> u64 {
    let query = match backend {
        Backend::Sqlite => "SELECT count(*) FROM lead_search_docsize",
        Backend::Postgres => "SELECT count(*) FROM lead_search",
    };
    number(fixture, backend, query).await
}

async fn number(fixture: &Fixture, backend: Backend, query: &'static str) -> u64 {
    let number: i64 = match backend {
        Backend::Sqlite => {
            let mut connection = SqliteConnection::connect(&fixture.url).await.unwrap();
            sqlx::query_scalar(query)
                .fetch_one(&mut connection)
                .await
                .unwrap()
        }
        Backend::Postgres => {
            let mut connection = PgConnection::connect(&fixture.url).await.unwrap();
            sqlx::raw_sql("SET tidings.tenant = '*'")
                .execute(&mut connection)
                .await
                .unwrap();
            sqlx::query_scalar(query)
                .fetch_one(&mut connection)
                .await
                .unwrap()
        }
    };
    u64::try_from(number).unwrap()
}
