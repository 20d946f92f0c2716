//! Event streams over real sockets.

use crate::polling::PATIENCE;
use crate::server::{Server, Setup};
use axum::Router;
use axum::extract::Path;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tidings_hub::{Connection, Gateway, HubLimits};
use tidings_transport::{
    HeartbeatTimes, Listener, OriginPolicy, Quota, SseRefusal, SseRequest, TransportLimits, Via, get_stream,
    with_problem_fallbacks,
};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A server whose `/sse/{what}` opens a stream, or fails to.
struct Streams {
    server: Server,
    address: SocketAddr,
    /// Holds a place for every session that lives.
    sessions: Quota<()>,
    opened: mpsc::Receiver<Arc<Connection>>,
}

impl Streams {
    fn start() -> Self {
        Self::with(Setup::default())
    }

    fn with(setup: Setup) -> Self {
        let server = Server::with(setup);
        let transport = server.transport.clone();
        let sessions = Quota::new(usize::MAX);
        let (opening, opened) = mpsc::channel(1_000);
        let (shared, places) = (transport.clone(), sessions.clone());
        let open = async move |Path(what): Path<String>, request: SseRequest| {
            let start = async move |connection: Arc<Connection>| {
                connection.send(Frame::text("hello")).await;
                if what == "failing" {
                    return Err(SseRefusal::from(CloseCode::Forbidden)
                        .detail("No entry")
                        .error("/room/0", "No entry"));
                }
                opening.send(connection).await.unwrap();
                Ok(places.enter(()).unwrap())
            };
            request.accept(&shared, Gateway::Tasks, start).await
        };
        let routes = Router::new().route("/sse/{what}", get_stream(&transport, open));
        let refusing = transport.clone();
        let routes = routes.route(
            "/refused",
            get_stream(&transport, async move |request: SseRequest| {
                request.refuse(&refusing, CloseCode::InvalidToken.into())
            }),
        );
        let listener = Listener::bind(&["127.0.0.1:0".parse().unwrap()], transport.limits()).unwrap();
        let address = listener.local_addresses()[0];
        let serving = listener.serve(with_problem_fallbacks(routes), transport.clone());
        transport.spawn(async move { serving.await.unwrap() });
        Self {
            server,
            address,
            sessions,
            opened,
        }
    }

    async fn ask(&self, method: &str, path: &str, headers: &str) -> Client {
        let stream = TcpStream::connect(self.address).await.unwrap();
        Client::ask(stream, method, path, headers).await
    }

    /// A stream whose hint and greeting have been read.
    async fn open(&mut self) -> (Client, Arc<Connection>) {
        let mut client = self.ask("GET", "/sse/x", "").await;
        assert_eq!(client.status, 200);
        client.greeting().await;
        (client, self.connection().await)
    }

    async fn connection(&mut self) -> Arc<Connection> {
        timeout(PATIENCE, self.opened.recv()).await.unwrap().unwrap()
    }

    /// Waits until nothing of any stream is left.
    async fn all_gone(&self) {
        let gone = async {
            while self.server.transport.hub().connections() != 0 || self.sessions.count() != 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, gone).await.expect("everybody has left");
    }

    fn streams(&self) -> u64 {
        let open = self.server.transport.counters().figures().open;
        let streams = open.iter().filter(|kind| kind.via == Via::Sse);
        streams.map(|kind| kind.count).sum()
    }

    fn closed(&self, code: CloseCode) -> u64 {
        self.server.transport.hub().figures().closed.of(code)
    }
}

/// An HTTP client that reads a chunked body as it comes.
struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
    text: String,
    status: u16,
    head: String,
}

impl Client {
    async fn ask(mut stream: TcpStream, method: &str, path: &str, headers: &str) -> Self {
        let request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut client = Self {
            stream,
            unread: Vec::new(),
            text: String::new(),
            status: 0,
            head: String::new(),
        };
        while !client.unread.ends_with(b"\r\n\r\n") {
            let byte = timeout(PATIENCE, client.stream.read_u8()).await.unwrap();
            client.unread.push(byte.unwrap());
        }
        client.head = String::from_utf8(std::mem::take(&mut client.unread)).unwrap();
        client.status = client.head[9..12].parse().unwrap();
        client
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// A body whose length was told.
    async fn body(&mut self) -> String {
        let length = self.header("content-length").unwrap().parse().unwrap();
        let mut body = vec![0; length];
        timeout(PATIENCE, self.stream.read_exact(&mut body))
            .await
            .unwrap()
            .unwrap();
        String::from_utf8(body).unwrap()
    }

    /// The next part of the stream, up to its blank line; `None` behind the last chunk.
    async fn part(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let rest = self.text.split_off(end + 2);
                let mut part = std::mem::replace(&mut self.text, rest);
                part.truncate(end);
                return Some(part);
            }
            let chunk = timeout(PATIENCE, self.chunk()).await.expect("a part in time");
            if chunk.is_empty() {
                assert_eq!(self.text, "");
                return None;
            }
            self.text.push_str(&String::from_utf8(chunk).unwrap());
        }
    }

    async fn greeting(&mut self) {
        let hint = self.part().await.unwrap();
        let retry_ms: u64 = hint.strip_prefix("retry: ").unwrap().parse().unwrap();
        assert!((1_000..5_000).contains(&retry_ms), "{retry_ms}");
        assert_eq!(self.part().await.unwrap(), "data: hello");
    }

    async fn chunk(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(self.byte().await);
        }
        let length = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
        let mut chunk = Vec::with_capacity(length + 2);
        while chunk.len() < length + 2 {
            chunk.push(self.byte().await);
        }
        chunk.truncate(length);
        chunk
    }

    async fn byte(&mut self) -> u8 {
        if self.unread.is_empty() {
            let count = self.stream.read_buf(&mut self.unread).await.unwrap();
            assert_ne!(count, 0, "the stream ended within a chunk");
            self.unread.reverse();
        }
        self.unread.pop().unwrap()
    }

    /// Reads what is left, until the server has let go of the socket.
    async fn read_to_end(mut self) -> usize {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ = timeout(PATIENCE, self.stream.read_to_end(&mut rest))
            .await
            .expect("the socket ends");
        rest.len()
    }
}

#[tokio::test]
async fn a_stream_begins_with_its_headers_a_hint_and_the_greeting() {
    let mut streams = Streams::start();
    let (mut client, connection) = streams.open().await;
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store"),
        ("x-accel-buffering", "no"),
        ("transfer-encoding", "chunked"),
    ] {
        assert_eq!(client.header(name), Some(value), "{name}");
    }
    assert_eq!(client.header("access-control-allow-origin"), None);
    for text in ["1", "2\n3"] {
        connection.send(Frame::text(text)).await;
    }
    assert_eq!(client.part().await.unwrap(), "data: 1");
    assert_eq!(client.part().await.unwrap(), "data: 2\ndata: 3");
    assert_eq!((streams.streams(), streams.sessions.count()), (1, 1));
    let figures = streams.server.transport.counters().figures();
    // `hello`, `1`, and `2` and `3` on two lines.
    let bytes = 13 + 9 + 9 + 8;
    assert_eq!((figures.messages_sent, figures.bytes_sent), (3, bytes));
}

#[tokio::test]
async fn whoever_hangs_up_is_gone_at_once() {
    let mut streams = Streams::start();
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(streams.open().await);
    }
    assert_eq!(streams.streams(), 10);
    // Their sockets are no half-open handshakes, which may be closed to make room.
    assert_eq!(streams.server.transport.sockets_waiting(), 0);
    drop(clients);
    streams.all_gone().await;
    assert_eq!(streams.streams(), 0);
    let durations: u64 = streams
        .server
        .transport
        .counters()
        .figures()
        .durations
        .iter()
        .sum();
    assert_eq!(durations, 10);
}

#[tokio::test]
async fn pings_are_comments_and_silence_ends_nothing() {
    let mut streams = Streams::with(Setup {
        hub: HubLimits {
            timer_tick: Duration::from_millis(5),
            ..HubLimits::default()
        },
        heartbeat: HeartbeatTimes {
            interval: Duration::from_millis(50),
            timeout: Duration::from_millis(50),
        },
        ..Setup::default()
    });
    let (mut client, connection) = streams.open().await;
    for _ in 0..8 {
        assert_eq!(client.part().await.unwrap(), ":");
    }
    assert!(!connection.is_closing());
    assert_eq!(streams.closed(CloseCode::PingTimeout), 0);
}

#[tokio::test]
async fn the_end_is_told_and_the_socket_serves_on() {
    let mut streams = Streams::start();
    let (mut client, connection) = streams.open().await;
    connection.send(Frame::text("last")).await;
    connection.close(CloseCode::TokenExpired);
    connection.send(Frame::text("too late")).await;
    assert_eq!(client.part().await.unwrap(), "data: last");
    assert_eq!(
        client.part().await.unwrap(),
        "event: close\ndata: {\"code\":4408,\"reason\":\"token_expired\",\"retry_ms\":null}"
    );
    assert_eq!(client.part().await, None);
    streams.all_gone().await;

    let mut client = Client::ask(client.stream, "GET", "/sse/x", "").await;
    client.greeting().await;
    let connection = streams.connection().await;
    connection.close(CloseCode::InternalError);
    let end = client.part().await.unwrap();
    let (retry, event) = end.split_once('\n').unwrap();
    let retry_ms = retry.strip_prefix("retry: ").unwrap();
    assert_eq!(
        event,
        format!(
            "event: close\ndata: {{\"code\":1011,\"reason\":\"internal_error\",\"retry_ms\":{retry_ms}}}"
        )
    );
    assert_eq!(client.part().await, None);
}

#[tokio::test]
async fn a_drain_ends_streams_and_their_sockets() {
    let mut streams = Streams::start();
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(streams.open().await.0);
    }
    let transport = &streams.server.transport;
    transport.shutdown().cancel();
    transport
        .hub()
        .drain(CloseCode::ShuttingDown, Duration::from_millis(50));
    for mut client in clients {
        let end = client.part().await.unwrap();
        assert!(
            end.contains("\"code\":1001,\"reason\":\"shutting_down\""),
            "{end}"
        );
        assert_eq!(client.part().await, None);
        assert_eq!(client.read_to_end().await, 0);
    }
    streams.all_gone().await;
    assert_eq!(streams.closed(CloseCode::ShuttingDown), 5);
    // Nothing of the streams keeps the process.
    streams.server.tracker.close();
    timeout(PATIENCE, streams.server.tracker.wait()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_cut_and_its_socket_let_go() {
    let mut streams = Streams::with(Setup {
        hub: HubLimits {
            outbox_bytes_max: 256 * 1024,
            close_timeout: Duration::from_millis(300),
            timer_tick: Duration::from_millis(10),
            ..HubLimits::default()
        },
        ..Setup::default()
    });
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let stream = socket.connect(streams.address).await.unwrap();
    let deaf = Client::ask(stream, "GET", "/sse/x", "").await;
    let connection = streams.connection().await;
    let (mut reading, read) = streams.open().await;
    let payload = "x".repeat(16 * 1024);
    let mut sent = 0;
    while !connection.is_closing() {
        assert!(sent < 2_000, "the client that never reads was not cut");
        sent += 1;
        for connection in [&connection, &read] {
            connection.send(Frame::text(&payload)).await;
        }
        assert_eq!(
            reading.part().await.unwrap().len(),
            "data: ".len() + payload.len()
        );
    }
    let gone = async {
        // The gateway's side goes a moment after the stream, and the shard tells its figures when it has done what there was.
        let slow = || streams.closed(CloseCode::SlowConsumer);
        while (streams.streams(), streams.sessions.count(), slow()) != (1, 1, 1) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the deaf client is let go");
    assert!(!read.is_closing());
    assert!(deaf.read_to_end().await < sent * payload.len());
}

#[tokio::test]
async fn refusals_are_problems_and_counted() {
    let mut streams = Streams::with(Setup {
        limits: TransportLimits {
            connections_per_address_max: 1,
            ..TransportLimits::default()
        },
        ..Setup::default()
    });
    let mut failing = streams.ask("GET", "/sse/failing", "").await;
    assert_eq!(failing.status, 403);
    assert_eq!(failing.header("content-type"), Some("application/problem+json"));
    assert_eq!(
        failing.body().await,
        r#"{"type":"about:blank","title":"Not allowed","status":403,"code":"forbidden","detail":"No entry","errors":[{"pointer":"/room/0","message":"No entry"}]}"#
    );
    streams.all_gone().await;
    let mut refused = streams.ask("GET", "/refused", "").await;
    assert_eq!(
        (refused.status, refused.header("www-authenticate")),
        (401, Some("Bearer"))
    );
    assert!(refused.body().await.contains(r#""code":"invalid_token""#));

    let _first = streams.open().await;
    let mut second = streams.ask("GET", "/sse/x", "").await;
    assert_eq!((second.status, second.header("retry-after")), (429, Some("1")));
    assert!(second.body().await.contains(r#""code":"rate_limited""#));

    let mut head = streams.ask("HEAD", "/sse/x", "").await;
    assert_eq!((head.status, head.header("allow")), (405, Some("GET")));
    assert!(head.read_to_end_of_head().await);
    assert_eq!(streams.ask("POST", "/sse/x", "").await.status, 405);

    streams.server.transport.shutdown().cancel();
    let counts = [("forbidden", 1), ("invalid_token", 1), ("address_quota", 1)];
    for (reason, count) in counts {
        assert_eq!(streams.server.refused(reason), count, "{reason}");
    }
    assert_eq!(streams.closed(CloseCode::Forbidden), 1);
}

impl Client {
    /// Whether nothing follows the head: the next request on the socket is answered.
    async fn read_to_end_of_head(&mut self) -> bool {
        self.stream
            .write_all(b"HEAD /sse/x HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await
            .unwrap();
        let mut start = [0; 12];
        timeout(PATIENCE, self.stream.read_exact(&mut start))
            .await
            .unwrap()
            .unwrap();
        &start == b"HTTP/1.1 405"
    }
}

#[tokio::test]
async fn handshakes_that_come_too_fast_are_told_to_come_later() {
    let streams = Streams::with(Setup {
        limits: TransportLimits {
            handshakes_per_second: 1,
            ..TransportLimits::default()
        },
        ..Setup::default()
    });
    let _first = streams.ask("GET", "/sse/x", "").await;
    for path in ["/sse/x", "/refused"] {
        let mut refused = streams.ask("GET", path, "").await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
        assert!(refused.body().await.contains(r#""code":"overloaded""#));
    }
    assert_eq!(streams.server.refused("handshake_rate"), 2);
}

#[tokio::test]
async fn only_pages_of_permitted_origins_read_anything() {
    let streams = Streams::start();
    let own = "http://localhost:3000";
    for path in ["/sse/x", "/sse/failing", "/refused"] {
        let client = streams.ask("GET", path, &format!("origin: {own}\r\n")).await;
        assert_ne!(client.status, 404);
        assert_eq!(client.header("access-control-allow-origin"), Some(own), "{path}");
        assert_eq!(client.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(
            client.header("access-control-expose-headers"),
            Some("Retry-After")
        );
        assert_eq!(client.header("vary"), Some("Origin"));
    }
    let asking = "access-control-request-method: GET\r\naccess-control-request-headers: authorization\r\n";
    let preflight = streams
        .ask("OPTIONS", "/sse/x", &format!("origin: {own}\r\n{asking}"))
        .await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some(own));
    assert_eq!(preflight.header("access-control-allow-methods"), Some("GET"));
    assert_eq!(
        preflight.header("access-control-allow-headers"),
        Some("authorization")
    );

    for (method, headers) in [("GET", ""), ("OPTIONS", asking)] {
        let headers = format!("origin: https://evil.example\r\n{headers}");
        let mut foreign = streams.ask(method, "/sse/x", &headers).await;
        assert_eq!(foreign.status, 403);
        assert_eq!(foreign.header("access-control-allow-origin"), None);
        assert!(foreign.body().await.contains(r#""code":"forbidden""#));
    }
    assert_eq!(streams.server.refused("origin"), 2);

    let any = Streams::with(Setup {
        origins: OriginPolicy::Any,
        ..Setup::default()
    });
    let client = any.ask("GET", "/sse/x", "origin: https://evil.example\r\n").await;
    assert_eq!(client.header("access-control-allow-origin"), Some("*"));
    assert_eq!(client.header("access-control-allow-credentials"), None);
}
