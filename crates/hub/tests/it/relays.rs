//! Connections without a socket: pieces, silence, and the end of those that take nothing.

use crate::fixture::{Fixture, room};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;
use tidings_hub::{Connection, Farewell, Gateway, Heartbeat, HubLimits, Registration};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Frame;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// Longer than anything takes here; whoever waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

fn limits() -> HubLimits {
    HubLimits {
        close_timeout: Duration::from_millis(200),
        timer_tick: Duration::from_millis(5),
        ..HubLimits::default()
    }
}

/// A connection of a peer that never says anything, in room `r`.
async fn mute(fixture: &Fixture, interval: Duration) -> Arc<Connection> {
    let heartbeat = Heartbeat {
        interval,
        timeout: None,
        frame: Frame::ping(b""),
    };
    let registration = Registration {
        gateway: Gateway::Tasks,
        heartbeat: Arc::new(heartbeat),
        socket: None,
        window: None,
    };
    let connection = fixture.hub.open(registration).unwrap();
    connection
        .join(room("r"), fixture.encoding, Some(Frame::text("joined")))
        .await;
    let taken = connection.relay().unwrap().next().await;
    assert_eq!(taken.frames, [Frame::text("joined")]);
    connection
}

fn farewell(code: CloseCode) -> Farewell {
    Farewell {
        code,
        frame: Frame::close(code),
    }
}

struct Bell(Notify);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

#[tokio::test(start_paused = true)]
async fn pieces_are_bounded_and_the_end_comes_behind_the_last() {
    let fixture = Fixture::start(limits(), 1).await;
    let connection = mute(&fixture, Duration::from_secs(25)).await;
    let relay = connection.relay().unwrap();
    let large = "x".repeat(1_000);
    let sent = ["1", "2", "3", &large, "4"].map(Frame::text);
    for frame in &sent {
        connection.send(frame.clone()).await;
    }
    connection.close(CloseCode::ShuttingDown);
    // The hub closes at once and leaves what waits; this waits for nothing but that.
    while !connection.is_closing() {
        tokio::task::yield_now().await;
    }
    let mut pieces = Vec::new();
    let closed = loop {
        let taken = timeout(PATIENCE, relay.next_up_to(2 * sent[0].len()))
            .await
            .unwrap();
        pieces.push(taken.frames);
        if taken.closed.is_some() {
            break taken.closed;
        }
    };
    let expected = [&sent[..2], &sent[2..3], &sent[3..4], &sent[4..]];
    assert_eq!(pieces, expected);
    assert_eq!(closed, Some(farewell(CloseCode::ShuttingDown)));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_speaks_lives_as_long_as_it_takes_its_frames() {
    let limits = HubLimits {
        outbox_age_max: Duration::from_millis(300),
        ..limits()
    };
    let fixture = Fixture::start(limits, 1).await;
    let interval = Duration::from_millis(100);
    let connection = mute(&fixture, interval).await;
    let relay = connection.relay().unwrap();
    for _ in 0..8 {
        let taken = timeout(PATIENCE, relay.next()).await.unwrap();
        assert_eq!((taken.frames, taken.closed), (vec![Frame::ping(b"")], None));
    }
    assert!(!connection.is_silent_too_long());

    // From here on it takes nothing: the pings alone wait too long.
    let since = Instant::now();
    while !connection.is_closing() {
        assert!(since.elapsed() < PATIENCE, "nobody noticed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(since.elapsed() >= Duration::from_millis(300));
    let taken = relay.next().await;
    assert_eq!(
        (taken.frames, taken.closed),
        (vec![], Some(farewell(CloseCode::SlowConsumer)))
    );
    while fixture.hub.figures().closed.of(CloseCode::SlowConsumer) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(fixture.figures().await.closed.of(CloseCode::PingTimeout), 0);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_takes_is_found_too_old_without_another_frame() {
    let limits = HubLimits {
        outbox_age_max: Duration::from_millis(300),
        ..limits()
    };
    let fixture = Fixture::start(limits, 1).await;
    let connection = mute(&fixture, Duration::from_secs(25)).await;
    let relay = connection.relay().unwrap();
    // Each is taken in time, so the age of those before does not count.
    for _ in 0..4 {
        connection.send(Frame::text("taken")).await;
        let taken = timeout(PATIENCE, relay.next()).await.unwrap();
        assert_eq!((taken.frames, taken.closed), (vec![Frame::text("taken")], None));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(!connection.is_closing());
    connection.send(Frame::text("left")).await;
    let since = Instant::now();
    while !connection.is_closing() {
        assert!(since.elapsed() < Duration::from_secs(1), "nobody noticed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(
        since.elapsed() >= Duration::from_millis(295),
        "{:?}",
        since.elapsed()
    );
    let taken = relay.take();
    assert_eq!(
        (taken.frames, taken.closed),
        (vec![], Some(farewell(CloseCode::SlowConsumer)))
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_that_writes_is_told_of_frames_and_of_the_end() {
    let fixture = Fixture::start(limits(), 1).await;
    let connection = mute(&fixture, Duration::from_secs(25)).await;
    let before = fixture.figures().await;
    connection.send(Frame::text("1")).await;
    let next = async || {
        let next = poll_fn(|context| connection.poll_stream(context, 1_000));
        timeout(PATIENCE, next).await.unwrap()
    };
    assert_eq!(next().await.frames, [Frame::text("1")]);
    let echo = Frame::close_raw(Some(3_999), "");
    connection.close_with(CloseCode::Normal, echo.clone());
    let last = next().await.closed.unwrap();
    assert_eq!((last.code, &last.frame), (CloseCode::Normal, &echo));
    let relay = connection.relay().unwrap();
    let since = Instant::now();
    timeout(PATIENCE, poll_fn(|context| relay.poll_cut(context)))
        .await
        .unwrap();
    assert!(
        since.elapsed() >= Duration::from_millis(190),
        "{:?}",
        since.elapsed()
    );
    let figures = fixture.figures().await;
    let written = figures.frames_written - before.frames_written;
    let bytes = figures.bytes_written - before.bytes_written;
    assert_eq!((written, bytes), (2, (3 + echo.len()) as u64));
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_end_after_its_close_is_cut() {
    let fixture = Fixture::start(limits(), 1).await;
    let connection = mute(&fixture, Duration::from_secs(25)).await;
    let bell = Arc::new(Bell(Notify::new()));
    let relay = connection.relay().unwrap();
    relay.on_cut(Waker::from(bell.clone()));
    for text in ["1", "2", "3"] {
        connection.send(Frame::text(text)).await;
    }
    let since = Instant::now();
    connection.close(CloseCode::TokenExpired);
    timeout(PATIENCE, bell.0.notified()).await.unwrap();
    assert!(since.elapsed() >= Duration::from_millis(200));
    let taken = relay.take();
    assert_eq!(
        (taken.frames, taken.closed),
        (vec![], Some(farewell(CloseCode::TokenExpired)))
    );
    connection.gone();
    // Figures are published once a lap.
    while fixture.hub.figures().gone == 0 {
        tokio::task::yield_now().await;
    }
    let figures = fixture.figures().await;
    assert_eq!((figures.resets, figures.frames_dropped, figures.gone), (1, 3, 1));
}
