use serde_json::value::RawValue;
use tidings_store::{Actor, Attached, NewOutboxEvent, OUTBOX_BATCH_MAX, Once, OutboxEvent, StoreError};

use crate::fixture::{Backend, Fixture, new_lead};

on_each_backend! {
    an_event_is_there_with_its_change_and_until_it_is_removed,
    an_event_is_in_one_hand_at_a_time,
    an_event_of_a_change_that_fails_is_not_there,
    batches_are_bounded_and_in_order,
}

fn event(number: usize) -> NewOutboxEvent {
    NewOutboxEvent {
        id: format!("evt_{number}"),
        kind: "lead_event".to_owned(),
        data: RawValue::from_string(format!(r#"{{"number":{number}}}"#)).unwrap(),
    }
}

async fn create(fixture: &Fixture, tenant: &str, number: usize) -> Result<OutboxEvent, StoreError> {
    let attach = |_: &_| Attached {
        event: Some(event(number)),
        response: None,
        audit: None,
    };
    let created = fixture
        .store
        .create_lead_with(new_lead(tenant, "{}"), &Actor::system(), None, attach)
        .await?;
    match created {
        Once::Fresh(written) => Ok(written.event.unwrap()),
        Once::Repeated(_) => panic!("a request without a key"),
    }
}

async fn an_event_is_there_with_its_change_and_until_it_is_removed(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    let in_hand = create(&fixture, "demo1", 1).await.unwrap();
    assert!(
        store.claim_outbox(10).await.unwrap().is_empty(),
        "whoever stored it has it in hand"
    );
    fixture.advance_ms(10_000);
    let claimed = store.claim_outbox(10).await.unwrap();
    let told: Vec<_> = claimed
        .iter()
        .map(|event| (event.number, event.event.id.as_str(), event.event.data.get()))
        .collect();
    assert_eq!(told, [(in_hand.number, "evt_1", r#"{"number":1}"#)]);
    assert_eq!(
        (claimed[0].tenant.as_str(), claimed[0].created_at),
        ("demo1", in_hand.created_at)
    );
    store.remove_from_outbox(&[in_hand.number]).await.unwrap();
    fixture.advance_ms(100_000);
    assert!(store.claim_outbox(10).await.unwrap().is_empty());
    assert_eq!(store.outbox_length().await.unwrap(), 0);
}

async fn an_event_is_in_one_hand_at_a_time(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    for number in 0..20 {
        create(&fixture, "demo1", number).await.unwrap();
    }
    fixture.advance_ms(10_000);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = fixture.store.clone();
            tokio::spawn(async move { store.claim_outbox(5).await.unwrap() })
        })
        .collect();
    let mut claimed = Vec::new();
    for task in tasks {
        claimed.extend(task.await.unwrap().into_iter().map(|event| event.number));
    }
    claimed.sort_unstable();
    claimed.dedup();
    assert_eq!(claimed.len(), 20);
    // A hand that does nothing loses it.
    fixture.advance_ms(10_000);
    let again = fixture.store.claim_outbox(100).await.unwrap();
    assert_eq!(again.len(), 20);
    let numbers: Vec<_> = again.iter().take(3).map(|event| event.number).collect();
    fixture.store.let_go_of_outbox(&numbers).await.unwrap();
    let let_go: Vec<_> = fixture
        .store
        .claim_outbox(100)
        .await
        .unwrap()
        .iter()
        .map(|event| event.number)
        .collect();
    assert_eq!(let_go, numbers);
}

async fn an_event_of_a_change_that_fails_is_not_there(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    assert!(matches!(
        create(&fixture, "nobody", 1).await,
        Err(StoreError::NotFound { .. })
    ));
    assert_eq!(fixture.store.outbox_length().await.unwrap(), 0);
}

async fn batches_are_bounded_and_in_order(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let mut numbers = Vec::new();
    for number in 0..OUTBOX_BATCH_MAX as usize + 4 {
        numbers.push(
            create(&fixture, if number % 2 == 0 { "demo1" } else { "demo2" }, number)
                .await
                .unwrap()
                .number,
        );
    }
    fixture.advance_ms(10_000);
    let first = fixture.store.claim_outbox(1_000).await.unwrap();
    let second = fixture.store.claim_outbox(1_000).await.unwrap();
    assert_eq!((first.len(), second.len()), (OUTBOX_BATCH_MAX as usize, 4));
    let claimed: Vec<_> = first.iter().chain(&second).map(|event| event.number).collect();
    assert_eq!(claimed, numbers);
    fixture.store.remove_from_outbox(&numbers).await.unwrap();
    assert_eq!(fixture.store.outbox_length().await.unwrap(), 0);
    assert!(fixture.store.claim_outbox(0).await.unwrap().is_empty());
}
