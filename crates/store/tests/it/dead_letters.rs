use tidings_store::{DEAD_LETTER_BYTES_MAX, DeadLetterFilter, DeadLetterId, NewDeadLetter};

use crate::fixture::{Backend, Fixture};

on_each_backend! {
    the_newest_dead_letters_are_kept,
    dead_letters_are_bounded,
    dead_letters_are_found_and_purged_by_what_is_said_of_them,
}

async fn the_newest_dead_letters_are_kept(backend: Backend) {
    let fixture = Fixture::with(backend, |options| options.dead_letters_max = 3).await;
    let store = &fixture.store;
    let mut dropped = Vec::new();
    for event in ["a", "b", "c", "d", "e"] {
        fixture.advance_ms(1);
        let letter = NewDeadLetter {
            source: "kafka",
            reason: "no user",
            event: event.as_bytes(),
        };
        dropped.push(store.insert_dead_letter(letter).await.unwrap());
    }
    assert_eq!(dropped, [0, 0, 0, 1, 1]);
    let account = store.dead_letter_account().await.unwrap();
    assert_eq!((account.kept, account.dropped), (3, 2));
    let page = store
        .list_dead_letters(&DeadLetterFilter::default(), None, 2)
        .await
        .unwrap();
    let events: Vec<_> = page.iter().map(|letter| letter.event.as_slice()).collect();
    assert_eq!(events, [b"e", b"d"]);
    assert_eq!(
        (page[0].source.as_str(), page[0].reason.as_str()),
        ("kafka", "no user")
    );
    let rest = store
        .list_dead_letters(&DeadLetterFilter::default(), Some(page[1].id), 10)
        .await
        .unwrap();
    assert_eq!(
        rest.iter()
            .map(|letter| letter.event.as_slice())
            .collect::<Vec<_>>(),
        [b"c"]
    );
}

async fn dead_letters_are_bounded(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = fixture.store.clone();
    let event = vec![0xff; DEAD_LETTER_BYTES_MAX + 10];
    let reason = "ø".repeat(1000);
    store
        .insert_dead_letter(NewDeadLetter {
            source: "dapr",
            reason: &reason,
            event: &event,
        })
        .await
        .unwrap();
    let letter = store
        .list_dead_letters(&DeadLetterFilter::default(), None, 10)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(letter.event.len(), DEAD_LETTER_BYTES_MAX);
    assert_eq!(letter.event_bytes, event.len() as u64);
    assert_eq!(letter.reason, "ø".repeat(512));
}

async fn dead_letters_are_found_and_purged_by_what_is_said_of_them(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    let mut times = Vec::new();
    for (source, reason) in [
        ("dapr", "no_user"),
        ("kafka", "no_user"),
        ("dapr", "not_json"),
        ("dapr", "no_user"),
    ] {
        times.push(fixture.advance_ms(1));
        let letter = NewDeadLetter {
            source,
            reason,
            event: b"{}",
        };
        store.insert_dead_letter(letter).await.unwrap();
    }
    let numbers = async |filter: &DeadLetterFilter| {
        let letters = store.list_dead_letters(filter, None, 10).await.unwrap();
        letters.iter().map(|letter| letter.id.0).collect::<Vec<_>>()
    };
    let text = |text: &str| Some(text.to_owned());
    let of_dapr = DeadLetterFilter {
        source: text("dapr"),
        ..DeadLetterFilter::default()
    };
    let without_user = DeadLetterFilter {
        reason: text("no_user"),
        ..DeadLetterFilter::default()
    };
    let early = DeadLetterFilter {
        received_before: Some(times[2]),
        ..of_dapr.clone()
    };
    assert_eq!(numbers(&of_dapr).await, [4, 3, 1]);
    assert_eq!(numbers(&without_user).await, [4, 2, 1]);
    assert_eq!(numbers(&early).await, [1]);
    let third = store.dead_letter(DeadLetterId(3)).await.unwrap().unwrap();
    assert_eq!((third.reason.as_str(), third.received_at), ("not_json", times[2]));
    assert_eq!(store.dead_letter(DeadLetterId(5)).await.unwrap(), None);

    assert_eq!(store.purge_dead_letters(&early).await.unwrap(), 1);
    assert_eq!(store.purge_dead_letters(&early).await.unwrap(), 0);
    assert_eq!(numbers(&DeadLetterFilter::default()).await, [4, 3, 2]);
    assert_eq!(
        store
            .purge_dead_letters(&DeadLetterFilter::default())
            .await
            .unwrap(),
        3
    );
    let account = store.dead_letter_account().await.unwrap();
    assert_eq!((account.kept, account.dropped), (0, 0));
}
