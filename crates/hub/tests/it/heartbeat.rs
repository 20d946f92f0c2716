//! Pings and silence, by the clock.

use crate::fixture::Fixture;
use std::time::Duration;
use tidings_hub::HubLimits;
use tokio::time::Instant;

fn limits() -> HubLimits {
    HubLimits {
        timer_tick: Duration::from_millis(5),
        ..HubLimits::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_peer_is_pinged_and_closed_after_interval_and_timeout() {
    let (interval, timeout) = (Duration::from_millis(200), Duration::from_millis(100));
    let fixture = Fixture::with_heartbeat(limits(), 1, interval, timeout).await;
    let opened = Instant::now();
    let (connection, mut client) = fixture.connect().await;
    let (head, _) = client.frame().await.unwrap();
    assert_eq!(head, 0x89, "a ping");
    assert!(opened.elapsed() >= interval / 2);
    assert_eq!(client.close_code().await, 4410);
    assert!(opened.elapsed() >= interval + timeout);
    assert!(connection.is_silent_too_long());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_shows_life_is_pinged_on() {
    let (interval, timeout) = (Duration::from_millis(60), Duration::from_millis(60));
    let fixture = Fixture::with_heartbeat(limits(), 1, interval, timeout).await;
    let (connection, mut client) = fixture.connect().await;
    let opened = Instant::now();
    for _ in 0..8 {
        let (head, _) = client.frame().await.unwrap();
        assert_eq!(head, 0x89, "a ping");
        connection.touch();
    }
    assert!(opened.elapsed() >= interval * 7);
    assert!(!connection.is_silent_too_long());
}
