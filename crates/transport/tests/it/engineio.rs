//! Engine.IO over polling, request by request. The official suite's cases, which need sockets, are in the
//! end-to-end tests.

use std::sync::Arc;
use std::time::Duration;

use crate::polling::{Client, PATIENCE, ask, transport};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use tidings_hub::{Connection, Gateway};
use tidings_transport::engineio::{Application, EngineOptions, EngineServer, Handshake};
use tidings_transport::{Incoming, OriginPolicy, PeerAddress, Protocol, Transport, TransportLimits, Via};
use tidings_wire::close_code::CloseCode;
use tidings_wire::engineio::Packet;
use tokio::sync::Semaphore;

/// Echoes; the text `forbid` closes. Each end of a session adds a permit.
struct Echo {
    ended: Arc<Semaphore>,
}

struct EchoSession {
    connection: Arc<Connection>,
    ended: Arc<Semaphore>,
}

impl Application for Echo {
    type Session = EchoSession;

    fn open(&self, connection: Arc<Connection>, _handshake: &Handshake<'_>) -> EchoSession {
        EchoSession {
            connection,
            ended: self.ended.clone(),
        }
    }
}

impl Protocol for EchoSession {
    async fn receive(&mut self, message: Incoming) -> Result<(), CloseCode> {
        let packet = match &message {
            Incoming::Text(text) => Packet::Text(text),
            Incoming::Binary(bytes) => Packet::Binary(bytes.clone()),
        };
        self.connection.send(packet.to_frame()).await;
        let forbidden = matches!(&message, Incoming::Text(text) if &**text == "forbid");
        if forbidden {
            Err(CloseCode::Forbidden)
        } else {
            Ok(())
        }
    }
}

impl Drop for EchoSession {
    fn drop(&mut self) {
        self.ended.add_permits(1);
    }
}

struct Server {
    routes: Router,
    transport: Transport,
    ended: Arc<Semaphore>,
}

impl Server {
    fn start() -> Self {
        Self::with(
            TransportLimits::default(),
            OriginPolicy::Any,
            Duration::from_secs(25),
        )
    }

    fn with(limits: TransportLimits, origins: OriginPolicy, ping_interval: Duration) -> Self {
        let transport = transport(limits, origins);
        let ended = Arc::new(Semaphore::new(0));
        let options = EngineOptions {
            ping_interval,
            ping_timeout: Duration::from_millis(10),
            payload_bytes_max: 10_000,
            ..EngineOptions::new("/", Gateway::Flow)
        };
        let routes = EngineServer::new(&transport, options, Echo { ended: ended.clone() }).routes();
        Self {
            routes,
            transport,
            ended,
        }
    }

    async fn assert_ended(&self) {
        let ended = tokio::time::timeout(PATIENCE, self.ended.acquire()).await;
        ended.expect("the application hears of the end").unwrap().forget();
    }

    fn open_polls(&self) -> u64 {
        let open = self.transport.counters().figures().open;
        open.iter()
            .filter(|kind| kind.via == Via::Polling)
            .map(|kind| kind.count)
            .sum()
    }
}

#[tokio::test]
async fn a_request_of_a_session_in_another_version_is_refused_and_the_session_lives_on() {
    let server = Server::start();
    let client = Client::open(&server.routes).await;
    let (_, sid) = client.query.split_once("&sid=").unwrap();
    for (method, query) in [
        (Method::GET, "EIO=3&transport=polling"),
        (Method::GET, "transport=polling"),
        (Method::POST, "EIO=5&transport=polling"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(format!("/?{query}&sid={sid}"))
            .body(Body::from("4lost"))
            .unwrap();
        let answer = ask(&server.routes, request).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (StatusCode::BAD_REQUEST, r#"{"code":3,"message":"Bad request"}"#),
            "{query}"
        );
    }
    assert_eq!(client.post("4hello").await.status, StatusCode::OK);
    assert_eq!(client.packets(1).await, ["4hello"]);
}

#[tokio::test]
async fn mistakes_have_their_numbers() {
    let server = Server::start();
    for (method, query, body) in [
        (
            Method::GET,
            "EIO=4",
            r#"{"code":0,"message":"Transport unknown"}"#,
        ),
        (
            Method::GET,
            "EIO=4&transport=x",
            r#"{"code":0,"message":"Transport unknown"}"#,
        ),
        (
            Method::GET,
            "EIO=4&transport=polling&sid=x",
            r#"{"code":1,"message":"Session ID unknown"}"#,
        ),
        (
            Method::POST,
            "EIO=4&transport=polling&sid=x",
            r#"{"code":1,"message":"Session ID unknown"}"#,
        ),
        (
            Method::POST,
            "EIO=4&transport=polling",
            r#"{"code":2,"message":"Bad handshake method"}"#,
        ),
        (
            Method::PUT,
            "EIO=4&transport=polling",
            r#"{"code":2,"message":"Bad handshake method"}"#,
        ),
        (
            Method::GET,
            "EIO=4&transport=websocket",
            r#"{"code":3,"message":"Bad request"}"#,
        ),
        (
            Method::GET,
            "EIO=3&transport=polling",
            r#"{"code":5,"message":"Unsupported protocol version"}"#,
        ),
        (
            Method::GET,
            "transport=polling",
            r#"{"code":5,"message":"Unsupported protocol version"}"#,
        ),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(format!("/?{query}"))
            .body(Body::empty())
            .unwrap();
        let answer = ask(&server.routes, request).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (StatusCode::BAD_REQUEST, body),
            "{query}"
        );
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    }
    assert_eq!(server.open_polls(), 0);
}

#[tokio::test]
async fn only_allowed_origins_get_in() {
    let list = OriginPolicy::List(vec!["https://app.example.com".to_owned()]);
    let server = Server::with(TransportLimits::default(), list, Duration::from_secs(25));
    let from = |method: Method, origin: &str| {
        let request = Request::builder().method(method).uri("/?EIO=4&transport=polling");
        request
            .header(header::ORIGIN, origin)
            .body(Body::empty())
            .unwrap()
    };
    let allowed = |headers: &HeaderMap| headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN).cloned();

    let answer = ask(&server.routes, from(Method::GET, "https://app.example.com")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(allowed(&answer.headers).unwrap(), "https://app.example.com");
    assert_eq!(answer.headers[header::VARY], "Origin");

    let preflight = ask(&server.routes, from(Method::OPTIONS, "https://app.example.com")).await;
    assert_eq!(preflight.status, StatusCode::NO_CONTENT);
    assert_eq!(allowed(&preflight.headers).unwrap(), "https://app.example.com");

    for method in [Method::GET, Method::OPTIONS] {
        let answer = ask(&server.routes, from(method, "https://evil.example")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(answer.body, r#"{"code":4,"message":"Forbidden"}"#);
        assert_eq!(allowed(&answer.headers), None);
    }
}

#[tokio::test]
async fn packets_come_back_in_order() {
    let client = Client::open(&Server::start().routes).await;
    let sent: Vec<_> = (0..100).map(|number| format!("4m{number}")).collect();
    for packets in sent.chunks(30) {
        assert_eq!(client.post(&packets.join("\x1e")).await.body, "ok");
    }
    assert_eq!(client.packets(100).await, sent);
    client.post("4hello\x1ebAQIDBA==").await;
    assert_eq!(client.packets(2).await, ["4hello", "bAQIDBA=="]);
}

#[tokio::test]
async fn a_second_get_ends_the_session() {
    let server = Server::start();
    let client = Client::open(&server.routes).await;
    let (first, second) = tokio::join!(client.get(), client.get());
    assert_eq!((first.status, first.body.as_str()), (StatusCode::OK, "1"));
    assert_eq!(second.status, StatusCode::BAD_REQUEST);
    client.assert_gone().await;
    server.assert_ended().await;
    assert_eq!(server.open_polls(), 0);
}

#[tokio::test]
async fn a_get_given_up_ends_the_session() {
    let server = Server::start();
    let client = Client::open(&server.routes).await;
    tokio::select! {
        biased;
        answer = client.get() => panic!("answered: {}", answer.body),
        () = tokio::task::yield_now() => {}
    }
    client.assert_gone().await;
    server.assert_ended().await;
}

#[tokio::test]
async fn a_client_that_closes_gets_its_get_answered_once() {
    let server = Server::start();
    let client = Client::open(&server.routes).await;
    let (get, post) = tokio::join!(client.get(), client.post("1"));
    assert_eq!((get.body.as_str(), post.body.as_str()), ("6", "ok"));
    client.assert_gone().await;

    let client = Client::open(&server.routes).await;
    assert_eq!(client.post("1").await.body, "ok");
    assert_eq!(client.get().await.body, "6");
    client.assert_gone().await;
    server.assert_ended().await;
    server.assert_ended().await;
}

#[tokio::test]
async fn the_applications_refusal_comes_behind_what_it_said() {
    let server = Server::start();
    let client = Client::open(&server.routes).await;
    assert_eq!(client.post("4forbid\x1e4never").await.body, "ok");
    assert_eq!(client.packets(2).await, ["4forbid", "1"]);
    client.assert_gone().await;
    server.assert_ended().await;
}

#[tokio::test]
async fn broken_posts_end_the_session() {
    let server = Server::start();
    for body in ["abc", "", "2", "bA", "4a\x1e"] {
        let client = Client::open(&server.routes).await;
        assert_eq!(
            client.post(body).await.status,
            StatusCode::BAD_REQUEST,
            "{body:?}"
        );
        client.assert_gone().await;
        server.assert_ended().await;
    }
    let client = Client::open(&server.routes).await;
    let request = Request::post(&client.query).header(header::CONTENT_TYPE, "application/octet-stream");
    assert_eq!(
        ask(&server.routes, request.body(Body::from("4a")).unwrap())
            .await
            .status,
        StatusCode::BAD_REQUEST
    );
    client.assert_gone().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_the_session_lives() {
    let client = Client::open(&Server::start().routes).await;
    for length in [10_000, 100_000] {
        let answer = client.post(&format!("4{}", "x".repeat(length))).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (StatusCode::PAYLOAD_TOO_LARGE, "")
        );
    }
    client.post("4after").await;
    assert_eq!(client.packets(1).await, ["4after"]);
}

#[tokio::test]
async fn a_silent_client_is_given_up() {
    let server = Server::with(
        TransportLimits::default(),
        OriginPolicy::Any,
        Duration::from_millis(100),
    );
    let client = Client::open(&server.routes).await;
    loop {
        let answer = client.get().await;
        if answer.status != StatusCode::OK || answer.body.ends_with('1') {
            break;
        }
        assert!(
            answer.body.split('\x1e').all(|packet| packet == "2"),
            "{:?}",
            answer.body
        );
    }
    client.assert_gone().await;
    server.assert_ended().await;
}

#[tokio::test]
async fn a_client_that_never_comes_back_leaves_nothing() {
    let server = Server::with(
        TransportLimits::default(),
        OriginPolicy::Any,
        Duration::from_millis(100),
    );
    Client::open(&server.routes).await;
    server.assert_ended().await;
}

#[tokio::test]
async fn a_flood_of_packets_closes() {
    let limits = TransportLimits {
        messages_per_second: 1,
        message_burst: 10,
        ..TransportLimits::default()
    };
    let server = Server::with(limits, OriginPolicy::Any, Duration::from_secs(25));
    let client = Client::open(&server.routes).await;
    client.post(&["4a"; 10].join("\x1e")).await;
    client.packets(10).await;
    client.post("4a").await;
    assert_eq!(client.packets(1).await, ["1"]);
    client.assert_gone().await;
}

#[tokio::test]
async fn an_address_has_a_quota() {
    let limits = TransportLimits {
        connections_per_address_max: 1,
        ..TransportLimits::default()
    };
    let server = Server::with(limits, OriginPolicy::Any, Duration::from_secs(25));
    let request = || {
        let peer = PeerAddress("192.0.2.7:1".parse().unwrap());
        Request::get("/?EIO=4&transport=polling")
            .extension(peer)
            .body(Body::empty())
            .unwrap()
    };
    let client = Client::open_with(&server.routes, request()).await;
    assert_eq!(
        ask(&server.routes, request()).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
    client.post("1").await;
    Client::open_with(&server.routes, request()).await;
}

#[tokio::test]
async fn a_server_going_down_takes_no_sessions() {
    let server = Server::start();
    server.transport.shutdown().cancel();
    let request = Request::get("/?EIO=4&transport=polling")
        .body(Body::empty())
        .unwrap();
    let answer = ask(&server.routes, request).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
}
