//! Who gets in, as whom, and how the others are told.

use crate::server::{Server, development};
use std::time::Duration;
use tidings_tasks::TasksSettings;

fn production() -> TasksSettings {
    TasksSettings {
        token_required: true,
        stats_token_required: true,
        ..development()
    }
}

#[tokio::test]
async fn refusals_are_close_codes() {
    let (open, closed) = (
        Server::start(development()).await,
        Server::start(production()).await,
    );
    for (server, target, code, reason) in [
        (&open, "/ws", 4400, "missing_user_id"),
        (&open, "/ws?user_id=", 4400, "missing_user_id"),
        (&open, "/ws?user_id=a%00", 4400, "invalid_user_id"),
        (&open, "/ws?user_id=a&token=x", 4401, "invalid_token"),
        (&closed, "/ws?user_id=a", 4401, "missing_token"),
        (&closed, "/ws?user_id=a&token=x", 4401, "invalid_token"),
    ] {
        let mut client = server.connect(target).await;
        assert_eq!(client.close().await, (code, reason.to_owned()), "{target}");
    }
    assert_eq!((open.tasks.connections(), closed.tasks.connections()), (0, 0));
}

#[tokio::test]
async fn the_token_says_who_it_is() {
    let server = Server::start(production()).await;
    let token = server.token("ada");
    let (authorization, protocols) = (format!("Bearer {token}"), format!("bearer, {token}"));
    let in_query = format!("/ws?user_id=anonymous&token={token}");
    let ways = [
        (in_query.as_str(), vec![]),
        ("/ws?user_id=bob", vec![("authorization", authorization.as_str())]),
        ("/ws", vec![("sec-websocket-protocol", protocols.as_str())]),
    ];
    for (target, headers) in ways {
        let mut client = server.connect_with(target, &headers).await.unwrap();
        let has_protocol = client.head.contains("sec-websocket-protocol: bearer\r\n");
        assert_eq!(
            has_protocol,
            headers.iter().any(|(name, _)| *name == "sec-websocket-protocol")
        );
        assert!(client.text().await.contains(r#""user_id":"ada""#));
        let id = target.len().to_string();
        server.publish(&id, r#"{"user_id":"ada"}"#).await;
        assert!(client.text().await.contains(r#""event":{"user_id":"ada"}"#));
    }
    // Refused or not, a browser must find its subprotocol answered.
    let mut client = server
        .connect_with("/ws?user_id=a", &[("sec-websocket-protocol", "bearer, x")])
        .await
        .unwrap();
    assert!(client.head.contains("sec-websocket-protocol: bearer\r\n"));
    assert_eq!(client.close().await.0, 4401);
}

#[tokio::test]
async fn a_user_has_so_many_connections_and_no_more() {
    let server = Server::start(TasksSettings {
        connections_per_user_max: 2,
        ..development()
    })
    .await;
    let (_first, _second) = (server.join("a").await, server.join("a").await);
    let mut third = server.connect("/ws?user_id=a").await;
    assert_eq!(third.close().await, (4429, "rate_limited".to_owned()));
    server.join("b").await;
}

#[tokio::test]
async fn foreign_pages_are_turned_away() {
    let server = Server::start(development()).await;
    let mut foreign = server
        .connect_with("/ws?user_id=a", &[("origin", "https://evil.example")])
        .await
        .unwrap();
    assert_eq!(foreign.close().await, (4403, "forbidden".to_owned()));
    let mut own = server
        .connect_with("/ws?user_id=a", &[("origin", "http://localhost:3000")])
        .await
        .unwrap();
    assert!(own.text().await.contains("connected"));
}

#[tokio::test]
async fn a_connection_ends_some_time_after_its_token() {
    let server = Server::start(production()).await;
    let mut client = server
        .connect(&format!("/ws?token={}", server.token("ada")))
        .await;
    assert!(client.text().await.contains("connected"));
    server.advance(Duration::from_mins(1));
    client.expect_nothing().await;
    server.advance(Duration::from_secs(27));
    assert_eq!(client.close().await, (4408, "token_expired".to_owned()));
}

#[tokio::test]
async fn what_is_no_upgrade_gets_a_problem() {
    let server = Server::start(development()).await;
    let (status, body) = server.get("/ws?user_id=a&token=secret", "").await;
    assert_eq!(status, 426);
    assert!(
        body.contains(r#""code":"upgrade_required""#) && !body.contains("secret"),
        "{body}"
    );
    assert_eq!(server.hub.connections(), 0);
}
