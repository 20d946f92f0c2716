//! Members that do not keep up, in rooms that do not close them.

use crate::fixture::{Client, Fixture, event, room};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use tidings_hub::{Connection, Gateway, HubLimits};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Frame;

fn limits() -> HubLimits {
    HubLimits {
        outbox_frames_max: 64,
        outbox_bytes_max: 1 << 30,
        close_timeout: Duration::from_millis(300),
        timer_tick: Duration::from_millis(10),
        ..HubLimits::default()
    }
}

/// A connection with a relay, in these rooms: what waits for it is exactly what was published.
async fn relayed(fixture: &Fixture, rooms: &[&str]) -> Arc<Connection> {
    let connection = fixture.hub.open(fixture.registration(None)).unwrap();
    for name in rooms {
        connection.join(room(name), fixture.encoding, None).await;
    }
    fixture.hub.rooms(Gateway::Tasks).await;
    connection
}

async fn publish(fixture: &Fixture, rooms: &[&str], key: Option<&str>, data: &str) {
    let mut event = event(rooms, &format!("\"{data}\""));
    event.key = key.map(Into::into);
    fixture.hub.publish(event).await;
}

/// What waits on the relay once the shard has done all it was told, without quotes.
async fn taken(fixture: &Fixture, connection: &Connection) -> Vec<String> {
    fixture.hub.rooms(Gateway::Tasks).await;
    let taken = connection.relay().unwrap().take();
    let messages = taken.frames.iter().flat_map(Frame::messages);
    let mut texts: Vec<String> = messages
        .map(|(_, payload)| String::from_utf8(payload.to_vec()).unwrap())
        .map(|text| text.trim_matches('"').to_owned())
        .collect();
    texts.extend(
        taken
            .closed
            .map(|farewell| format!("closed {}", farewell.code.code())),
    );
    texts
}

#[tokio::test]
async fn of_waiting_events_of_one_room_and_key_the_latest_is_left() {
    let fixture = Fixture::with_classes(limits()).await;
    let connection = relayed(&fixture, &["latest:a", "latest:b", "other"]).await;
    for (rooms, key, data) in [
        (["latest:a"], Some("x"), "a x1"),
        (["latest:a"], Some("y"), "a y1"),
        (["latest:b"], Some("x"), "b x1"),
        (["other"], Some("x"), "other 1"),
        (["other"], Some("x"), "other 2"),
        (["latest:a"], None, "a kind 1"),
        (["latest:a"], Some("x"), "a x2"),
        (["latest:a"], None, "a kind 2"),
        (["latest:a"], Some("x"), "a x3"),
    ] {
        publish(&fixture, &rooms, key, data).await;
    }
    let left = ["a x3", "a y1", "b x1", "other 1", "other 2", "a kind 2"];
    assert_eq!(taken(&fixture, &connection).await, left);
    let figures = fixture.figures().await;
    assert_eq!(
        (figures.events_superseded, figures.lags, figures.deliveries),
        (3, 1, 9)
    );

    // What has been taken is not waiting any more.
    publish(&fixture, &["latest:a"], Some("x"), "a x4").await;
    assert_eq!(taken(&fixture, &connection).await, ["a x4"]);
}

#[tokio::test]
async fn answers_and_confirmations_keep_their_place_among_events() {
    let fixture = Fixture::with_classes(HubLimits {
        outbox_frames_max: 4,
        ..limits()
    })
    .await;
    let connection = relayed(&fixture, &["latest:a"]).await;
    publish(&fixture, &["latest:a"], None, "1").await;
    fixture.hub.rooms(Gateway::Tasks).await;
    connection
        .leave(room("latest:a"), Some(Frame::text("left")))
        .await;
    connection
        .join(room("latest:a"), fixture.encoding, Some(Frame::text("joined")))
        .await;
    fixture.hub.rooms(Gateway::Tasks).await;
    publish(&fixture, &["latest:a"], None, "2").await;
    assert_eq!(taken(&fixture, &connection).await, ["left", "joined", "2"]);

    connection.join(room("drop:a"), fixture.encoding, None).await;
    fixture.hub.rooms(Gateway::Tasks).await;
    for number in 1..=3 {
        publish(&fixture, &["drop:a"], None, &number.to_string()).await;
        fixture.hub.rooms(Gateway::Tasks).await;
        connection.send(Frame::text(&format!("answer {number}"))).await;
        fixture.hub.rooms(Gateway::Tasks).await;
    }
    let left = ["gap 2", "answer 1", "answer 2", "3", "answer 3"];
    assert_eq!(taken(&fixture, &connection).await, left);
}

#[tokio::test]
async fn at_the_bound_the_oldest_go_and_one_marker_counts_them() {
    let fixture = Fixture::with_classes(HubLimits {
        outbox_frames_max: 3,
        ..limits()
    })
    .await;
    let connection = relayed(&fixture, &["drop:a", "drop:b"]).await;
    for number in 0..10 {
        let name = if number % 2 == 0 { "drop:a" } else { "drop:b" };
        publish(&fixture, &[name], None, &number.to_string()).await;
    }
    assert_eq!(taken(&fixture, &connection).await, ["gap 7", "7", "8", "9"]);
    for number in 10..14 {
        publish(&fixture, &["drop:a"], None, &number.to_string()).await;
    }
    assert_eq!(taken(&fixture, &connection).await, ["gap 1", "11", "12", "13"]);
    let figures = fixture.figures().await;
    assert_eq!((figures.events_dropped, figures.gaps), (8, 2));
    assert_eq!(figures.closed.of(CloseCode::SlowConsumer), 0);
}

#[tokio::test]
async fn events_that_may_go_make_room_for_others_until_these_are_too_many_themselves() {
    let fixture = Fixture::with_classes(HubLimits {
        outbox_frames_max: 4,
        ..limits()
    })
    .await;
    let connection = relayed(&fixture, &["drop:a", "other", "latest:a"]).await;
    for (name, key, data) in [
        ("drop:a", None, "d1"),
        ("drop:a", None, "d2"),
        ("other", None, "1"),
        ("latest:a", Some("x"), "x1"),
        ("other", None, "2"),
        ("drop:a", None, "d3"),
        ("other", None, "3"),
        // Four wait that must: the next that may go goes at once.
        ("drop:a", None, "d4"),
        ("latest:a", Some("x"), "x2"),
    ] {
        publish(&fixture, &[name], key, data).await;
    }
    assert_eq!(taken(&fixture, &connection).await, ["gap 4", "1", "x2", "2", "3"]);
    for number in 0..5 {
        publish(&fixture, &["other"], None, &number.to_string()).await;
    }
    assert_eq!(taken(&fixture, &connection).await, ["closed 4508"]);
    assert_eq!(fixture.figures().await.closed.of(CloseCode::SlowConsumer), 1);
}

#[tokio::test]
async fn too_many_keys_close_too() {
    let fixture = Fixture::with_classes(HubLimits {
        outbox_frames_max: 4,
        ..limits()
    })
    .await;
    let connection = relayed(&fixture, &["latest:a"]).await;
    for number in 0..5 {
        let key = number.to_string();
        publish(&fixture, &["latest:a"], Some(&key), &key).await;
    }
    assert_eq!(taken(&fixture, &connection).await, ["closed 4508"]);
}

#[tokio::test]
async fn an_event_to_several_rooms_is_treated_as_the_one_that_loses_least_says() {
    let fixture = Fixture::with_classes(HubLimits {
        outbox_frames_max: 3,
        ..limits()
    })
    .await;
    let rooms = ["latest:a", "drop:a", "other"];
    let all = relayed(&fixture, &rooms).await;
    let drops = relayed(&fixture, &["latest:a", "drop:a"]).await;
    let latest = relayed(&fixture, &["latest:a"]).await;
    for number in 0..4 {
        publish(&fixture, &rooms, None, &number.to_string()).await;
    }
    assert_eq!(taken(&fixture, &all).await, ["closed 4508"]);
    assert_eq!(taken(&fixture, &drops).await, ["gap 1", "1", "2", "3"]);
    assert_eq!(taken(&fixture, &latest).await, ["3"]);
}

#[tokio::test]
async fn a_relays_frames_stay_what_they_were_on_the_socket_that_takes_its_place() {
    let fixture = Fixture::with_classes(HubLimits {
        outbox_frames_max: 3,
        ..limits()
    })
    .await;
    let (socket, mut client) = fixture.sockets().await;
    let connection = relayed(&fixture, &["drop:a"]).await;
    for number in 0..5 {
        publish(&fixture, &["drop:a"], None, &number.to_string()).await;
    }
    fixture.hub.rooms(Gateway::Tasks).await;
    connection.attach(Some(socket), None).unwrap();
    for expected in ["gap 2", "\"2\"", "\"3\"", "\"4\""] {
        assert_eq!(client.text().await, expected);
    }
}

/// Publishes events of 64 KiB, each with its number, a thousand a second at the most, until `is_enough`. Whoever is
/// given as `well` reads each before the next.
async fn publish_large(
    fixture: &Fixture,
    name: &str,
    keys: usize,
    mut well: Option<&mut Client>,
    is_enough: impl Fn(&Fixture) -> bool,
) -> usize {
    let padding = "x".repeat(64 * 1024);
    let mut pace = tokio::time::interval(Duration::from_millis(1));
    for number in 0..4_000 {
        pace.tick().await;
        let key = (number % keys).to_string();
        publish(fixture, &[name], Some(&key), &format!("{number} {padding}")).await;
        if let Some(well) = &mut well {
            assert_eq!(number_in(&well.text().await), Some(number));
        }
        if is_enough(fixture) && number % keys == keys - 1 {
            return number + 1;
        }
    }
    panic!("what was waited for did not come");
}

fn number_in(text: &str) -> Option<usize> {
    text.trim_matches('"').split(' ').next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_again_finds_each_gap_where_it_is_and_the_rest_in_order() {
    let fixture = Fixture::with_classes(limits()).await;
    let (slow, mut slow_client) = fixture.connect().await;
    let (well, mut well_client) = fixture.connect().await;
    for connection in [&slow, &well] {
        connection.join(room("drop:a"), fixture.encoding, None).await;
    }
    fixture.hub.rooms(Gateway::Tasks).await;
    let published = publish_large(&fixture, "drop:a", 1, Some(&mut well_client), |fixture| {
        fixture.hub.figures().events_dropped >= 100
    })
    .await;
    let dropped = fixture.figures().await.events_dropped as usize;

    let (mut next, mut gaps, mut received) = (0, 0, 0);
    while next < published {
        let text = slow_client.text().await;
        if let Some(count) = text.strip_prefix("gap ") {
            let count: usize = count.parse().unwrap();
            gaps += count;
            next += count;
        } else {
            assert_eq!(
                number_in(&text),
                Some(next),
                "nothing is missing but what the gaps say"
            );
            next += 1;
            received += 1;
        }
    }
    assert_eq!((gaps, received + dropped), (dropped, published));
    let figures = fixture.figures().await;
    assert_eq!(figures.gaps, 1, "one marker waited all the time");
    assert_eq!(figures.closed.of(CloseCode::SlowConsumer), 0);
    assert!(!slow.is_closing() && !well.is_closing());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_again_finds_the_latest_of_each_key() {
    const KEYS: usize = 3;
    let fixture = Fixture::with_classes(limits()).await;
    let (slow, mut slow_client) = fixture.connect().await;
    let (well, mut well_client) = fixture.connect().await;
    for connection in [&slow, &well] {
        connection.join(room("latest:a"), fixture.encoding, None).await;
    }
    fixture.hub.rooms(Gateway::Tasks).await;
    let published = publish_large(&fixture, "latest:a", KEYS, Some(&mut well_client), |fixture| {
        fixture.hub.figures().events_superseded >= 100
    })
    .await;
    fixture.hub.rooms(Gateway::Tasks).await;
    slow.send(Frame::text("end")).await;

    let mut last = [None; KEYS];
    let mut received = 0;
    loop {
        let text = slow_client.text().await;
        if text == "end" {
            break;
        }
        let number = number_in(&text).unwrap();
        assert!(last[number % KEYS] < Some(number), "in order for each key");
        last[number % KEYS] = Some(number);
        received += 1;
    }
    let expected: Vec<_> = (published - KEYS..published).map(Some).collect();
    let mut found = last.to_vec();
    found.sort_unstable();
    assert_eq!(found, expected);
    let figures = fixture.figures().await;
    assert_eq!(received + figures.events_superseded as usize, published);
    assert_eq!(figures.closed.of(CloseCode::SlowConsumer), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deaf_client_is_cut_in_the_end_whatever_the_class() {
    for name in ["drop:a", "latest:a"] {
        let fixture = Fixture::with_classes(HubLimits {
            outbox_age_max: Duration::from_millis(200),
            ..limits()
        })
        .await;
        let (deaf, _client) = fixture.connect().await;
        deaf.join(room(name), fixture.encoding, None).await;
        fixture.hub.rooms(Gateway::Tasks).await;
        publish_large(&fixture, name, 1, None, |fixture| {
            fixture.hub.figures().closed.of(CloseCode::SlowConsumer) == 1
        })
        .await;
        assert!(deaf.is_closing());
    }
}

/// Lets the other tasks run until `holds`, without a moment passing on a paused clock.
async fn settle(holds: impl Fn() -> bool) {
    for _ in 0..1_000_000 {
        if holds() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("what was waited for did not come");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_something_now_and_then_loses_what_is_too_old_and_stays() {
    let fixture = Fixture::with_classes(HubLimits {
        outbox_frames_max: 1 << 20,
        outbox_age_max: Duration::from_secs(30),
        timer_tick: Duration::from_millis(100),
        ..limits()
    })
    .await;
    let (slow, client) = fixture.connect().await;
    let mut client = client.stream.into_std().unwrap();
    slow.join(room("drop:a"), fixture.encoding, None).await;
    fixture.hub.rooms(Gateway::Tasks).await;
    let padding = "x".repeat(64 * 1024);
    let figures = || fixture.hub.figures();
    // More than the kernel takes, two times over.
    for number in 0..500 {
        publish(&fixture, &["drop:a"], None, &format!("{number} {padding}")).await;
        settle(|| figures().deliveries == number + 1).await;
    }
    settle(|| figures().writes_blocked == 1).await;

    let written = figures().frames_written;
    tokio::time::advance(Duration::from_secs(20)).await;
    let mut buffer = vec![0; 1 << 20];
    while client.read(&mut buffer).is_ok() {}
    settle(|| figures().frames_written > written && figures().writes_blocked == 2).await;
    assert_eq!(figures().events_dropped, 0);

    tokio::time::advance(Duration::from_secs(15)).await;
    settle(|| figures().events_dropped > 0).await;
    let figure = figures();
    assert_eq!(figure.gaps, 1);
    assert_eq!(
        figure.frames_written + figure.events_dropped + 1,
        500,
        "all but the one on its way were too old"
    );
    assert!(!slow.is_closing());

    tokio::time::advance(Duration::from_secs(20)).await;
    settle(|| figures().closed.of(CloseCode::SlowConsumer) == 1).await;
}
