//! Searches among leads of a status and of a span of time.

use tidings_store::{
    Actor, Attached, ImportedLead, LeadEdit, LeadPayload, LeadSearch, LeadSource, LeadStatus, LeadWrite,
    TimeRange,
};
use tidings_wire::time::Timestamp;

use crate::fixture::{Backend, Fixture, START_MS, tenant};
use crate::search::{names, search, with_leads};

on_each_backend! {
    a_search_by_status_follows_the_lead,
    status_range_and_limit,
    imported_leads_are_found_by_their_days,
}

async fn a_search_by_status_follows_the_lead(backend: Backend) {
    let fixture = with_leads(backend).await;
    let demo = tenant("demo1");
    let found = async |status| {
        let search = LeadSearch {
            query: "john".to_owned(),
            status: Some(status),
            ..LeadSearch::default()
        };
        let hits = fixture.store.search_leads(&demo, &search, 100).await.unwrap();
        (names(&hits), hits.total)
    };
    let john = search(&fixture, "demo1", "john doe").await.leads.remove(0);
    let actor = Actor::command();
    let both = [
        LeadEdit::Status(LeadStatus::Contacted),
        // Beside a new text, the index is written anew.
        LeadEdit::Payload(LeadPayload::parse(r#"{"company":"Elsewhere"}"#).unwrap()),
    ];
    for edit in both {
        let write = LeadWrite {
            tenant: &demo,
            id: john.id,
            actor: &actor,
            expected: None,
            once: None,
        };
        fixture
            .store
            .edit_lead(write, &edit, |_| Attached::default())
            .await
            .unwrap();
        assert_eq!(found(LeadStatus::New).await, (vec!["Jane Johnson".to_owned()], 1));
        assert_eq!(
            found(LeadStatus::Contacted).await,
            (vec!["John Doe".to_owned()], 1)
        );
    }
}

async fn status_range_and_limit(backend: Backend) {
    let fixture = with_leads(backend).await;
    let at = |offset| Some(Timestamp::from_millis(START_MS + offset));
    let all = LeadSearch {
        query: "j".to_owned(),
        ..LeadSearch::default()
    };
    let cases = [
        (all.clone(), 100, 4, 4),
        (all.clone(), 3, 3, 4),
        (
            LeadSearch {
                status: Some(LeadStatus::New),
                ..all.clone()
            },
            100,
            4,
            4,
        ),
        (
            LeadSearch {
                status: Some(LeadStatus::Lost),
                ..all.clone()
            },
            100,
            0,
            0,
        ),
        (
            LeadSearch {
                created: TimeRange {
                    from: at(2),
                    to: at(3),
                },
                ..all.clone()
            },
            100,
            2,
            2,
        ),
        (
            LeadSearch {
                created: TimeRange {
                    from: at(100),
                    to: None,
                },
                ..all.clone()
            },
            100,
            0,
            0,
        ),
    ];
    for (search, limit, listed, total) in cases {
        let hits = fixture
            .store
            .search_leads(&tenant("demo1"), &search, limit)
            .await
            .unwrap();
        assert_eq!((hits.leads.len(), hits.total), (listed, total), "{search:?}");
    }
}

async fn imported_leads_are_found_by_their_days(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let at = |millis| Some(Timestamp::from_millis(millis));
    let days = [5, 1, 5, -1, 5, 1].map(|day| day * 86_400_000 + 1);
    let leads = days.map(|millis| ImportedLead {
        source: LeadSource::VOICE,
        status: LeadStatus::New,
        payload: LeadPayload::parse(r#"{"name":"Ann"}"#).unwrap(),
        created_at: at(millis),
    });
    fixture
        .store
        .import_leads(&tenant("demo1"), leads.into(), &Actor::system(), None, |_| None)
        .await
        .unwrap();
    for (from, to, expected) in [
        (days[0], days[0], 3),
        (days[1], days[1], 2),
        (days[3], days[3], 1),
        (days[3], days[1], 3),
        (days[1] + 1, days[0] - 1, 0),
    ] {
        let search = LeadSearch {
            query: "ann".to_owned(),
            created: TimeRange {
                from: at(from),
                to: at(to),
            },
            ..LeadSearch::default()
        };
        let hits = fixture
            .store
            .search_leads(&tenant("demo1"), &search, 100)
            .await
            .unwrap();
        assert_eq!(hits.total, expected, "{from} to {to}");
    }
}
