//! Events, pings, figures.

use crate::server::{PATIENCE, Server, development};
use std::time::Instant;
use tidings_access::ServiceScope;
use tidings_tasks::TasksSettings;
use tidings_wire::time::Timestamp;

/// The text with its timestamp, which must be one, taken out.
fn without_timestamp(text: &str) -> String {
    let (before, timestamp) = text.rsplit_once(r#""timestamp":""#).unwrap();
    let timestamp = timestamp.strip_suffix("\"}").unwrap();
    assert_eq!(Timestamp::parse(timestamp).unwrap().to_string(), timestamp);
    before.to_owned()
}

#[tokio::test]
async fn the_documented_scenario() {
    let server = Server::start(development()).await;
    let mut client = server.connect("/ws?user_id=test-user").await;
    assert_eq!(
        without_timestamp(&client.text().await),
        r#"{"type":"connected","message":"WebSocket connected successfully","user_id":"test-user","#
    );
    server
        .publish("1", r#"{ "event_type": "task.created", "user_id": "test-user", "task_id": "123", "title": "Test Task" }"#)
        .await;
    assert_eq!(
        without_timestamp(&client.text().await),
        r#"{"type":"task_update","event":{"event_type":"task.created","user_id":"test-user","task_id":"123","title":"Test Task"},"#
    );
}

#[tokio::test]
async fn every_connection_of_the_user_gets_each_event_once_and_nobody_else_does() {
    let server = Server::start(development()).await;
    let mut tabs = [
        server.join("7").await,
        server.join("7").await,
        server.join("7").await,
    ];
    let mut stranger = server.join("70").await;
    for round in 0..20 {
        // Redelivered, as brokers do.
        for _ in 0..2 {
            server
                .publish(&round.to_string(), &format!(r#"{{"user_id":7,"round":{round}}}"#))
                .await;
        }
    }
    for tab in &mut tabs {
        for round in 0..20 {
            let expected = format!(r#"{{"type":"task_update","event":{{"user_id":7,"round":{round}}},"#);
            assert_eq!(without_timestamp(&tab.text().await), expected);
        }
        tab.expect_nothing().await;
    }
    stranger.expect_nothing().await;
}

#[tokio::test]
async fn pings_are_answered_and_everything_else_is_counted() {
    let server = Server::start(development()).await;
    let mut client = server.join("a").await;
    for ping in [r#"{"type":"ping"}"#, r#"{ "type" : "ping", "x": 1 }"#] {
        client.send(ping).await;
        assert_eq!(client.text().await, r#"{"type":"pong"}"#);
    }
    client.send_binary(br#"{"type":"ping"}"#).await;
    assert_eq!(client.text().await, r#"{"type":"pong"}"#);
    for other in ["ping", r#"{"type":"subscribe","room_id":"user:b"}"#, "", "[1]"] {
        client.send(other).await;
    }
    client.send_binary(b"\xff").await;
    client.expect_nothing().await;
    assert_eq!(
        (server.tasks.counters().pings(), server.tasks.counters().ignored()),
        (4, 5)
    );
}

#[tokio::test]
async fn figures_follow_the_connections() {
    let server = Server::start(development()).await;
    let empty = r#"{"total_users":0,"total_connections":0,"users":{}}"#.to_owned();
    assert_eq!(server.get("/stats", "").await, (200, empty.clone()));
    let clients = [
        server.join("user-456").await,
        server.join("user-123").await,
        server.join("user-123").await,
    ];
    let documented = r#"{"total_users":2,"total_connections":3,"users":{"user-123":2,"user-456":1}}"#;
    assert_eq!(server.get("/stats", "").await, (200, documented.to_owned()));
    assert_eq!(
        serde_json::to_string(&server.tasks.health()).unwrap(),
        r#"{"status":"healthy","service":"websocket-service","connections":3}"#
    );
    drop(clients);
    let start = Instant::now();
    while server.get("/stats", "").await.1 != empty {
        assert!(start.elapsed() < PATIENCE, "a connection is still counted");
    }
}

#[tokio::test]
async fn where_stats_are_guarded_users_are_named_to_operators_and_services_only() {
    let server = Server::start(TasksSettings {
        stats_token_required: true,
        ..development()
    })
    .await;
    let _client = server.join("ada").await;
    let get = async |token: &str| {
        server
            .get("/stats", &format!("authorization: Bearer {token}\r\n"))
            .await
    };
    for scope in [ServiceScope::Operator, ServiceScope::Service] {
        let (status, body) = get(&server.service_token(scope)).await;
        assert!(status == 200 && body.contains("ada"), "{status} {body}");
    }
    let (status, body) = server.get("/stats", "").await;
    assert!(
        status == 401 && body.contains("missing_token") && !body.contains("ada"),
        "{body}"
    );
    for token in [server.token("ada"), "x".to_owned()] {
        let (status, body) = get(&token).await;
        assert!(
            status == 401 && body.contains("invalid_token") && !body.contains("ada"),
            "{body}"
        );
    }
}
