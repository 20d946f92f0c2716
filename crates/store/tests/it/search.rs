use futures_util::StreamExt;
use tidings_store::{
    Actor, ImportedLead, LeadFilter, LeadHits, LeadPayload, LeadSearch, LeadSource, LeadStatus,
    SEARCH_TOTAL_MAX, TimeRange,
};
use tidings_wire::time::Timestamp;

use crate::fixture::{Backend, Fixture, START_MS, new_lead, tenant};

on_each_backend! {
    terms_match_as_prefixes_and_all_must,
    best_first,
    a_hit_is_as_good_as_the_field_that_its_terms_need,
    words_are_found_by_more_prefixes_than_are_looked_up_one_by_one,
    a_query_without_a_term_finds_nothing,
    a_query_is_never_read_as_query_language,
    odd_payloads_are_stored_and_searched,
    totals_stop_at_their_bound,
}

pub(crate) async fn search(fixture: &Fixture, tenant_id: &str, query: &str) -> LeadHits {
    let search = LeadSearch {
        query: query.to_owned(),
        ..LeadSearch::default()
    };
    fixture
        .store
        .search_leads(&tenant(tenant_id), &search, 100)
        .await
        .unwrap()
}

pub(crate) fn names(hits: &LeadHits) -> Vec<String> {
    hits.leads
        .iter()
        .map(|lead| lead.payload.text("name").unwrap())
        .collect()
}

pub(crate) async fn with_leads(backend: Backend) -> Fixture {
    let fixture = Fixture::new(backend).await;
    for payload in [
        r#"{"name":"John Doe","email":"john@example.com","company":"Acme Corp","phone":"+45 12 34 56 78"}"#,
        r#"{"name":"Jane Johnson","email":"jane@acme.test","notes":"met John at the fair"}"#,
        r#"{"name":"José Müller","email":"jm@example.org","other":"unsearched"}"#,
        r#"{"name":"Jørgen Ågård","company":"日本語 株式会社"}"#,
        r#"{"name":9,"email":null,"notes":"no name"}"#,
    ] {
        fixture.advance_ms(1);
        fixture.lead("demo1", payload).await;
    }
    fixture
        .lead("demo2", r#"{"name":"John of another tenant"}"#)
        .await;
    fixture
}

async fn terms_match_as_prefixes_and_all_must(backend: Backend) {
    let fixture = with_leads(backend).await;
    let cases: [(&str, u64); 22] = [
        ("john", 2),
        ("JOHN", 2),
        ("joh", 2),
        ("ohn", 0),
        ("john doe", 1),
        ("doe john", 1),
        ("john acme", 2),
        ("john nobody", 0),
        ("john@example.com", 1),
        ("12 34", 1),
        ("+45-12", 1),
        ("fair", 1),
        ("unsearched", 0),
        ("jose", 1),
        ("José", 1),
        ("jose\u{301}", 1),
        ("muller", 1),
        ("jørgen", 1),
        ("日本", 1),
        ("no name", 1),
        ("9", 0),
        ("another", 0),
    ];
    for (query, expected) in cases {
        let hits = search(&fixture, "demo1", query).await;
        assert_eq!(
            (hits.total, hits.leads.len() as u64),
            (expected, expected),
            "{query:?}"
        );
    }
}

async fn best_first(backend: Backend) {
    let fixture = with_leads(backend).await;
    // A whole word outweighs a part of one.
    assert_eq!(
        names(&search(&fixture, "demo1", "john").await),
        ["John Doe", "Jane Johnson"]
    );
    // Equally good ones come newest first.
    fixture.advance_ms(1);
    let newer = fixture
        .lead("demo1", r#"{"name":"José Müller","email":"jm@example.org"}"#)
        .await;
    let hits = search(&fixture, "demo1", "jose").await;
    assert_eq!((hits.total, hits.leads[0].id), (2, newer.id));
    // Whenever they were stored.
    let older = ImportedLead {
        source: LeadSource::VOICE,
        status: LeadStatus::New,
        payload: LeadPayload::parse(r#"{"name":"José the elder"}"#).unwrap(),
        created_at: Some(Timestamp::from_millis(START_MS)),
    };
    fixture
        .store
        .import_leads(&tenant("demo1"), vec![older], &Actor::system(), None, |_| None)
        .await
        .unwrap();
    let hits = search(&fixture, "demo1", "jose").await;
    assert_eq!((hits.leads[0].id, hits.total), (newer.id, 3));
    assert_eq!(names(&hits)[2], "José the elder");
}

async fn a_hit_is_as_good_as_the_field_that_its_terms_need(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    // Worst first, so that their age does not order them.
    for payload in [
        r#"{"name":"Notes","notes":"ann lee"}"#,
        r#"{"name":"Lee Notes","notes":"ann"}"#,
        r#"{"name":"Phone Ann","phone":"lee"}"#,
        r#"{"name":"Company","company":"Lee & Ann"}"#,
        r#"{"name":"Email Lee","email":"ann@example.com"}"#,
        r#"{"name":"Email","email":"ann.lee@example.com"}"#,
        r#"{"name":"Lee, Ann","notes":"older"}"#,
        r#"{"name":"Annabel Leeds","notes":"newer"}"#,
        r#"{"name":"Ann","email":"nobody@example.com"}"#,
    ] {
        fixture.lead("demo1", payload).await;
    }
    let expected = [
        "Lee, Ann",
        "Annabel Leeds",
        "Email",
        "Email Lee",
        "Company",
        "Phone Ann",
        "Lee Notes",
        "Notes",
    ];
    assert_eq!(names(&search(&fixture, "demo1", "ann lee").await), expected);
    for limit in 1..=expected.len() {
        let search = LeadSearch {
            query: "ann lee".to_owned(),
            ..LeadSearch::default()
        };
        let hits = fixture
            .store
            .search_leads(&tenant("demo1"), &search, u32::try_from(limit).unwrap())
            .await
            .unwrap();
        assert_eq!(names(&hits), expected[..limit]);
        assert_eq!(hits.total, 8);
    }
}

async fn words_are_found_by_more_prefixes_than_are_looked_up_one_by_one(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    for number in 100..150 {
        fixture
            .lead("demo1", &format!(r#"{{"name":"Word{number}","notes":"common"}}"#))
            .await;
    }
    fixture
        .lead("demo2", r#"{"name":"Word100","notes":"common"}"#)
        .await;
    for (query, expected) in [
        ("word common", 50),
        ("word1 common", 50),
        ("word11 common", 10),
        ("w common", 50),
        ("common wo", 50),
        ("wa common", 0),
        ("comm word110", 1),
        ("common nothing", 0),
        ("word word word common", 50),
    ] {
        assert_eq!(
            search(&fixture, "demo1", query).await.total,
            expected,
            "{query:?}"
        );
    }
}

async fn a_query_without_a_term_finds_nothing(backend: Backend) {
    let fixture = with_leads(backend).await;
    for query in ["", " ", "***", "\"", "' -- ", "\u{0}", "🙂", "\u{301}"] {
        assert_eq!(
            search(&fixture, "demo1", query).await,
            LeadHits::default(),
            "{query:?}"
        );
    }
}

async fn a_query_is_never_read_as_query_language(backend: Backend) {
    let fixture = with_leads(backend).await;
    let cases = [
        ("john OR jane", 0),
        ("john NOT doe", 0),
        ("name:john", 0),
        ("john*", 2),
        ("\"john\" \"doe\"", 1),
        ("NEAR(john doe)", 0),
        ("^john", 2),
        ("{name email} : john", 0),
        ("john' OR '1'='1", 0),
        ("jo\"hn", 0),
        // The prefix of another tenant's terms, guessed.
        ("00000002john", 0),
        ("john\" OR \"00000002john", 0),
    ];
    for (query, expected) in cases {
        assert_eq!(
            search(&fixture, "demo1", query).await.total,
            expected,
            "{query:?}"
        );
    }
    assert_eq!(
        names(&search(&fixture, "demo2", "john").await),
        ["John of another tenant"]
    );
    assert_eq!(search(&fixture, "nobody", "john").await, LeadHits::default());
}

async fn odd_payloads_are_stored_and_searched(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let deep = format!(
        r#"{{"name":"Deep","tree":{}{}}}"#,
        "[".repeat(5000),
        "]".repeat(5000)
    );
    let long = format!(r#"{{"name":"{}","notes":"end"}}"#, "x".repeat(100_000));
    for payload in [deep.as_str(), &long, r#"{"name":"nul \u0000 here"}"#] {
        fixture.lead("demo1", payload).await;
    }
    for query in ["deep", "xxx", "end", "nul here"] {
        assert_eq!(search(&fixture, "demo1", query).await.total, 1, "{query:?}");
    }
    assert_eq!(search(&fixture, "demo1", &"x".repeat(1000)).await.total, 1);
}

async fn totals_stop_at_their_bound(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    let demo = tenant("demo1");
    // Side by side: on SQLite they share their commits.
    futures_util::stream::iter(1..SEARCH_TOTAL_MAX)
        .for_each_concurrent(32, async |_| {
            store
                .create_lead(new_lead("demo1", r#"{"name":"Ann"}"#))
                .await
                .unwrap();
        })
        .await;
    let search = LeadSearch {
        query: "ann".to_owned(),
        ..LeadSearch::default()
    };
    let of_status = LeadSearch {
        status: Some(LeadStatus::New),
        created: TimeRange {
            from: Some(Timestamp::from_millis(START_MS)),
            to: None,
        },
        ..search.clone()
    };
    // On both sides of the bound, and at it.
    for total in [SEARCH_TOTAL_MAX - 1, SEARCH_TOTAL_MAX, SEARCH_TOTAL_MAX] {
        for search in [&search, &of_status] {
            let hits = store.search_leads(&demo, search, 2).await.unwrap();
            assert_eq!((hits.leads.len(), hits.total), (2, total));
        }
        fixture.lead("demo1", r#"{"name":"Ann"}"#).await;
    }

    // The last stored of them are ranked.
    fixture.lead("demo1", r#"{"name":"Annabel"}"#).await;
    fixture.lead("demo1", r#"{"name":"Notes","notes":"ann"}"#).await;
    for search in [&search, &of_status] {
        let all = store.search_leads(&demo, search, 100).await.unwrap();
        assert_eq!(names(&all), vec!["Ann"; 100]);
    }
    for _ in 0..2 {
        fixture.lead("demo1", r#"{"name":"Best An","notes":"ann"}"#).await;
        fixture.lead("demo1", r#"{"name":"Worst","notes":"an"}"#).await;
    }
    let an = LeadSearch {
        query: "an".to_owned(),
        ..LeadSearch::default()
    };
    let hits = store.search_leads(&demo, &an, 4).await.unwrap();
    assert_eq!(names(&hits), ["Best An", "Best An", "Annabel", "Ann"]);
    assert_eq!(hits.total, SEARCH_TOTAL_MAX);
    let page = store
        .list_leads(&demo, &LeadFilter::default(), 2, None)
        .await
        .unwrap();
    assert_eq!(page.total, SEARCH_TOTAL_MAX + 8);
}
