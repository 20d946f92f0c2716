//! Pings and silence, by a clock that stands while there is something to do. Without a socket, which would need a real one.

use crate::fixture::Fixture;
use std::time::Duration;
use tidings_hub::{Farewell, HubLimits};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Frame;
use tokio::time::Instant;

const TICK: Duration = Duration::from_millis(5);

fn limits() -> HubLimits {
    HubLimits {
        timer_tick: TICK,
        ..HubLimits::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_pinged_and_closed_after_interval_and_timeout() {
    let (interval, timeout) = (Duration::from_millis(200), Duration::from_millis(100));
    let fixture = Fixture::with_heartbeat(limits(), 1, interval, timeout).await;
    let opened = Instant::now();
    let connection = fixture.hub.open(fixture.registration(None)).unwrap();
    let relay = connection.relay().unwrap();
    let taken = relay.next().await;
    assert_eq!((taken.frames, taken.closed), (vec![Frame::ping(b"")], None));
    assert!(opened.elapsed() >= interval / 2);
    let taken = relay.next().await;
    let code = CloseCode::PingTimeout;
    let farewell = Farewell {
        code,
        frame: Frame::close(code),
    };
    assert_eq!((taken.frames, taken.closed), (vec![], Some(farewell)));
    let silence = opened.elapsed();
    assert!(
        (interval + timeout..interval + timeout + 4 * TICK).contains(&silence),
        "{silence:?}"
    );
    assert!(connection.is_silent_too_long());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_shows_life_is_pinged_on() {
    let (interval, timeout) = (Duration::from_millis(60), Duration::from_millis(60));
    let fixture = Fixture::with_heartbeat(limits(), 1, interval, timeout).await;
    let opened = Instant::now();
    let connection = fixture.hub.open(fixture.registration(None)).unwrap();
    for _ in 0..8 {
        let taken = connection.relay().unwrap().next().await;
        assert_eq!((taken.frames, taken.closed), (vec![Frame::ping(b"")], None));
        connection.touch();
    }
    assert!(opened.elapsed() >= interval * 7);
    assert!(!connection.is_silent_too_long());
}
