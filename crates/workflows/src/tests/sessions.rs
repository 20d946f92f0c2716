//! Opening, rooms, errors, expiry.

use tidings_access::{Revocation, RevokedTokens, UserId};
use tidings_transport::{Incoming, Protocol};
use tidings_wire::close_code::CloseCode;

use super::fixture::Fixture;
use crate::WorkflowsLimits;

#[tokio::test]
async fn two_opening_frames_in_documented_order() {
    let fixture = Fixture::new().await;
    let mut client = fixture.open("ann").await.unwrap();
    let (id, now) = (client.connection.id(), fixture.workflows.0.now());
    assert_eq!(
        client.text().await,
        format!(r#"{{"type":"connection","event":"connected","connection_id":"{id}","timestamp":"{now}"}}"#)
    );
    assert_eq!(
        client.text().await,
        format!(r#"{{"type":"subscription","event":"subscribed","room_id":"user:ann","timestamp":"{now}"}}"#)
    );
}

#[tokio::test]
async fn owners_enter_and_others_get_the_same_bytes_for_foreign_and_missing_rooms() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let mut ann = fixture.client("ann").await;
    for room in ["execution:e", "workflow:w", "user:ann", "execution:e"] {
        let answer = ann.subscribe(room).await;
        assert_eq!(
            (answer["event"].as_str(), answer["room_id"].as_str()),
            (Some("subscribed"), Some(room))
        );
    }
    let mut bob = fixture.client("bob").await;
    for room in [
        "execution:e",
        "execution:x",
        "workflow:w",
        "workflow:x",
        "user:ann",
        "tenant:demo1",
        "execution:",
        "",
        "x",
    ] {
        bob.send(&format!(r#"{{"type":"subscribe","room_id":"{room}"}}"#))
            .await;
        let expected = format!(r#"{{"type":"error","message":"Access denied to room","room_id":"{room}"}}"#);
        assert_eq!(bob.text().await, expected);
    }
    assert_eq!(fixture.workflows.0.directory.rooms_count(), 4);
}

#[tokio::test]
async fn errors_keep_the_connection() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client("ann").await;
    for (message, answer) in [
        ("ping", r#"{"type":"error","message":"Invalid JSON format"}"#),
        (
            r#"{"type":"subscribe"}"#,
            r#"{"type":"error","message":"Missing room_id"}"#,
        ),
        (
            r#"{"type":"unsubscribe"}"#,
            r#"{"type":"error","message":"Missing room_id"}"#,
        ),
        (
            r#"{"type":"dance"}"#,
            r#"{"type":"error","message":"Unknown message type: dance"}"#,
        ),
    ] {
        client.send(message).await;
        assert_eq!(client.text().await, answer);
    }
    let binary = |bytes: &'static [u8]| Incoming::Binary(bytes::Bytes::from_static(bytes));
    client
        .session
        .receive(binary(br#"{"type":"ping"}"#))
        .await
        .unwrap();
    assert_eq!(client.json().await["type"], "pong");
    client.session.receive(binary(b"\xff")).await.unwrap();
    assert_eq!(client.json().await["message"], "Invalid JSON format");
}

#[tokio::test]
async fn unsubscribing_stops_the_events_and_is_always_confirmed() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let mut client = fixture.client("ann").await;
    client.subscribe("execution:e").await;
    for _ in 0..2 {
        client
            .send(r#"{"type":"unsubscribe","room_id":"execution:e"}"#)
            .await;
        assert_eq!(client.json().await["event"], "unsubscribed");
    }
    fixture
        .backend("POST", "/executions/e/status", r#"{"status":"running"}"#)
        .await;
    assert_eq!(client.drain().await, Vec::<serde_json::Value>::new());
    assert_eq!(fixture.workflows.0.directory.rooms_count(), 1);
}

#[tokio::test]
async fn rooms_of_a_connection_are_bounded() {
    let limits = WorkflowsLimits {
        rooms_per_connection_max: 2,
        ..WorkflowsLimits::default()
    };
    let fixture = Fixture::with(limits).await;
    fixture.registered("ann").await;
    let mut client = fixture.client("ann").await;
    assert_eq!(client.subscribe("execution:e").await["event"], "subscribed");
    assert_eq!(client.subscribe("workflow:w").await["message"], "Too many rooms");
    assert_eq!(client.subscribe("execution:e").await["event"], "subscribed");
    client
        .send(r#"{"type":"unsubscribe","room_id":"execution:e"}"#)
        .await;
    assert_eq!(client.json().await["event"], "unsubscribed");
    assert_eq!(client.subscribe("workflow:w").await["event"], "subscribed");
}

#[tokio::test]
async fn connections_of_a_user_are_bounded_and_given_back() {
    let limits = WorkflowsLimits {
        connections_per_user_max: 1,
        ..WorkflowsLimits::default()
    };
    let fixture = Fixture::with(limits).await;
    let first = fixture.client("ann").await;
    assert_eq!(fixture.open("ann").await.err(), Some(CloseCode::RateLimited));
    let other = fixture.client("bob").await;
    drop(first);
    assert_eq!(fixture.workflows.connections(), 1);
    drop(fixture.client("ann").await);
    drop(other);
    assert_eq!(fixture.workflows.connections(), 0);
    assert_eq!(fixture.workflows.0.directory.rooms_count(), 0);
}

#[tokio::test]
async fn an_expired_token_closes_the_connection_after_the_grace() {
    let fixture = Fixture::new().await;
    let gateway = &fixture.workflows.0;
    let mut client = fixture.client("ann").await;
    fixture.advance(84);
    gateway.tokens.close_due(gateway.now().as_millis()).await;
    assert!(
        client.drain().await.is_empty(),
        "open until 25 s after the expiry"
    );
    fixture.advance(1);
    gateway.tokens.close_due(gateway.now().as_millis()).await;
    assert_eq!(client.closed().await, CloseCode::TokenExpired);
}

#[tokio::test]
async fn a_revoked_user_is_put_out_and_stays_out() {
    let fixture = Fixture::new().await;
    let gateway = &fixture.workflows.0;
    let (mut ann, mut bob) = (fixture.client("ann").await, fixture.client("bob").await);
    let now_s = gateway.now_s();
    let revoked = RevokedTokens::User(UserId::new("ann").unwrap());
    gateway.authenticator.revocations().apply([Revocation {
        tokens: revoked,
        revoked_at_s: now_s + 10,
        until_s: now_s + 60,
    }]);
    fixture.workflows.close_revoked().await;
    assert_eq!(ann.closed().await, CloseCode::Forbidden);
    assert!(bob.drain().await.is_empty());
    // Verified before the revocation, and opened only now: the look through the connections did not find it.
    assert_eq!(fixture.open("ann").await.err(), Some(CloseCode::Forbidden));
    drop((ann, bob));
    assert_eq!(fixture.workflows.connections(), 0);
    let (status, _) = fixture
        .ask(&fixture.user_token("ann"), "GET", "/ws/stats", None)
        .await;
    assert_eq!(status, 403);
}
