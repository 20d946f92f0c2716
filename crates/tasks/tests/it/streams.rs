//! `/sse`: who gets in, and what the stream carries.

use crate::server::{PATIENCE, Server, development};
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;
use std::time::Duration;
use tidings_tasks::TasksSettings;
use tokio::time::timeout;
use tower::ServiceExt;

fn production() -> TasksSettings {
    TasksSettings {
        token_required: true,
        stats_token_required: true,
        ..development()
    }
}

/// An answer whose body is read as it comes.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Body,
    text: String,
}

impl Answer {
    async fn to(server: &Server, target: &str, headers: &[(&str, &str)]) -> Answer {
        let request = headers
            .iter()
            .fold(Request::get(target), |request, (name, value)| {
                request.header(*name, *value)
            });
        let request = request.body(Body::empty()).unwrap();
        let asked = timeout(PATIENCE, server.tasks.routes().oneshot(request));
        let (parts, body) = asked.await.unwrap().unwrap().into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            text: String::new(),
        }
    }

    /// A stream, its hint and its welcome read.
    async fn join(server: &Server, user: &str) -> Answer {
        let mut stream = Answer::to(server, &format!("/sse?user_id={user}"), &[]).await;
        assert_eq!(stream.status, 200);
        assert!(stream.part().await.unwrap().starts_with("retry: "));
        assert!(
            stream
                .part()
                .await
                .unwrap()
                .starts_with(r#"data: {"type":"connected","#)
        );
        stream
    }

    /// The next part of the stream, up to its blank line.
    async fn part(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let rest = self.text.split_off(end + 2);
                let mut part = std::mem::replace(&mut self.text, rest);
                part.truncate(end);
                return Some(part);
            }
            let frame = timeout(PATIENCE, self.body.frame()).await.expect("in time")?;
            let data = frame.unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }
}

#[tokio::test]
async fn refusals_are_problems() {
    let (open, closed) = (
        Server::start(development()).await,
        Server::start(production()).await,
    );
    for (server, target, status, code) in [
        (&open, "/sse", 400, "missing_user_id"),
        (&open, "/sse?user_id=", 400, "missing_user_id"),
        (&open, "/sse?user_id=a%00", 400, "invalid_user_id"),
        (&open, "/sse?user_id=a&token=secret", 401, "invalid_token"),
        (&closed, "/sse", 400, "missing_user_id"),
        (&closed, "/sse?user_id=a", 401, "missing_token"),
        (&closed, "/sse?user_id=a&token=secret", 401, "invalid_token"),
    ] {
        let answer = Answer::to(server, target, &[]).await;
        assert_eq!(answer.status, status, "{target}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(
            answer.headers.contains_key("www-authenticate"),
            status == 401,
            "{target}"
        );
        let body = answer.body.collect().await.unwrap().to_bytes();
        let body = std::str::from_utf8(&body).unwrap();
        assert!(body.contains(&format!(r#""code":"{code}""#)), "{body}");
        assert!(!body.contains("secret"), "{body}");
    }
    assert_eq!((open.hub.connections(), closed.hub.connections()), (0, 0));
}

#[tokio::test]
async fn the_token_says_who_it_is() {
    let server = Server::start(production()).await;
    let token = server.token("ada");
    let authorization = format!("Bearer {token}");
    let in_query = format!("/sse?user_id=anonymous&token={token}");
    for (target, headers) in [
        (in_query.as_str(), vec![]),
        (
            "/sse?user_id=bob",
            vec![("authorization", authorization.as_str())],
        ),
    ] {
        let mut stream = Answer::to(&server, target, &headers).await;
        assert!(stream.part().await.unwrap().starts_with("retry: "));
        assert!(stream.part().await.unwrap().contains(r#""user_id":"ada""#));
        server
            .publish(&target.len().to_string(), r#"{"user_id":"ada"}"#)
            .await;
        let update = stream.part().await.unwrap();
        assert!(
            update.starts_with(r#"data: {"type":"task_update","event":{"user_id":"ada"},"timestamp":""#),
            "{update}"
        );
    }
}

#[tokio::test]
async fn streams_and_sockets_of_a_user_get_the_same_and_count_together() {
    let server = Server::start(TasksSettings {
        connections_per_user_max: 2,
        ..development()
    })
    .await;
    let mut socket = server.join("a").await;
    let mut stream = Answer::join(&server, "a").await;
    let stats = r#"{"total_users":1,"total_connections":2,"users":{"a":2}}"#;
    assert_eq!(server.get("/stats", "").await, (200, stats.to_owned()));
    assert_eq!(server.tasks.connections(), 2);
    let third = Answer::to(&server, "/sse?user_id=a", &[]).await;
    assert_eq!(
        (third.status, &third.headers["retry-after"]),
        (429, &"1".parse().unwrap())
    );

    for round in 0..20 {
        server
            .publish(
                &round.to_string(),
                &format!(r#"{{"user_id":"a","round":{round}}}"#),
            )
            .await;
    }
    for _ in 0..20 {
        let frame = socket.text().await;
        assert_eq!(stream.part().await.unwrap(), format!("data: {frame}"));
    }
    drop(stream);
    while server.tasks.connections() != 1 {
        tokio::task::yield_now().await;
    }
    Answer::join(&server, "a").await;
}

#[tokio::test]
async fn a_stream_ends_some_time_after_its_token() {
    let server = Server::start(production()).await;
    let target = format!("/sse?token={}", server.token("ada"));
    let mut stream = Answer::to(&server, &target, &[]).await;
    assert!(stream.part().await.unwrap().starts_with("retry: "));
    assert!(stream.part().await.unwrap().contains("connected"));
    server.advance(Duration::from_mins(1));
    server.publish("1", r#"{"user_id":"ada"}"#).await;
    assert!(stream.part().await.unwrap().contains("task_update"));
    server.advance(Duration::from_secs(27));
    assert_eq!(
        stream.part().await.unwrap(),
        "event: close\ndata: {\"code\":4408,\"reason\":\"token_expired\",\"retry_ms\":null}"
    );
    assert_eq!(stream.part().await, None);
    assert_eq!(server.tasks.connections(), 0);
    // What the browser then does by itself is refused, and it stops.
    assert_eq!(Answer::to(&server, &target, &[]).await.status, 401);
}
