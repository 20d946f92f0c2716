use super::*;
use crate::Form;
use crate::fixture::{RecordingBus, dead_letters, ingest, store};
use tidings_bus::MemoryBus;
use tidings_hub::{Encoding, Gateway, Gateways, Heartbeat, HubBuilder, HubLimits, Registration, RoomName};
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::{Frame, Opcode};
use tokio::task::JoinSet;

fn cloud_event(id: &str, data: &str) -> Received<'static> {
    let json = format!(r#"{{"specversion":"1.0","id":"{id}","source":"backend","type":"t","data":{data}}}"#);
    Received::CloudEvent(CloudEvent::from_structured(json.leak().as_bytes()).unwrap())
}

fn bare(data: &str) -> Received<'_> {
    Received::Bare(Data::Binary(data.as_bytes().into()))
}

fn delivery(received: Received<'_>) -> Delivery<'_> {
    Delivery {
        source: "dapr",
        topic: Some("task-updates"),
        received,
        original: Original::new(Form::Unlabelled, b"as it came"),
        dead_letters: DeadLetters::Ours,
    }
}

#[tokio::test]
async fn an_event_goes_to_its_users_room_on_the_tasks_gateway() {
    let bus = RecordingBus::new();
    let (ingest, _) = ingest(bus.clone()).await;
    let before = Clock::system().now();
    let outcome = ingest
        .take(delivery(cloud_event("1", r#"{"z": 1.0, "user_id": 42}"#)))
        .await;
    let [event] = bus.take_events().try_into().unwrap();
    assert_eq!(outcome, Outcome::Accepted(event.id));
    assert_eq!(event.rooms, [RoomName::new("user:42").unwrap()]);
    assert_eq!(&*event.kind, "task_update");
    assert_eq!(event.data.get(), r#"{"z":1.0,"user_id":42}"#);
    assert_eq!(event.gateways, Gateways::only(Gateway::Tasks));
    assert_eq!(&*event.source, "dapr");
    assert!(event.time >= before && event.exclude.is_empty());
}

#[tokio::test]
async fn outcomes() {
    let bus = RecordingBus::new();
    let (ingest, store) = ingest(bus.clone()).await;
    let user = r#"{"user_id":"a"}"#;
    let table = [
        (cloud_event("1", user), "accepted"),
        (cloud_event("1", user), "duplicate"),
        (cloud_event("2", user), "accepted"),
        (bare(user), "accepted"),
        (bare(user), "accepted"),
        (cloud_event("3", r#"{"title":"t"}"#), "no_user"),
        (cloud_event("3", r#"{"title":"t"}"#), "no_user"),
        (cloud_event("4", r#"{"user_id":1.5}"#), "invalid_user"),
        (cloud_event("5", "[1]"), "not_json"),
        (bare("ping"), "not_json"),
        (Received::Unreadable(DropReason::Mislabelled), "mislabelled"),
    ];
    for (received, expected) in table {
        let outcome = match ingest.take(delivery(received)).await {
            Outcome::Accepted(_) => "accepted",
            Outcome::Duplicate => "duplicate",
            Outcome::Dropped(reason) => reason.as_str(),
            Outcome::Retry(reason) => reason.as_str(),
        };
        assert_eq!(outcome, expected);
    }
    assert_eq!(bus.take().len(), 4);
    let counters = ingest.counters();
    assert_eq!((counters.consumed(), counters.duplicates()), (4, 1));
    assert_eq!(
        counters.dropped().map(|(_, count)| count).collect::<Vec<_>>(),
        [2, 1, 0, 2, 1, 0]
    );
    let letters = dead_letters(&store).await;
    let reasons: Vec<_> = letters.iter().map(|(reason, _)| reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "mislabelled",
            "not_json",
            "not_json",
            "invalid_user",
            "no_user",
            "no_user"
        ]
    );
    assert!(letters.iter().all(|(_, event)| event == "as it came"));
}

#[tokio::test]
async fn upstream_keeps_what_it_has_a_place_for() {
    let (ingest, store) = ingest(RecordingBus::new()).await;
    let delivery = Delivery {
        dead_letters: DeadLetters::Upstream,
        ..delivery(bare("{}"))
    };
    assert_eq!(ingest.take(delivery).await, Outcome::Dropped(DropReason::NoUser));
    assert_eq!(dead_letters(&store).await, []);
}

#[tokio::test]
async fn nothing_is_dropped_without_a_trace() {
    let (ingest, store) = ingest(RecordingBus::new()).await;
    store.close().await;
    let outcome = ingest.take(delivery(bare("{}"))).await;
    assert_eq!(outcome, Outcome::Retry(RetryReason::StoreUnavailable));
    assert_eq!(
        ingest.counters().dropped().map(|(_, count)| count).sum::<u64>(),
        0
    );
}

#[tokio::test]
async fn what_the_bus_refused_is_new_when_it_comes_again() {
    let bus = RecordingBus::new();
    let (ingest, _) = ingest(bus.clone()).await;
    let event = || delivery(cloud_event("1", r#"{"user_id":"a"}"#));
    for (failure, reason) in [
        (BusError::Closed, RetryReason::BusUnavailable),
        (BusError::Overloaded, RetryReason::Overloaded),
    ] {
        bus.fail(Some(failure));
        assert_eq!(ingest.take(event()).await, Outcome::Retry(reason));
    }
    bus.fail(None);
    assert!(matches!(ingest.take(event()).await, Outcome::Accepted(_)));
    assert_eq!(ingest.take(event()).await, Outcome::Duplicate);
    assert_eq!(bus.take().len(), 1);
    assert_eq!(
        ingest
            .counters()
            .retried()
            .map(|(_, count)| count)
            .collect::<Vec<_>>(),
        [1, 1, 0, 0]
    );
}

#[tokio::test]
async fn a_bus_that_hangs_gives_the_event_back() {
    let bus = RecordingBus::gated();
    let store = store().await;
    let ingest = Ingest::new(bus.clone(), store, IngestSettings::default());
    // Only now: the store's pool has timeouts of its own, and threads that paused time does not wait for.
    tokio::time::pause();
    let event = || delivery(cloud_event("1", r#"{"user_id":"a"}"#));
    let (first, second) = tokio::join!(ingest.take(event()), ingest.take(event()));
    assert_eq!(
        (first, second),
        (
            Outcome::Retry(RetryReason::Overloaded),
            Outcome::Retry(RetryReason::Overloaded)
        )
    );
    bus.let_through(1);
    assert!(matches!(ingest.take(event()).await, Outcome::Accepted(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redeliveries_at_the_same_time_are_published_once() {
    let bus = RecordingBus::new();
    let (ingest, _) = ingest(bus.clone()).await;
    let mut tasks = JoinSet::new();
    for number in 0..2_000 {
        let ingest = ingest.clone();
        tasks.spawn(async move {
            let id = (number % 50).to_string();
            ingest
                .take(delivery(cloud_event(&id, r#"{"user_id":"a"}"#)))
                .await
        });
    }
    tasks.join_all().await;
    assert_eq!(bus.take().len(), 50);
    assert_eq!(
        (ingest.counters().consumed(), ingest.counters().duplicates()),
        (50, 1_950)
    );
}

/// The event's data as a text frame.
struct DataOnly;

impl Encoding for DataOnly {
    fn frame(&self, event: &Event) -> Option<Frame> {
        Some(Frame::text(event.data.get()))
    }

    fn gap(&self, dropped: u32, _: Timestamp) -> Frame {
        Frame::text(&dropped.to_string())
    }
}

#[tokio::test]
async fn through_the_memory_bus_events_reach_the_members_of_the_room_in_order() {
    let mut builder = HubBuilder::new(HubLimits::default(), 1);
    let encoding = builder.encoding(Gateway::Tasks, Arc::new(DataOnly));
    let hub = builder.start();
    let heartbeat = Arc::new(Heartbeat {
        interval: Duration::from_secs(25),
        timeout: Some(Duration::from_secs(20)),
        frame: Frame::ping(&[]),
    });
    let connection = hub
        .open(Registration {
            gateway: Gateway::Tasks,
            heartbeat,
            socket: None,
            window: None,
        })
        .unwrap();
    connection
        .join(RoomName::new("user:a").unwrap(), encoding, None)
        .await;
    connection.send(Frame::text("joined")).await;
    let relay = connection.relay().unwrap();
    let mut texts = Vec::new();
    read(&mut texts, &relay.next().await.frames);
    assert_eq!(texts, ["joined"]);

    let ingest = Ingest::new(
        Arc::new(MemoryBus::new(hub)),
        store().await,
        IngestSettings::default(),
    );
    for (user, number) in [("a", 1), ("b", 2), ("a", 3), ("a", 4)] {
        let data = format!(r#"{{"user_id":"{user}", "n": {number}}}"#);
        let outcome = ingest
            .take(delivery(cloud_event(&number.to_string(), &data)))
            .await;
        assert!(matches!(outcome, Outcome::Accepted(_)));
    }
    while texts.len() < 4 {
        read(&mut texts, &relay.next().await.frames);
    }
    assert_eq!(
        texts[1..],
        [1, 3, 4].map(|number| format!(r#"{{"user_id":"a","n":{number}}}"#))
    );
}

fn read(texts: &mut Vec<String>, frames: &[Frame]) {
    let messages = frames
        .iter()
        .flat_map(|frame| frame.messages().collect::<Vec<_>>());
    texts.extend(
        messages
            .filter(|(opcode, _)| *opcode == Opcode::Text)
            .map(|(_, payload)| String::from_utf8(payload.to_vec()).unwrap()),
    );
}
