use tidings_store::{
    DEAD_LETTER_BYTES_MAX, DEAD_LETTER_HEADER_BYTES_MAX, DeadLetterFilter, DeadLetterId, NewDeadLetter,
};

use std::time::Duration;

use crate::fixture::{Backend, Fixture};

on_each_backend! {
    numbers_that_are_gone_take_nobodys_place,
    dead_letters_are_replayed_once_and_stay_if_refused,
    the_bytes_of_dead_letters_are_bounded,
    the_newest_dead_letters_are_kept,
    dead_letters_are_bounded,
    dead_letters_are_found_and_purged_by_what_is_said_of_them,
}

fn letter(event: &[u8]) -> NewDeadLetter<'_> {
    NewDeadLetter {
        source: "dapr",
        topic: Some("task-updates"),
        reason: "no_user",
        form: "http",
        headers: &[],
        event,
    }
}

async fn the_bytes_of_dead_letters_are_bounded(backend: Backend) {
    let fixture = Fixture::with(backend, |options| options.dead_letter_bytes_max = 100).await;
    let store = &fixture.store;
    let mut dropped = Vec::new();
    for bytes in [40, 40, 20, 1, 99, 101, 0] {
        dropped.push(
            store
                .insert_dead_letter(letter(&vec![b'x'; bytes]))
                .await
                .unwrap(),
        );
    }
    // The newest stays, however large.
    assert_eq!(dropped, [0, 0, 0, 1, 2, 2, 1]);
    let account = store.dead_letter_account().await.unwrap();
    assert_eq!((account.kept, account.kept_bytes, account.dropped), (1, 0, 6));
    store.insert_dead_letter(letter(b"12345")).await.unwrap();
    assert_eq!(store.dead_letter_account().await.unwrap().kept_bytes, 5);
    store
        .purge_dead_letters(&DeadLetterFilter::default())
        .await
        .unwrap();
    assert_eq!(store.dead_letter_account().await.unwrap().kept_bytes, 0);
}

async fn dead_letters_are_replayed_once_and_stay_if_refused(backend: Backend) {
    const LEASE: Duration = Duration::from_mins(1);
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    let headers = [("ce-id".to_owned(), "ø \"1\"".to_owned())];
    let many = [("x".to_owned(), "y".repeat(DEAD_LETTER_HEADER_BYTES_MAX))];
    let too_long = vec![b'x'; DEAD_LETTER_BYTES_MAX + 1];
    for letter in [
        NewDeadLetter {
            headers: &headers,
            ..letter(b"a")
        },
        NewDeadLetter {
            headers: &many,
            reason: "not_json",
            topic: None,
            ..letter(b"b")
        },
        letter(&too_long),
        letter(b"d"),
    ] {
        store.insert_dead_letter(letter).await.unwrap();
    }
    let claim = async |limit| {
        let letters = store.claim_dead_letters(limit, LEASE).await.unwrap();
        letters.into_iter().map(|letter| letter.id.0).collect::<Vec<_>>()
    };
    assert_eq!(claim(10).await, [0; 0]);
    let without_user = DeadLetterFilter {
        reason: Some("no_user".to_owned()),
        ..DeadLetterFilter::default()
    };
    assert_eq!(store.replay_dead_letters(&without_user).await.unwrap(), 2);
    assert_eq!(claim(1).await, [1]);
    assert_eq!(claim(10).await, [4]);
    assert_eq!(claim(10).await, [0; 0]);
    let first = store.dead_letter(DeadLetterId(1)).await.unwrap().unwrap();
    assert_eq!(first.headers, headers);
    assert!(first.is_replaying && first.is_whole());
    assert_eq!(
        (first.form.as_str(), first.topic.as_deref()),
        ("http", Some("task-updates"))
    );
    store.remove_dead_letter(DeadLetterId(1)).await.unwrap();
    // Whoever claimed the fourth died: it comes back.
    fixture.advance_ms(60_000);
    assert_eq!(claim(10).await, [4]);
    store
        .refuse_dead_letter(DeadLetterId(4), "no_route")
        .await
        .unwrap();
    fixture.advance_ms(60_000);
    assert_eq!(claim(10).await, [0; 0]);
    let fourth = store.dead_letter(DeadLetterId(4)).await.unwrap().unwrap();
    assert_eq!((fourth.reason.as_str(), fourth.is_replaying), ("no_route", false));

    store
        .insert_dead_letters_to_replay(&[letter(b"e"), letter(b"f")])
        .await
        .unwrap();
    assert_eq!(claim(10).await, [5, 6]);
    let by_id = |id| DeadLetterFilter {
        id: Some(DeadLetterId(id)),
        ..DeadLetterFilter::default()
    };
    assert_eq!(store.replay_dead_letters(&by_id(3)).await.unwrap(), 0);
    assert_eq!(store.replay_dead_letters(&by_id(2)).await.unwrap(), 1);
    let second = store.claim_dead_letters(10, LEASE).await.unwrap().remove(0);
    assert_eq!((second.id.0, second.headers, second.topic), (2, vec![], None));
}

async fn numbers_that_are_gone_take_nobodys_place(backend: Backend) {
    let fixture = Fixture::with(backend, |options| options.dead_letters_max = 3).await;
    let store = &fixture.store;
    for event in ["old", "2", "3"] {
        store.insert_dead_letter(letter(event.as_bytes())).await.unwrap();
    }
    // As replays do: they come, are delivered, and go.
    for _ in 0..5 {
        let newest = store
            .list_dead_letters(&DeadLetterFilter::default(), None, 1)
            .await
            .unwrap()[0]
            .id;
        store.remove_dead_letter(newest).await.unwrap();
        assert_eq!(store.insert_dead_letter(letter(b"new")).await.unwrap(), 0);
    }
    let kept = store
        .list_dead_letters(&DeadLetterFilter::default(), None, 10)
        .await
        .unwrap();
    let events: Vec<&[u8]> = kept.iter().map(|letter| letter.event.as_slice()).collect();
    assert_eq!(events, [&b"new"[..], b"2", b"old"]);
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
            ..letter(event.as_bytes())
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
            reason: &reason,
            ..letter(&event)
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
            ..letter(b"{}")
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
