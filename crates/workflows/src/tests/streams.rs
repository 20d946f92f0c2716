//! `/api/v1/sse`: refusals, rooms, and what the stream carries.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use tidings_access::{ServiceScope, UserId};
use tidings_wire::websocket::Frame;
use tokio::time::timeout;
use tower::ServiceExt;

use super::fixture::Fixture;
use crate::WorkflowsLimits;

const WAIT: Duration = Duration::from_secs(10);

/// An answer whose body is read as it comes.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Body,
    text: String,
}

impl Answer {
    async fn to(fixture: &Fixture, query: &str, authorization: Option<&str>) -> Answer {
        let mut request = Request::get(format!("/api/v1/sse{query}"));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let request = request.body(Body::empty()).unwrap();
        let asked = timeout(WAIT, fixture.workflows.routes().oneshot(request));
        let (parts, body) = asked.await.unwrap().unwrap().into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            text: String::new(),
        }
    }

    /// A stream of `user` in these rooms, its hint read.
    async fn open(fixture: &Fixture, user: &str, rooms: &[&str]) -> Answer {
        let mut query = format!("?token={}", fixture.user_token(user));
        for room in rooms {
            query.push_str("&room=");
            query.push_str(room);
        }
        let mut stream = Answer::to(fixture, &query, None).await;
        assert_eq!(stream.status, 200);
        assert!(stream.part().await.unwrap().starts_with("retry: "));
        stream
    }

    async fn part(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let rest = self.text.split_off(end + 2);
                let mut part = std::mem::replace(&mut self.text, rest);
                part.truncate(end);
                return Some(part);
            }
            let frame = timeout(WAIT, self.body.frame()).await.expect("in time")?;
            let data = frame.unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    async fn json(&mut self) -> Value {
        let part = self.part().await.unwrap();
        serde_json::from_str(part.strip_prefix("data: ").unwrap()).unwrap()
    }

    /// The rooms of the opening frames.
    async fn rooms(&mut self, count: usize) -> Vec<String> {
        assert_eq!(self.json().await["type"], "connection");
        let mut rooms = Vec::new();
        for _ in 0..count {
            let frame = self.json().await;
            assert_eq!(frame["event"], "subscribed");
            rooms.push(frame["room_id"].as_str().unwrap().to_owned());
        }
        rooms
    }

    async fn whole(self) -> String {
        let body = self.body.collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }
}

#[tokio::test]
async fn what_does_not_verify_is_a_problem() {
    let fixture = Fixture::new().await;
    let service = fixture.token(ServiceScope::Service);
    let in_query = format!("?token={service}");
    for (query, authorization, code) in [
        ("", None, "missing_token"),
        ("?token=", None, "missing_token"),
        ("?token=secret", None, "invalid_token"),
        ("?token=secret&room=x", None, "invalid_token"),
        (in_query.as_str(), None, "invalid_token"),
        ("", Some("Bearer secret"), "invalid_token"),
    ] {
        let answer = Answer::to(&fixture, query, authorization).await;
        assert_eq!(
            (answer.status, &answer.headers["www-authenticate"]),
            (401, &"Bearer".parse().unwrap())
        );
        let body = answer.whole().await;
        assert!(body.contains(&format!(r#""code":"{code}""#)), "{body}");
        assert!(!body.contains("secret"), "{body}");
    }
    assert_eq!(fixture.workflows.connections(), 0);
}

#[tokio::test]
async fn a_token_by_query_or_header_opens_with_the_frames_of_the_socket() {
    let fixture = Fixture::new().await;
    let now = fixture.workflows.0.now();
    let token = fixture.user_token("ann");
    let (query, header) = (format!("?token={token}"), format!("Bearer {token}"));
    for (query, authorization) in [(query.as_str(), None), ("", Some(header.as_str()))] {
        let mut stream = Answer::to(&fixture, query, authorization).await;
        assert!(stream.part().await.unwrap().starts_with("retry: "));
        let connected = stream.part().await.unwrap();
        let start = r#"data: {"type":"connection","event":"connected","connection_id":""#;
        assert!(connected.starts_with(start), "{connected}");
        assert_eq!(
            stream.part().await.unwrap(),
            format!(
                r#"data: {{"type":"subscription","event":"subscribed","room_id":"user:ann","timestamp":"{now}"}}"#
            )
        );
    }
}

#[tokio::test]
async fn a_stream_is_in_the_rooms_it_named_and_gets_their_events() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let rooms = ["execution:e", "workflow:w", "user:ann", "execution:e"];
    let mut stream = Answer::open(&fixture, "ann", &rooms).await;
    let confirmed = stream.rooms(5).await;
    assert_eq!(
        confirmed,
        ["user:ann", "execution:e", "workflow:w", "user:ann", "execution:e"]
    );
    let mut socket = fixture.client("ann").await;
    for room in &rooms[..2] {
        socket.subscribe(room).await;
    }
    fixture
        .backend(
            "POST",
            "/executions/e/nodes/n/status",
            r#"{"status":"completed"}"#,
        )
        .await;
    fixture
        .backend("POST", "/executions/e/status", r#"{"status":"completed"}"#)
        .await;
    let messages = socket.drain().await;
    assert_eq!(messages.len(), 4, "{messages:?}");
    for message in messages {
        assert_eq!(stream.json().await, message);
    }
    assert_eq!(fixture.workflows.connections(), 2);
    assert_eq!(fixture.workflows.0.directory.rooms_count(), 3);
    let token = fixture.user_token("ann");
    let (_, stats) = fixture.ask(&token, "GET", "/ws/stats", None).await;
    assert_eq!(stats["user_connections"], 2);

    drop(stream);
    while fixture.workflows.connections() != 1 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn foreign_and_missing_rooms_are_refused_in_the_same_bytes() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let token = fixture.user_token("bob");
    let long = "x".repeat(257);
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
        "execution:a%00",
        &long,
    ] {
        let answer = Answer::to(
            &fixture,
            &format!("?token={token}&room=user:bob&room={room}"),
            None,
        )
        .await;
        assert_eq!(answer.status, 403, "{room}");
        assert_eq!(
            answer.whole().await,
            r#"{"type":"about:blank","title":"Not allowed","status":403,"code":"forbidden","detail":"Access denied to room","errors":[{"pointer":"/room/1","message":"Access denied to room"}]}"#
        );
    }
    assert_eq!(fixture.workflows.connections(), 0);
    assert_eq!(fixture.workflows.0.directory.rooms_count(), 0);
}

#[tokio::test]
async fn rooms_and_connections_are_bounded() {
    let limits = WorkflowsLimits {
        rooms_per_connection_max: 2,
        connections_per_user_max: 1,
        ..WorkflowsLimits::default()
    };
    let fixture = Fixture::with(limits).await;
    fixture.registered("ann").await;
    for rooms in [
        "room=execution:e&room=workflow:w",
        "room=user:ann&room=user:ann&room=user:ann",
    ] {
        let query = format!("?token={}&{rooms}", fixture.user_token("ann"));
        let answer = Answer::to(&fixture, &query, None).await;
        assert_eq!(answer.status, 400, "{rooms}");
        let body = answer.whole().await;
        assert!(
            body.contains(r#""code":"invalid_parameter","detail":"Too many rooms""#),
            "{body}"
        );
    }
    let mut only = Answer::open(&fixture, "ann", &["execution:e"]).await;
    assert_eq!(only.rooms(2).await, ["user:ann", "execution:e"]);
    let second = Answer::to(&fixture, &format!("?token={}", fixture.user_token("ann")), None).await;
    assert_eq!(second.status, 429);
    assert!(second.whole().await.contains(r#""code":"rate_limited""#));
}

#[tokio::test]
async fn a_new_owner_puts_the_old_ones_stream_out_of_the_room() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let mut stream = Answer::open(&fixture, "ann", &["workflow:w"]).await;
    stream.rooms(2).await;
    let changed = fixture
        .backend("PUT", "/workflows/w", r#"{"owner_id":"bob","name":"his"}"#)
        .await;
    assert_eq!(changed.0, 200);
    let farewell = stream.json().await;
    assert_eq!(
        (&farewell["event"], &farewell["room_id"]),
        (&"unsubscribed".into(), &"workflow:w".into())
    );
}

#[tokio::test]
async fn a_stream_ends_some_time_after_its_token() {
    let fixture = Fixture::new().await;
    let mut stream = Answer::open(&fixture, "ann", &[]).await;
    stream.rooms(1).await;
    fixture.advance(60 + 24);
    fixture
        .workflows
        .0
        .tokens
        .close_due(fixture.workflows.0.now().as_millis())
        .await;
    let ann = UserId::new("ann").unwrap();
    let member = fixture.workflows.0.directory.members_of(&ann).pop().unwrap();
    member.connection.send(Frame::text("still")).await;
    assert_eq!(stream.part().await.unwrap(), "data: still");
    drop(member);
    fixture.advance(4);
    fixture
        .workflows
        .0
        .tokens
        .close_due(fixture.workflows.0.now().as_millis())
        .await;
    assert_eq!(
        stream.part().await.unwrap(),
        "event: close\ndata: {\"code\":4408,\"reason\":\"token_expired\",\"retry_ms\":null}"
    );
    assert_eq!(stream.part().await, None);
    assert_eq!(fixture.workflows.connections(), 0);
}
