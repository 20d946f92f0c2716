use std::collections::HashSet;

use tidings_store::{
    LeadFilter, LeadId, LeadPayload, LeadSource, LeadStatus, NewLead, Store, StoreError, TimeRange,
};
use tidings_wire::time::Timestamp;

use crate::fixture::{Backend, Fixture, START_MS, new_lead, tenant};

on_each_backend! {
    a_lead_is_serialized_as_clients_see_it,
    another_tenants_lead_is_not_found,
    listing_is_newest_first_and_pages_hold_together,
    leads_that_come_in_while_paging_shift_nothing,
    filters,
    counts_since,
    concurrent_creates_all_arrive,
    metrics_add_up_by_the_hour,
}

async fn a_lead_is_serialized_as_clients_see_it(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let payload = r#"{"name":"Ann","email":"ann@example.com","zeal":1.50,"age":7}"#;
    let lead = fixture.lead("demo1", payload).await;
    let expected = format!(
        r#"{{"id":"{}","tenantId":"demo1","source":"voice","status":"NEW","payload":{payload},"#,
        lead.id
    ) + r#""createdAt":"2026-02-07T12:00:00.000Z","updatedAt":"2026-02-07T12:00:00.000Z"}"#;
    assert_eq!(serde_json::to_string(&lead).unwrap(), expected);
    let stored = fixture
        .store
        .lead(&tenant("demo1"), lead.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(serde_json::to_string(&stored).unwrap(), expected);
}

async fn another_tenants_lead_is_not_found(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let lead = fixture.lead("demo1", r#"{"name":"Ann"}"#).await;
    assert!(
        fixture
            .store
            .lead(&tenant("demo2"), lead.id)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        fixture
            .store
            .lead(&tenant("demo1"), LeadId::generate())
            .await
            .unwrap()
            .is_none()
    );
    let page = fixture
        .store
        .list_leads(&tenant("demo2"), &LeadFilter::default(), 10, None)
        .await
        .unwrap();
    assert_eq!((page.leads.len(), page.total), (0, 0));
    let unknown = fixture.store.create_lead(new_lead("nobody", "{}")).await;
    assert!(
        matches!(unknown, Err(StoreError::NotFound { what: "tenant" })),
        "{unknown:?}"
    );
}

/// Lists everything page by page.
async fn walk(store: &Store, filter: &LeadFilter, limit: u32) -> (Vec<LeadId>, u64) {
    let mut ids = Vec::new();
    let mut cursor = None;
    loop {
        let page = store
            .list_leads(&tenant("demo1"), filter, limit, cursor.as_ref())
            .await
            .unwrap();
        assert!(page.leads.len() <= limit as usize);
        ids.extend(page.leads.iter().map(|lead| lead.id));
        let Some(next) = page.next_cursor else {
            return (ids, page.total);
        };
        cursor = Some(next.to_string().parse().unwrap());
    }
}

async fn listing_is_newest_first_and_pages_hold_together(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let mut created = Vec::new();
    for number in 0..25 {
        created.push(
            fixture
                .lead("demo1", &format!(r#"{{"name":"Lead {number}"}}"#))
                .await
                .id,
        );
        // Several share a millisecond; their ids decide.
        if number % 4 == 3 {
            fixture.advance_ms(1);
        }
    }
    fixture.lead("demo2", r#"{"name":"Other"}"#).await;
    created.reverse();
    for limit in [1, 4, 7, 25, 100] {
        let (ids, total) = walk(&fixture.store, &LeadFilter::default(), limit).await;
        assert_eq!(ids, created, "pages of {limit}");
        assert_eq!(total, 25);
    }
}

async fn leads_that_come_in_while_paging_shift_nothing(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    for _ in 0..6 {
        fixture.lead("demo1", "{}").await;
    }
    let all = LeadFilter::default();
    let first = fixture
        .store
        .list_leads(&tenant("demo1"), &all, 3, None)
        .await
        .unwrap();
    fixture.advance_ms(1);
    fixture.lead("demo1", "{}").await;
    let second = fixture
        .store
        .list_leads(&tenant("demo1"), &all, 3, first.next_cursor.as_ref())
        .await
        .unwrap();
    let ids: HashSet<LeadId> = first
        .leads
        .iter()
        .chain(&second.leads)
        .map(|lead| lead.id)
        .collect();
    assert_eq!(ids.len(), 6);
    assert_eq!((second.next_cursor, second.total), (None, 7));
}

async fn filters(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    for (source, name) in [
        ("voice", "Ann"),
        ("form", "Bob"),
        ("form", "Anna"),
        ("web-shop", "Cy"),
    ] {
        fixture.advance_ms(10);
        let payload = LeadPayload::from_serialize(&serde_json::json!({"name": name})).unwrap();
        let source = LeadSource::new(source).unwrap();
        fixture
            .store
            .create_lead(NewLead {
                tenant: tenant("demo1"),
                source,
                payload,
            })
            .await
            .unwrap();
    }
    let status = |status| LeadFilter {
        status: Some(status),
        ..LeadFilter::default()
    };
    let source = |source: &str| LeadFilter {
        source: Some(source.to_owned()),
        ..LeadFilter::default()
    };
    let query = |query: &str| LeadFilter {
        query: Some(query.to_owned()),
        ..LeadFilter::default()
    };
    let at = |offset| Timestamp::from_millis(START_MS + offset);
    let created = |from: Option<i64>, to: Option<i64>| LeadFilter {
        created: TimeRange {
            from: from.map(at),
            to: to.map(at),
        },
        ..LeadFilter::default()
    };
    let cases = [
        (LeadFilter::default(), 4),
        (status(LeadStatus::New), 4),
        (status(LeadStatus::Lost), 0),
        (source("form"), 2),
        (source("FORM"), 0),
        (source("'; DROP TABLE lead; --"), 0),
        (query("ann"), 2),
        (
            LeadFilter {
                query: Some("ann".to_owned()),
                ..source("form")
            },
            1,
        ),
        (query(" - "), 0),
        (created(Some(20), None), 3),
        (created(Some(20), Some(30)), 2),
        (created(None, Some(9)), 0),
    ];
    for (filter, expected) in cases {
        let (ids, total) = walk(&fixture.store, &filter, 1).await;
        assert_eq!((ids.len() as u64, total), (expected, expected), "{filter:?}");
    }
}

async fn counts_since(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    fixture.lead("demo1", "{}").await;
    // Whole hours count.
    let later = fixture.advance_ms(60 * 60 * 1000);
    fixture.lead("demo1", "{}").await;
    fixture.lead("demo2", "{}").await;
    let since = async |time| {
        let counts = fixture.store.lead_counts(&tenant("demo1"), time).await.unwrap();
        (
            counts.total,
            counts.new,
            counts.contacted + counts.qualified + counts.lost,
        )
    };
    assert_eq!(since(None).await, (2, 2, 0));
    assert_eq!(since(Some(later)).await, (1, 1, 0));
}

async fn concurrent_creates_all_arrive(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let store = fixture.store.clone();
            tokio::spawn(async move {
                for number in 0..50 {
                    let payload = format!(r#"{{"name":"Lead {task} {number}"}}"#);
                    store.create_lead(new_lead("demo1", &payload)).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let (ids, total) = walk(&fixture.store, &LeadFilter::default(), 100).await;
    assert_eq!((ids.iter().collect::<HashSet<_>>().len(), total), (800, 800));
    assert_eq!(
        fixture
            .store
            .lead_counts(&tenant("demo1"), None)
            .await
            .unwrap()
            .new,
        800
    );
}

async fn metrics_add_up_by_the_hour(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    let demo = tenant("demo1");
    store.bump(&demo, "voice_commands", 2).await.unwrap();
    fixture.advance_ms(59 * 60 * 1000);
    store.bump(&demo, "voice_commands", 3).await.unwrap();
    let next_hour = fixture.advance_ms(2 * 60 * 1000);
    store.bump(&demo, "voice_commands", 1).await.unwrap();
    store.bump(&tenant("demo2"), "voice_commands", 100).await.unwrap();
    store.bump(&demo, "connections", 1).await.unwrap();
    let counts = store.metric_counts(&demo, None).await.unwrap();
    assert_eq!(
        counts.into_iter().collect::<Vec<_>>(),
        [("connections".to_owned(), 1), ("voice_commands".to_owned(), 6)]
    );
    let counts = store.metric_counts(&demo, Some(next_hour)).await.unwrap();
    assert_eq!(counts["voice_commands"], 1);
    store.bump(&tenant("nobody"), "x", 1).await.unwrap();
    let of_nobody = store.metric_counts(&tenant("nobody"), None).await.unwrap();
    assert!(
        of_nobody.is_empty(),
        "a tenant that is gone does not spoil what counts for others"
    );
    assert!(matches!(
        store.bump(&demo, "Not a name", 1).await,
        Err(StoreError::Invalid { .. })
    ));
}
