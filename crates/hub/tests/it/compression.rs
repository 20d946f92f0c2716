//! Compressed frames: made once, and only for those who agreed to them.

use crate::fixture::{Client, Fixture, room};
use std::sync::Arc;
use tidings_hub::{Connection, HubLimits, Registration};
use tidings_wire::websocket::{Deflater, Deflation, Frame, WindowBits};
use tokio::net::{TcpListener, TcpStream};

const DEFLATED_TEXT: u8 = 0xC1;
const TEXT: u8 = 0x81;

fn bits(bits: u8) -> WindowBits {
    WindowBits::new(bits).unwrap()
}

/// JSON text that compresses, and is long enough to be.
fn long(name: &str) -> String {
    format!("\"{}\"", name.repeat(2_000))
}

/// The payload that a peer with this window gets for `text`.
fn deflated(text: &str, window: WindowBits) -> Vec<u8> {
    let frame = Deflater::new(Deflation::default()).deflate(&Frame::text(text), window);
    let (_, payload) = frame.messages().next().unwrap();
    assert!(payload.len() < text.len());
    payload.to_vec()
}

async fn join(fixture: &Fixture, connection: &Arc<Connection>, client: &mut Client) {
    connection
        .join(room("r"), fixture.encoding, Some(Frame::text("joined")))
        .await;
    assert_eq!(client.text().await, "joined");
}

/// Joins, and takes the confirmation, so that what is published from now on is delivered.
async fn join_relayed(fixture: &Fixture, connection: &Arc<Connection>, name: &str) {
    let joined = Frame::text("joined");
    connection
        .join(room(name), fixture.encoding, Some(joined.clone()))
        .await;
    assert_eq!(connection.relay().unwrap().next().await.frames, [joined]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_compressed_once_for_each_window_however_many_members_it_has() {
    let fixture = Fixture::start(HubLimits::default(), 2).await;
    let mut members = Vec::new();
    for number in 0..120 {
        let window = match number % 3 {
            0 => None,
            1 => Some(bits(15)),
            _ => Some(bits(9)),
        };
        let (connection, mut client) = fixture.connect_with(window).await;
        join(&fixture, &connection, &mut client).await;
        members.push((window, client));
    }
    for (round, text) in [long("first "), long("second ")].into_iter().enumerate() {
        fixture.publish(&["r"], &text).await;
        for (window, client) in &mut members {
            let expected = match window {
                None => (TEXT, text.clone().into_bytes()),
                Some(window) => (DEFLATED_TEXT, deflated(&text, *window)),
            };
            assert!(client.frame().await.unwrap() == expected, "{window:?}");
        }
        let figures = fixture.hub.figures().deflated;
        let rounds = round as u64 + 1;
        assert_eq!(figures.messages, 2 * rounds);
        assert!(figures.deflated_bytes * 10 < figures.plain_bytes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_events_stay_plain_and_in_order_with_the_long_ones() {
    let fixture = Fixture::start(HubLimits::default(), 1).await;
    let (connection, mut client) = fixture.connect_with(Some(bits(15))).await;
    join(&fixture, &connection, &mut client).await;
    let long = long("long ");
    for number in 0..200 {
        fixture.publish(&["r"], &number.to_string()).await;
        if number % 7 == 0 {
            fixture.publish(&["r"], &long).await;
            // To several rooms, which takes another way.
            fixture.publish(&["r", "other"], &long).await;
        }
    }
    let expected = deflated(&long, bits(15));
    for number in 0..200 {
        assert_eq!(client.text().await, number.to_string());
        if number % 7 == 0 {
            for _ in 0..2 {
                assert!(client.frame().await.unwrap() == (DEFLATED_TEXT, expected.clone()));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn direct_answers_and_confirmations_are_compressed_too() {
    let fixture = Fixture::start(HubLimits::default(), 1).await;
    let (connection, mut client) = fixture.connect_with(Some(bits(12))).await;
    let (plain, mut plain_client) = fixture.connect().await;
    let text = long("answer ");
    for connection in [&connection, &plain] {
        let frame = || Frame::text(&text);
        connection.send(frame()).await;
        connection.join(room("r"), fixture.encoding, Some(frame())).await;
        connection.leave(room("r"), Some(frame())).await;
        connection.send(Frame::text("short")).await;
    }
    for _ in 0..3 {
        let expected = (DEFLATED_TEXT, deflated(&text, bits(12)));
        assert!(client.frame().await.unwrap() == expected);
        assert_eq!(plain_client.text().await, text);
    }
    assert_eq!(client.text().await, "short");
    assert_eq!(plain_client.text().await, "short");
    assert_eq!(fixture.figures().await.deflated.messages, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_frame_of_several_messages_each_is_compressed() {
    let fixture = Fixture::start(HubLimits::default(), 1).await;
    let (connection, mut client) = fixture.connect_with(Some(bits(15))).await;
    let text = long("attachment ");
    let parts = [Frame::text(&text), Frame::binary(b"short"), Frame::text(&text)];
    connection.send(Frame::concat(parts)).await;
    for expected in [
        (DEFLATED_TEXT, deflated(&text, bits(15))),
        (0x82, b"short".to_vec()),
        (DEFLATED_TEXT, deflated(&text, bits(15))),
    ] {
        assert!(client.frame().await.unwrap() == expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_gets_the_form_that_its_peer_agreed_to() {
    let fixture = Fixture::start(HubLimits::default(), 1).await;
    let text = long("relayed ");
    let plain = Frame::text(&text);
    let deflated = Deflater::new(Deflation::default()).deflate(&plain, bits(15));
    for (window, expected) in [(None, &plain), (Some(bits(15)), &deflated)] {
        let registration = Registration {
            window,
            ..fixture.registration(None)
        };
        let connection = fixture.hub.open(registration).unwrap();
        join_relayed(&fixture, &connection, "r").await;
        connection.send(plain.clone()).await;
        fixture.publish(&["r"], &text).await;
        let relay = connection.relay().unwrap();
        let mut taken = Vec::new();
        while taken.len() < 2 {
            taken.extend(relay.next().await.frames);
        }
        assert!(taken == [expected.clone(), expected.clone()], "{window:?}");
        connection.gone();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_moves_to_a_websocket_is_compressed_from_there_on() {
    let fixture = Fixture::start(HubLimits::default(), 1).await;
    let connection = fixture.hub.open(fixture.registration(None)).unwrap();
    join_relayed(&fixture, &connection, "before").await;
    let text = long("moving ");
    fixture.publish(&["before"], &text).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (stream, accepted) = tokio::join!(
        TcpStream::connect(listener.local_addr().unwrap()),
        listener.accept()
    );
    let (_, mut client) = fixture.connect().await;
    client.stream = stream.unwrap();
    let socket = accepted.unwrap().0;
    connection.attach(Some(socket), Some(bits(10))).unwrap();
    connection
        .join(room("after"), fixture.encoding, Some(Frame::text("joined")))
        .await;
    assert!(client.frame().await.unwrap() == (TEXT, text.clone().into_bytes()));
    assert_eq!(client.text().await, "joined");
    let expected = deflated(&text, bits(10));
    // The membership of the time before and the one after it, and answers.
    for name in ["before", "after"] {
        fixture.publish(&[name], &text).await;
        assert!(
            client.frame().await.unwrap() == (DEFLATED_TEXT, expected.clone()),
            "{name}"
        );
    }
    connection.send(Frame::text(&text)).await;
    assert!(client.frame().await.unwrap() == (DEFLATED_TEXT, expected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_moves_to_a_websocket_without_a_socket_keeps_its_relay() {
    let fixture = Fixture::start(HubLimits::default(), 1).await;
    let connection = fixture.hub.open(fixture.registration(None)).unwrap();
    join_relayed(&fixture, &connection, "before").await;
    let text = long("moving ");
    fixture.publish(&["before"], &text).await;
    connection.attach(None, Some(bits(10))).unwrap();
    connection
        .join(room("after"), fixture.encoding, Some(Frame::text("joined")))
        .await;
    let relay = connection.relay().unwrap();
    let mut taken = Vec::new();
    while taken.len() < 2 {
        taken.extend(relay.next().await.frames);
    }
    let plain = Frame::text(&text);
    assert!(taken == [plain.clone(), Frame::text("joined")]);
    let deflated = Deflater::new(Deflation::default()).deflate(&plain, bits(10));
    for name in ["before", "after"] {
        fixture.publish(&[name], &text).await;
        assert!(relay.next().await.frames == [deflated.clone()], "{name}");
    }
    connection.send(plain).await;
    assert!(relay.next().await.frames == [deflated]);
    connection.gone();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_does_not_compress_sends_plain_frames() {
    let limits = HubLimits {
        compression: None,
        ..HubLimits::default()
    };
    let fixture = Fixture::start(limits, 1).await;
    assert!(!fixture.hub.compresses());
    let (connection, mut client) = fixture.connect_with(Some(bits(15))).await;
    join(&fixture, &connection, &mut client).await;
    let text = long("plain ");
    fixture.publish(&["r"], &text).await;
    assert_eq!(client.text().await, text);
}
