use tidings_store::{
    Actor, Attached, IDEMPOTENCY_TTL_MS, IdempotentRequest, LeadFilter, Once, StoreError, StoredResponse,
};

use crate::fixture::{Backend, Fixture, new_lead, tenant};

on_each_backend! {
    a_write_under_one_key_happens_once,
    keys_are_forgotten_after_a_day,
    concurrent_repeats_leave_one_lead,
    answers_of_effects_elsewhere,
}

fn request(key: &str, fingerprint: u8) -> IdempotentRequest {
    IdempotentRequest::new("tenant:demo1", key, [fingerprint; 32]).unwrap()
}

async fn create_once(fixture: &Fixture, request: &IdempotentRequest) -> Result<Once<String>, StoreError> {
    let attach = |lead: &tidings_store::Lead| Attached {
        event: None,
        response: Some(StoredResponse {
            status: 201,
            body: serde_json::to_vec(lead).unwrap(),
        }),
        audit: None,
    };
    let new = new_lead("demo1", r#"{"name":"Ann"}"#);
    let once = fixture
        .store
        .create_lead_with(new, &Actor::system(), Some(request), attach)
        .await?;
    Ok(match once {
        Once::Fresh(written) => Once::Fresh(serde_json::to_string(&written.value).unwrap()),
        Once::Repeated(response) => Once::Repeated(response),
    })
}

async fn lead_total(fixture: &Fixture) -> u64 {
    fixture
        .store
        .list_leads(&tenant("demo1"), &LeadFilter::default(), 1, None)
        .await
        .unwrap()
        .total
}

async fn a_write_under_one_key_happens_once(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let Once::Fresh(lead) = create_once(&fixture, &request("k1", 1)).await.unwrap() else {
        panic!()
    };
    let repeat = create_once(&fixture, &request("k1", 1)).await.unwrap();
    assert_eq!(
        repeat,
        Once::Repeated(StoredResponse {
            status: 201,
            body: lead.clone().into_bytes()
        })
    );
    let other = create_once(&fixture, &request("k1", 2)).await;
    assert!(matches!(other, Err(StoreError::Conflict { .. })), "{other:?}");
    assert_eq!(lead_total(&fixture).await, 1);
    let stored = fixture
        .store
        .idempotent_response(&request("k1", 1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.body, lead.into_bytes());
    assert!(
        fixture
            .store
            .idempotent_response(&request("k2", 1))
            .await
            .unwrap()
            .is_none()
    );
    let elsewhere = IdempotentRequest::new("tenant:demo2", "k1", [2; 32]).unwrap();
    assert!(
        fixture
            .store
            .idempotent_response(&elsewhere)
            .await
            .unwrap()
            .is_none()
    );
}

async fn keys_are_forgotten_after_a_day(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    create_once(&fixture, &request("k1", 1)).await.unwrap();
    fixture.advance_ms(IDEMPOTENCY_TTL_MS - 1);
    assert!(matches!(
        create_once(&fixture, &request("k1", 1)).await,
        Ok(Once::Repeated(_))
    ));
    fixture.advance_ms(1);
    assert!(matches!(
        create_once(&fixture, &request("k1", 2)).await,
        Ok(Once::Fresh(_))
    ));
    assert_eq!(lead_total(&fixture).await, 2);
}

async fn concurrent_repeats_leave_one_lead(backend: Backend) {
    let fixture = std::sync::Arc::new(Fixture::new(backend).await);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let fixture = std::sync::Arc::clone(&fixture);
            tokio::spawn(async move { create_once(&fixture, &request("k1", 1)).await.unwrap() })
        })
        .collect();
    let mut fresh = 0;
    for task in tasks {
        fresh += u32::from(matches!(task.await.unwrap(), Once::Fresh(_)));
    }
    assert_eq!((fresh, lead_total(&fixture).await), (1, 1));
}

async fn answers_of_effects_elsewhere(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = fixture.store.clone();
    let answer = |body: &str| StoredResponse {
        status: 200,
        body: body.as_bytes().to_vec(),
    };
    let first = store
        .remember_response(&request("k1", 1), answer("first"))
        .await
        .unwrap();
    let second = store
        .remember_response(&request("k1", 1), answer("second"))
        .await
        .unwrap();
    assert_eq!((first, second), (answer("first"), answer("first")));
    let huge = StoredResponse {
        status: 200,
        body: vec![0; 2 << 20],
    };
    assert!(matches!(
        store.remember_response(&request("k2", 1), huge).await,
        Err(StoreError::Invalid { .. })
    ));
    for (scope, key) in [
        ("", "k"),
        ("s", ""),
        ("s", "a b"),
        ("s", &"k".repeat(256)),
        ("ø", "k"),
    ] {
        assert!(
            IdempotentRequest::new(scope, key, [0; 32]).is_err(),
            "{scope:?} {key:?}"
        );
    }
}
