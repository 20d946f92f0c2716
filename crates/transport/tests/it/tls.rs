//! TLS of a listener: who is spoken with, in which protocol, and with which certificate.

use crate::certificate::{Certificate, connect};
use crate::client::Client;
use crate::server::{Server, Setup};
use axum::http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::time::Duration;
use tidings_transport::{Limit, ListenerOptions, Tls, TlsSettings, TlsVersion, TransportLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A server with this certificate, and the handle that exchanges it.
fn server(
    certificate: &Certificate,
    change: impl FnOnce(&mut TlsSettings, &mut TransportLimits),
) -> (Server, Tls) {
    let mut setup = Setup::default();
    let mut settings = certificate.settings();
    change(&mut settings, &mut setup.limits);
    let tls = Tls::load(settings).unwrap();
    setup.listener = ListenerOptions {
        tls: Some(tls.clone()),
        ..ListenerOptions::default()
    };
    (Server::with(setup), tls)
}

/// Waits until so many handshakes were completed, failed, and timed out: a client may know of its own before the server
/// has counted it.
async fn handshakes(server: &Server, expected: [u64; 3]) {
    let counts = || {
        let handshakes = server.transport.counters().figures().tls_handshakes;
        ["completed", "failed", "timed_out"]
            .map(|outcome| handshakes.iter().find(|(name, _)| *name == outcome).unwrap().1)
    };
    let settled = async {
        while counts() != expected {
            tokio::task::yield_now().await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(10), settled).await;
    assert!(settled.is_ok(), "{:?}", counts());
}

#[tokio::test]
async fn http_is_spoken_in_the_version_that_the_client_asks_for() {
    let certificate = Certificate::new();
    let (server, _) = server(&certificate, |_, _| {});
    for alpn in [&[][..], &["http/1.1"]] {
        let mut client = Client::on(certificate.connect(server.address, alpn).await.unwrap());
        let answer = client
            .request(b"GET /peer HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await;
        assert!(answer.body.starts_with("127.0.0.1:"), "{answer:?}");
    }
    let stream = certificate
        .connect(server.address, &["h2", "http/1.1"])
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::post("https://localhost/json").header("content-type", "application/json");
    let answer = client
        .send_request(request.body(Full::<Bytes>::from(r#"{"a":1}"#)).unwrap())
        .await
        .unwrap();
    assert_eq!(
        (answer.status(), answer.version()),
        (StatusCode::OK, Version::HTTP_2)
    );
    assert_eq!(
        answer.into_body().collect().await.unwrap().to_bytes(),
        r#"{"a":1}"#
    );
    // A WebSocket needs HTTP/1.1.
    let request = Request::get("https://localhost/echo")
        .body(Full::<Bytes>::from(""))
        .unwrap();
    assert_eq!(
        client.send_request(request).await.unwrap().status(),
        StatusCode::UPGRADE_REQUIRED
    );
    assert!(certificate.connect(server.address, &["spdy/3"]).await.is_err());
    handshakes(&server, [3, 1, 0]).await;
}

#[tokio::test]
async fn http2_is_bounded_in_headers_and_idleness() {
    let certificate = Certificate::new();
    let (server, _) = server(&certificate, |_, limits| {
        limits.headers_max = 10;
        limits.header_bytes_max = 4_096;
        limits.handshake_timeout = Duration::from_millis(300);
        limits.linger = Duration::from_millis(500);
    });
    let stream = certificate.connect(server.address, &["h2"]).await.unwrap();
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let status = async |client: &mut http2::SendRequest<Empty<Bytes>>, count: usize, length: usize| {
        let request = (0..count).fold(Request::get("https://localhost/peer"), |request, number| {
            request.header(format!("x-{number}"), "x".repeat(length))
        });
        client
            .send_request(request.body(Empty::new()).unwrap())
            .await
            .unwrap()
            .status()
    };
    assert_eq!(status(&mut client, 10, 10).await, StatusCode::OK);
    assert_eq!(
        status(&mut client, 11, 10).await,
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    );
    assert_eq!(
        status(&mut client, 5, 1_000).await,
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    );
    // Nothing more is asked: the server says goodbye, and the connection ends in order.
    connection.await.unwrap().unwrap();
    drop(client);
    // A client that speaks TLS and then nothing is not waited for either, in either version of HTTP.
    for alpn in ["h2", "http/1.1"] {
        let mut silent = certificate.connect(server.address, &[alpn]).await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(10), silent.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "{alpn}");
    }
    let late = server.transport.counters().of(Limit::HandshakeTimeout);
    assert_eq!(late, 2);
}

#[tokio::test]
async fn an_answer_over_http2_that_nobody_takes_ends_with_its_stream() {
    let certificate = Certificate::new();
    let (server, _) = server(&certificate, |_, limits| {
        limits.send_timeout = Duration::from_millis(300);
    });
    let stream = certificate.connect(server.address, &["h2"]).await.unwrap();
    let (mut client, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(0)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = || {
        Request::get("https://localhost/peer")
            .body(Empty::<Bytes>::new())
            .unwrap()
    };
    for _ in 0..2 {
        let answer = client.send_request(request()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let body = tokio::time::timeout(Duration::from_secs(10), answer.into_body().collect());
        let error = body.await.expect("the end of the stream").unwrap_err();
        assert!(format!("{error:?}").contains("CANCEL"), "{error:?}");
    }
}

#[tokio::test]
async fn a_client_without_tls_gets_an_orderly_end() {
    let certificate = Certificate::new();
    let (server, _) = server(&certificate, |_, _| {});
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // Longer than what the session reads at once: what it leaves unread must not reset the connection.
    let request = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    drop(stream);
    handshakes(&server, [0, 1, 0]).await;
}

#[tokio::test]
async fn a_handshake_has_its_time_and_its_versions() {
    let certificate = Certificate::new();
    let (server, _) = server(&certificate, |settings, limits| {
        settings.version_min = TlsVersion::Tls13;
        limits.handshake_timeout = Duration::from_millis(300);
    });
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    silent.write_all(&[0x16, 3, 1]).await.unwrap();
    let mut rest = Vec::new();
    let _ = silent.read_to_end(&mut rest).await;
    assert_eq!(rest, b"");
    let old = certificate.client_of(&[], &[&rustls::version::TLS12]);
    assert!(connect(old, server.address).await.is_err());
    certificate.connect(server.address, &[]).await.unwrap();
    handshakes(&server, [1, 1, 1]).await;
}

#[tokio::test]
async fn an_exchange_reaches_new_connections_and_spares_old_ones() {
    let mut certificate = Certificate::new();
    let (server, tls) = server(&certificate, |_, _| {});
    let upgraded = async |certificate: &Certificate| {
        let mut client = Client::on(certificate.connect(server.address, &[]).await.unwrap());
        assert_eq!(client.upgrade("/echo", &[]).await.status, 101);
        client
    };
    let mut first = upgraded(&certificate).await;
    assert!(!tls.is_outdated());
    certificate.exchange();
    assert!(tls.is_outdated());
    tls.reload(server.transport.counters());
    assert!(!tls.is_outdated());
    let mut second = upgraded(&certificate).await;
    // A key of another certificate: everything stays as it is, and is not tried again and again.
    certificate.break_key();
    assert!(tls.is_outdated());
    tls.reload(server.transport.counters());
    assert!(!tls.is_outdated());
    let mut third = upgraded(&certificate).await;
    for client in [&mut first, &mut second, &mut third] {
        client.expect_echo("still here").await;
    }
    let reloads = server.transport.counters().figures().tls_reloads;
    assert_eq!(reloads, [("failed", 1), ("loaded", 1)]);
    assert!(tls.not_after().is_some());
}

#[tokio::test]
async fn a_session_is_resumed_until_the_certificate_changes() {
    for versions in [&[&rustls::version::TLS13][..], &[&rustls::version::TLS12]] {
        let mut certificate = Certificate::new();
        let (server, tls) = server(&certificate, |_, _| {});
        let config = certificate.client_of(&[], versions);
        let kind = async |config| {
            let stream = connect(config, server.address).await.unwrap();
            let kind = stream.get_ref().1.handshake_kind().unwrap();
            let mut client = Client::on(stream);
            // Tickets come with the first answer.
            client
                .request(b"GET /peer HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .await;
            kind
        };
        assert_eq!(kind(config.clone()).await, rustls::HandshakeKind::Full);
        assert_eq!(kind(config.clone()).await, rustls::HandshakeKind::Resumed);
        certificate.exchange();
        tls.reload(server.transport.counters());
        // The old ticket is void, and the new certificate is not the one that this client trusts.
        assert!(connect(config, server.address).await.is_err());
    }
}
