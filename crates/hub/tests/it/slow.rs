//! Clients that do not read.

use crate::fixture::{Client, Fixture, room};
use std::time::Duration;
use tidings_hub::HubLimits;
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Frame;

fn limits() -> HubLimits {
    HubLimits {
        outbox_bytes_max: 256 * 1024,
        outbox_frames_max: 64,
        close_timeout: Duration::from_millis(300),
        timer_tick: Duration::from_millis(10),
        ..HubLimits::default()
    }
}

/// Publishes large events, a thousand a second at the most and none before `well` has read the one before, until the
/// hub has cut somebody.
async fn publish_until_cut(fixture: &Fixture, mut well: Option<&mut Client>) {
    let data = format!("\"{}\"", "x".repeat(64 * 1024));
    let mut pace = tokio::time::interval(Duration::from_millis(1));
    for _ in 0..2_000 {
        pace.tick().await;
        fixture.publish(&["r"], &data).await;
        if let Some(well) = &mut well {
            assert_eq!(well.text().await.len(), data.len());
        }
        if fixture.hub.figures().closed.of(CloseCode::SlowConsumer) > 0 {
            return;
        }
    }
    panic!("a client that never reads was not cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deaf_client_is_cut_and_reset_and_the_others_lose_nothing() {
    let fixture = Fixture::start(limits(), 1).await;
    let (deaf, deaf_client) = fixture.connect().await;
    let (well, mut well_client) = fixture.connect().await;
    deaf.join(room("r"), fixture.encoding, None).await;
    well.join(room("r"), fixture.encoding, Some(Frame::text("joined")))
        .await;
    assert_eq!(well_client.text().await, "joined");
    publish_until_cut(&fixture, Some(&mut well_client)).await;
    assert!(deaf.is_closing() && !well.is_closing());

    // Not writable within the close timeout: the connection is reset, which its task reads as the end.
    let socket = deaf.socket().unwrap();
    let mut byte = [0_u8; 1];
    loop {
        socket.readable().await.unwrap();
        match socket.try_read(&mut byte) {
            Ok(0) => break,
            Ok(_) => panic!("the deaf client sent nothing"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
    }
    assert_eq!(fixture.figures().await.resets, 1);
    deaf.gone();
    drop(deaf_client);
    fixture.hub.rooms(tidings_hub::Gateway::Tasks).await;
    assert_eq!(fixture.hub.connections(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_client_that_reads_again_finds_the_frame_in_flight_whole_and_4508_behind_it() {
    let fixture = Fixture::start(
        HubLimits {
            close_timeout: Duration::from_secs(30),
            ..limits()
        },
        1,
    )
    .await;
    let (slow, mut client) = fixture.connect().await;
    slow.join(room("r"), fixture.encoding, Some(Frame::text("joined")))
        .await;
    assert_eq!(client.text().await, "joined");
    publish_until_cut(&fixture, None).await;
    loop {
        let (head, payload) = client.frame().await.unwrap();
        if head == 0x88 {
            assert_eq!(payload[..2], 4508_u16.to_be_bytes());
            break;
        }
        assert_eq!((head, payload.len()), (0x81, 64 * 1024 + 2));
    }
    assert!(client.frame().await.is_none(), "nothing follows the close frame");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_wait_too_long_cut_their_client() {
    let limits = HubLimits {
        outbox_bytes_max: 1 << 30,
        outbox_frames_max: 1 << 20,
        outbox_age_max: Duration::from_millis(200),
        ..limits()
    };
    let fixture = Fixture::start(limits, 1).await;
    let (slow, mut client) = fixture.connect().await;
    slow.join(room("r"), fixture.encoding, Some(Frame::text("joined")))
        .await;
    assert_eq!(client.text().await, "joined");
    publish_until_cut(&fixture, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_writes_what_waits_then_the_code_and_refuses_what_follows() {
    let fixture = Fixture::start(HubLimits::default(), 1).await;
    let (connection, mut client) = fixture.connect().await;
    connection.join(room("r"), fixture.encoding, None).await;
    connection.send(Frame::text("last")).await;
    connection.close(CloseCode::Forbidden);
    connection.send(Frame::text("too late")).await;
    fixture.publish(&["r"], "1").await;
    assert_eq!(client.text().await, "last");
    assert_eq!(client.close_code().await, 4403);
    assert!(client.frame().await.is_none());
    assert_eq!(fixture.figures().await.closed.of(CloseCode::Forbidden), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_closes_everybody_with_its_code() {
    let fixture = Fixture::start(
        HubLimits {
            timer_tick: Duration::from_millis(10),
            ..HubLimits::default()
        },
        2,
    )
    .await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(fixture.connect().await);
    }
    fixture
        .hub
        .drain(CloseCode::ShuttingDown, Duration::from_millis(100));
    for (_, client) in &mut clients {
        assert_eq!(client.close_code().await, 1001);
    }
    let (_late, mut late_client) = fixture.connect().await;
    assert_eq!(late_client.close_code().await, 1001);
}

#[tokio::test]
async fn the_hub_refuses_more_connections_than_it_may_hold() {
    let fixture = Fixture::start(
        HubLimits {
            connections_max: 1,
            ..HubLimits::default()
        },
        1,
    )
    .await;
    let (first, _client) = fixture.connect().await;
    assert!(fixture.hub.open(fixture.registration(None)).is_err());
    first.gone();
    fixture.hub.rooms(tidings_hub::Gateway::Tasks).await;
    assert!(fixture.hub.open(fixture.registration(None)).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_that_outruns_the_flush_cuts_nobody_who_reads() {
    let fixture = Fixture::start(limits(), 1).await;
    let mut clients = Vec::new();
    for _ in 0..300 {
        let (connection, mut client) = fixture.connect().await;
        connection
            .join(room("r"), fixture.encoding, Some(Frame::text("joined")))
            .await;
        assert_eq!(client.text().await, "joined");
        clients.push(client);
    }
    for number in 0..500 {
        fixture.publish(&["r"], &number.to_string()).await;
    }
    for client in &mut clients {
        for number in 0..500 {
            assert_eq!(client.text().await, number.to_string());
        }
    }
    assert_eq!(fixture.figures().await.closed.of(CloseCode::SlowConsumer), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_larger_than_the_outbox_reaches_who_reads() {
    let fixture = Fixture::start(limits(), 1).await;
    let (connection, mut client) = fixture.connect().await;
    connection
        .join(room("r"), fixture.encoding, Some(Frame::text("joined")))
        .await;
    assert_eq!(client.text().await, "joined");
    let data = format!("\"{}\"", "x".repeat(4 * 1024 * 1024));
    fixture.publish(&["r"], &data).await;
    assert_eq!(client.text().await.len(), data.len());
    assert!(!connection.is_closing());

    let relayed = fixture.hub.open(fixture.registration(None)).unwrap();
    relayed.join(room("r"), fixture.encoding, None).await;
    fixture.publish(&["r"], &data).await;
    let taken = relayed.relay().unwrap().next().await;
    assert_eq!((taken.frames.len(), taken.closed), (1, None));
}
