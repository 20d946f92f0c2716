use super::*;
use crate::fixture::{RecordingBus, dead_letters, store};
use crate::route::{Condition, Rule, Template};
use crate::{DeadLetters, Delivery, DropReason, Form, Headers, IngestSettings, Original, Received, Routes};
use axum::http::HeaderMap;
use rdkafka::message::{Header, OwnedHeaders};
use tidings_bus::BusError;
use tidings_hub::Gateway;
use tidings_store::DeadLetterFilter;

/// Rules that know events of one type alone.
fn ingest(bus: &Arc<RecordingBus>, store: &Store, kind: &str) -> Arc<Ingest> {
    let room = Template::parse("user:{data.user_id}").unwrap();
    let condition = Condition::new("type", kind).unwrap();
    let rule = Rule::new(vec![condition], vec![room], "task_update", &[Gateway::Tasks]).unwrap();
    let settings = IngestSettings {
        routes: Routes::new(vec![rule]).unwrap(),
        ..IngestSettings::default()
    };
    Arc::new(Ingest::new(bus.clone(), store.clone(), settings))
}

async fn drop_it(ingest: &Ingest, source: &'static str, received: Received<'_>, original: Original<'_>) {
    let outcome = ingest
        .take(Delivery {
            source,
            topic: Some("task-updates"),
            received,
            original,
            dead_letters: DeadLetters::Ours,
        })
        .await;
    assert!(matches!(outcome, Outcome::Dropped(_)), "{outcome:?}");
}

fn event(user: &str) -> String {
    format!(r#"{{"specversion":"1.0","id":"{user}","source":"s","type":"t","data":{{"user_id":"{user}"}}}}"#)
}

fn no_route() -> Received<'static> {
    Received::Unreadable(DropReason::NoRoute)
}

/// Of the headers, a letter has those alone that say something of the event.
async fn assert_origins(store: &Store) {
    let letters = store
        .list_dead_letters(&DeadLetterFilter::default(), None, 10)
        .await
        .unwrap();
    assert!(
        letters
            .iter()
            .all(|letter| letter.topic.as_deref() == Some("task-updates"))
    );
    let names: Vec<Vec<&str>> = letters
        .iter()
        .map(|letter| letter.headers.iter().map(|(name, _)| name.as_str()).collect())
        .collect();
    assert!(
        names.iter().flatten().all(|name| name.starts_with("ce")),
        "{names:?}"
    );
}

#[tokio::test]
async fn what_every_form_brought_is_delivered_when_the_rule_is_mended() {
    let (bus, store) = (RecordingBus::new(), store().await);
    let wrong = ingest(&bus, &store, "other");
    let attributes = [
        ("specversion", "1.0"),
        ("id", "caf%C3%A9"),
        ("source", "s"),
        ("type", "t"),
    ];
    let mut http = HeaderMap::new();
    let mut record = OwnedHeaders::new().insert(Header {
        key: "other",
        value: Some("not kept"),
    });
    for (name, value) in attributes {
        let name = |prefix: &str| format!("{prefix}{name}");
        http.insert(
            axum::http::HeaderName::try_from(name("ce-")).unwrap(),
            value.parse().unwrap(),
        );
        record = record.insert(Header {
            key: &name("ce_"),
            value: Some(value),
        });
    }
    http.insert("authorization", "Bearer secret".parse().unwrap());
    let request = Original {
        form: Form::Request,
        headers: Headers::Http(&http),
        bytes: br#"{"user_id":"a"}"#,
    };
    drop_it(&wrong, "dapr", no_route(), request).await;
    let record = Original {
        form: Form::Record,
        headers: Headers::Record(record.as_borrowed()),
        bytes: br#"{"user_id":"b"}"#,
    };
    drop_it(&wrong, "kafka", no_route(), record).await;
    let entry = format!(
        r#"{{"entryId":"0","event":{},"contentType":"application/cloudevents+json"}}"#,
        event("c")
    );
    drop_it(
        &wrong,
        "dapr",
        no_route(),
        Original::new(Form::BulkEntry, entry.as_bytes()),
    )
    .await;
    for (user, form) in [
        ("d", Form::Structured),
        ("e", Form::Unlabelled),
        ("f", Form::Request),
        ("g", Form::Record),
    ] {
        drop_it(
            &wrong,
            "http",
            no_route(),
            Original::new(form, event(user).as_bytes()),
        )
        .await;
    }
    let beginning = event("h");
    drop_it(
        &wrong,
        "dapr",
        Received::Unreadable(DropReason::TooLarge),
        Original::new(Form::Beginning, beginning.as_bytes()),
    )
    .await;

    assert_origins(&store).await;

    let replay = |ingest: &Arc<Ingest>| Replay::new(ingest.clone(), store.clone());
    let all = DeadLetterFilter::default();
    assert_eq!(store.replay_dead_letters(&all).await.unwrap(), 8);
    replay(&wrong).replay_some().await.unwrap();
    assert_eq!(bus.take(), []);
    let reasons: Vec<String> = dead_letters(&store)
        .await
        .into_iter()
        .map(|(reason, _)| reason)
        .collect();
    assert_eq!(reasons, [["too_large"; 1].as_slice(), &["no_route"; 7]].concat());

    let right = ingest(&bus, &store, "t");
    assert_eq!(store.replay_dead_letters(&all).await.unwrap(), 8);
    replay(&right).replay_some().await.unwrap();
    let rooms: Vec<String> = bus.take().into_iter().map(|(room, _)| room).collect();
    assert_eq!(
        rooms,
        ["a", "b", "c", "d", "e", "f", "g"].map(|user| format!("user:{user}"))
    );
    assert_eq!(dead_letters(&store).await.len(), 1);
    assert_eq!(right.counters().consumed(), 7);
}

#[tokio::test]
async fn a_bus_that_is_down_puts_a_replay_off() {
    let (bus, store) = (RecordingBus::new(), store().await);
    let ingest = ingest(&bus, &store, "t");
    drop_it(
        &ingest,
        "http",
        no_route(),
        Original::new(Form::Structured, event("a").as_bytes()),
    )
    .await;
    store
        .replay_dead_letters(&DeadLetterFilter::default())
        .await
        .unwrap();
    bus.fail(Some(BusError::Closed));
    let replay = Replay::new(ingest, store.clone());
    assert!(!replay.replay_some().await.unwrap());
    let letters = store
        .list_dead_letters(&DeadLetterFilter::default(), None, 10)
        .await
        .unwrap();
    assert!(letters[0].is_replaying);
}
