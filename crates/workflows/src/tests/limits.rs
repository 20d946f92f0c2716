//! What one user may do over all connections.

use tidings_transport::{Incoming, Limit, Protocol};
use tidings_wire::close_code::CloseCode;

use super::fixture::Fixture;
use crate::WorkflowsLimits;

#[tokio::test]
async fn rooms_of_a_user_are_bounded_over_all_connections() {
    let limits = WorkflowsLimits {
        rooms_per_user_max: 2,
        ..WorkflowsLimits::default()
    };
    let fixture = Fixture::with(limits).await;
    fixture.registered("ann").await;
    let (mut one, mut two) = (fixture.client("ann").await, fixture.client("ann").await);
    assert_eq!(one.subscribe("execution:e").await["event"], "subscribed");
    assert_eq!(two.subscribe("execution:e").await["event"], "subscribed");
    for room in ["workflow:w", "execution:x", "workflow:x"] {
        let refusal = format!(r#"{{"type":"error","message":"Too many rooms","room_id":"{room}"}}"#);
        two.send(&format!(r#"{{"type":"subscribe","room_id":"{room}"}}"#))
            .await;
        assert_eq!(two.text().await, refusal, "whatever the rules say");
    }
    // What it is in already, and its user's own room, cost nothing.
    assert_eq!(two.subscribe("execution:e").await["event"], "subscribed");
    two.send(r#"{"type":"unsubscribe","room_id":"user:ann"}"#).await;
    assert_eq!(two.json().await["event"], "unsubscribed");
    assert_eq!(two.subscribe("user:ann").await["event"], "subscribed");
    // Another user's are counted apart.
    let denied = fixture.client("bob").await.subscribe("execution:e").await;
    assert_eq!(denied["message"], "Access denied to room");
    // Places are given back: by leaving a room, by leaving.
    one.send(r#"{"type":"unsubscribe","room_id":"execution:e"}"#)
        .await;
    assert_eq!(one.json().await["event"], "unsubscribed");
    assert_eq!(two.subscribe("workflow:w").await["event"], "subscribed");
    assert_eq!(one.subscribe("execution:e").await["message"], "Too many rooms");
    drop(two);
    for room in ["execution:e", "workflow:w"] {
        assert_eq!(one.subscribe(room).await["event"], "subscribed");
    }
    let counters = fixture.workflows.0.transport.counters();
    assert_eq!(counters.of(Limit::RoomsPerUser), 4);
    assert_eq!(counters.of(Limit::RoomsPerConnection), 0);
}

#[tokio::test]
async fn messages_of_a_user_have_a_rate_over_all_connections() {
    let limits = WorkflowsLimits {
        messages_per_user_per_second: 1,
        messages_per_user_burst: 4,
        ..WorkflowsLimits::default()
    };
    let fixture = Fixture::with(limits).await;
    let (mut one, mut two) = (fixture.client("ann").await, fixture.client("ann").await);
    let ping = || Incoming::Text(r#"{"type":"ping"}"#.into());
    let mut answers = Vec::new();
    for _ in 0..6 {
        for client in [&mut one, &mut two] {
            assert_eq!(client.session.receive(ping()).await, Ok(()), "it is told first");
            answers.push(client.text().await);
        }
    }
    let pongs = answers.iter().filter(|answer| answer.contains("pong")).count();
    assert!((4..=6).contains(&pongs), "{pongs} within the burst");
    let warning = r#"{"type":"error","message":"Rate limited"}"#;
    assert_eq!(answers.last().map(String::as_str), Some(warning));
    // Another user has a rate of its own.
    let mut bob = fixture.client("bob").await;
    assert!(bob.drain().await.is_empty());
    // Who goes on is closed.
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    let outcome = loop {
        let outcome = one.session.receive(ping()).await;
        if outcome.is_err() {
            break outcome;
        }
    };
    assert_eq!(outcome, Err(CloseCode::RateLimited));
    let counters = fixture.workflows.0.transport.counters();
    assert!(counters.of(Limit::MessagesPerUser) > 12 - 6);
}
