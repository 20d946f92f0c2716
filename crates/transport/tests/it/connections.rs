//! Upgraded connections, from their first message to their end; each test runs over a socket as it is and over TLS.

use crate::client::{Received, close, frame, text};
use crate::server::{Server, Setup};
use std::time::Duration;
use tidings_hub::HubLimits;
use tidings_transport::{HeartbeatTimes, TransportLimits, Via};
use tidings_wire::close_code::CloseCode;

fn setup() -> Setup {
    Setup {
        is_secure: module_path!().contains("secure"),
        ..Setup::default()
    }
}

/// Longer than anything takes here, and shorter than a socket has for what its client does not take.
const PATIENCE: Duration = Duration::from_secs(20);

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "{what}");
}

/// Waits until the server has seen that everybody left.
async fn all_gone(server: &Server) {
    until("all have gone", || {
        server.transport.hub().connections() == 0 && server.protocols.count() == 0
    })
    .await;
}

#[tokio::test]
async fn text_and_binary_come_back() {
    let server = Server::with(setup());
    let mut client = server.echo_client().await;
    client.expect_echo("hällo").await;
    client.write(&frame(0x82, &[0, 255])).await;
    assert_eq!(client.receive().await, Received::Binary(vec![0, 255]));
    let figures = server.transport.counters().figures();
    assert_eq!((figures.messages_received, figures.bytes_received), (2, 12 + 8));
    let open: Vec<_> = figures
        .open
        .iter()
        .filter(|kind| kind.count == 1)
        .map(|kind| kind.via)
        .collect();
    assert_eq!(open, [Via::Websocket]);
}

#[tokio::test]
async fn messages_that_came_with_the_request_are_first() {
    let server = Server::with(setup());
    let mut client = server.client().await;
    let mut early = text("one");
    let second = text("two");
    early.extend(&second[..3]);
    assert_eq!(client.upgrade_with("/echo", &[], &early).await.status, 101);
    assert_eq!(client.receive().await, Received::Text("one".into()));
    client.write(&second[3..]).await;
    assert_eq!(client.receive().await, Received::Text("two".into()));
}

#[tokio::test]
async fn messages_larger_than_the_read_buffer_come_whole() {
    let server = Server::with(setup());
    let mut client = server.echo_client().await;
    for length in [65_535, 65_536, 65_537, 100_000] {
        client.expect_echo(&"x".repeat(length)).await;
    }
    // Several in one read, in order.
    let all: Vec<u8> = (0..100).flat_map(|number| text(&number.to_string())).collect();
    client.write(&all).await;
    for number in 0..100 {
        assert_eq!(client.receive().await, Received::Text(number.to_string()));
    }
}

#[tokio::test]
async fn pings_are_answered_between_fragments() {
    let server = Server::with(setup());
    let mut client = server.echo_client().await;
    client
        .write(&[frame(0x01, b"he"), frame(0x89, b"p"), frame(0x80, b"llo")].concat())
        .await;
    assert_eq!(client.receive().await, Received::Pong(b"p".to_vec()));
    assert_eq!(client.receive().await, Received::Text("hello".into()));
    client.write(&frame(0x8A, b"unasked")).await;
    client.expect_echo("on").await;
}

#[tokio::test]
async fn a_close_is_echoed_and_ends_the_connection() {
    let server = Server::with(setup());
    for (sent, answer) in [
        (close(1000), Received::Close(Some(1000), String::new())),
        (close(3999), Received::Close(Some(3999), String::new())),
        (frame(0x88, b""), Received::Close(None, String::new())),
    ] {
        let mut client = server.echo_client().await;
        client.write(&[text("last"), sent].concat()).await;
        assert_eq!(client.receive().await, Received::Text("last".into()));
        assert_eq!(client.receive().await, answer);
        assert_eq!(client.receive().await, Received::End);
        drop(client);
        all_gone(&server).await;
    }
    assert_eq!(server.transport.hub().figures().closed.of(CloseCode::Normal), 3);
}

#[tokio::test]
async fn broken_frames_close_with_their_code() {
    let server = Server::with(setup());
    for (sent, code, reason) in [
        (b"\x81\x02hi".to_vec(), 1002, "protocol_error"),
        (frame(0x81, b"\xff"), 1007, "invalid_utf8"),
        (frame(0x82, &vec![0; 100_001]), 1009, "message_too_big"),
        (text("close me"), 4403, "forbidden"),
    ] {
        let mut client = server.echo_client().await;
        // Behind the offence nothing is handled, and nothing of it resets the connection.
        client.write(&[sent, text("ignored")].concat()).await;
        client.expect_close(code, reason).await;
        drop(client);
        all_gone(&server).await;
    }
}

#[tokio::test]
async fn messages_have_a_rate() {
    let limits = TransportLimits {
        messages_per_second: 1,
        message_burst: 3,
        ..TransportLimits::default()
    };
    let server = Server::with(Setup { limits, ..setup() });
    let mut client = server.echo_client().await;
    client
        .write(&[text("1"), frame(0x89, b""), text("3"), text("4"), text("5")].concat())
        .await;
    assert_eq!(client.receive().await, Received::Text("1".into()));
    assert_eq!(client.receive().await, Received::Pong(Vec::new()));
    assert_eq!(client.receive().await, Received::Text("3".into()));
    client.expect_close(4429, "rate_limited").await;
}

#[tokio::test]
async fn the_protocol_ends_with_the_client() {
    let server = Server::with(setup());
    let mut client = server.echo_client().await;
    client.expect_echo("hello").await;
    assert_eq!(server.protocols.count(), 1);
    drop(client);
    all_gone(&server).await;
    let figures = server.transport.counters().figures();
    assert_eq!(figures.durations.iter().sum::<u64>(), 1);
    assert!(figures.open.iter().all(|kind| kind.count == 0));
}

#[tokio::test]
async fn a_client_that_stays_after_its_close_is_reset() {
    let hub = HubLimits {
        close_timeout: Duration::from_millis(300),
        ..HubLimits::default()
    };
    let server = Server::with(Setup { hub, ..setup() });
    let mut client = server.echo_client().await;
    client.write(&text("close me")).await;
    client.expect_close(4403, "forbidden").await;
    // The client neither answers nor closes.
    all_gone(&server).await;
    assert_eq!(server.transport.hub().figures().resets, 1);
}

#[tokio::test]
async fn a_silent_client_is_closed_with_its_code() {
    let heartbeat = HeartbeatTimes {
        interval: Duration::from_millis(200),
        timeout: Duration::from_millis(200),
    };
    let server = Server::with(Setup { heartbeat, ..setup() });
    let mut client = server.echo_client().await;
    loop {
        match client.receive().await {
            Received::Ping(payload) => assert!(payload.is_empty()),
            Received::Close(code, reason) => {
                assert_eq!((code, reason.as_str()), (Some(4410), "ping_timeout"));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    drop(client);
    all_gone(&server).await;
}

#[tokio::test]
async fn a_drain_closes_everybody() {
    let server = Server::with(setup());
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = server.echo_client().await;
        client.expect_echo("here").await;
        clients.push(client);
    }
    server.transport.shutdown().cancel();
    server
        .transport
        .hub()
        .drain(CloseCode::ShuttingDown, Duration::from_millis(200));
    for mut client in clients {
        client.expect_close(1001, "shutting_down").await;
    }
    server.tracker.close();
    server.tracker.wait().await;
}

/// Small bounds, so that a client that does not read is soon over them.
fn slow(close_timeout: Duration) -> Setup {
    Setup {
        hub: HubLimits {
            outbox_bytes_max: 256 * 1024,
            outbox_frames_max: 64,
            close_timeout,
            timer_tick: Duration::from_millis(10),
            ..HubLimits::default()
        },
        ..setup()
    }
}

async fn cut(server: &Server) {
    until("one is cut", || {
        let figures = server.transport.hub().figures();
        figures.closed.of(CloseCode::SlowConsumer) != 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_cut_and_reset() {
    let server = Server::with(slow(Duration::from_millis(300)));
    let mut client = server.echo_client().await;
    client.write(&text("flood 10000")).await;
    cut(&server).await;
    all_gone(&server).await;
    let figures = server.transport.hub().figures();
    assert_eq!(
        (figures.closed.of(CloseCode::SlowConsumer), figures.resets),
        (1, 1)
    );
    client.read_to_end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_client_that_reads_again_finds_whole_frames_and_4508_behind_them() {
    let server = Server::with(slow(Duration::from_secs(30)));
    let mut client = server.echo_client().await;
    client.write(&text("flood 10000")).await;
    cut(&server).await;
    let mut frames = 0;
    loop {
        match client.receive().await {
            Received::Text(text) => assert_eq!(text.len(), 64 * 1024),
            end => break assert_eq!(end, Received::Close(Some(4508), "slow_consumer".into())),
        }
        frames += 1;
    }
    assert_eq!(client.receive().await, Received::End);
    drop(client);
    all_gone(&server).await;
    let figures = server.transport.hub().figures();
    // What was written, the close frame among it, and nothing twice.
    assert_eq!((figures.frames_written, figures.resets), (frames + 1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_too_long_is_not_waited_for() {
    let mut setup = slow(Duration::from_millis(300));
    setup.hub.outbox_bytes_max = 1024 * 1024 * 1024;
    setup.hub.outbox_frames_max = 1_000_000;
    setup.hub.outbox_age_max = Duration::from_millis(300);
    let server = Server::with(setup);
    let mut client = server.echo_client().await;
    // More than the kernel's buffers take, and then nothing that could find the outbox too old.
    client.write(&text("flood 200")).await;
    cut(&server).await;
    all_gone(&server).await;
    client.read_to_end().await;
}
