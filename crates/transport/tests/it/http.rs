//! Plain requests on a listener.

use crate::client::{Client, UPGRADE};
use crate::server::{Server, Setup};
use std::time::Duration;
use tidings_transport::TransportLimits;

#[tokio::test]
async fn unknown_paths_and_methods_get_problems() {
    let server = Server::start();
    let mut client = Client::connect(server.address).await;
    let answer = client
        .request(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("\"code\":\"not_found\""), "{}", answer.body);
    // On the same connection.
    let answer = client
        .request(b"GET /json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(answer.status, 405);
    assert!(
        answer.body.contains("\"code\":\"method_not_allowed\""),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn bodies_and_headers_are_bounded() {
    let limits = TransportLimits {
        body_bytes_max: 10,
        header_bytes_max: 8_192,
        ..TransportLimits::default()
    };
    let server = Server::with(Setup {
        limits,
        ..Setup::default()
    });
    let post = |body: &str| {
        format!(
            "POST /json HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.request(post("[1,2,3]").as_bytes()).await.body, "[1,2,3]");
    assert_eq!(client.request(post("[1,2,3,4,5]").as_bytes()).await.status, 413);

    let mut client = Client::connect(server.address).await;
    let large = format!(
        "GET /json HTTP/1.1\r\nHost: localhost\r\n{UPGRADE}X: {}\r\n\r\n",
        "x".repeat(9_000)
    );
    assert_eq!(client.request(large.as_bytes()).await.status, 431);

    let mut client = Client::connect(server.address).await;
    let many = format!(
        "GET /json HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
        "X: y\r\n".repeat(101)
    );
    assert_eq!(client.request(many.as_bytes()).await.status, 431);
}

#[tokio::test]
async fn headers_that_do_not_come_are_not_waited_for() {
    let limits = TransportLimits {
        handshake_timeout: Duration::from_millis(100),
        ..TransportLimits::default()
    };
    let server = Server::with(Setup {
        limits,
        ..Setup::default()
    });
    let mut half = Client::connect(server.address).await;
    half.write(b"GET /json HTTP/1.1\r\nHost: loc").await;
    half.read_to_end().await;
    let mut silent = Client::connect(server.address).await;
    silent.read_to_end().await;
}

#[tokio::test]
async fn two_addresses_share_their_routes() {
    let server = Server::start();
    let listener = tidings_transport::Listener::bind(
        &["127.0.0.1:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap()],
        server.transport.limits(),
    )
    .unwrap();
    let addresses = listener.local_addresses().to_vec();
    assert_ne!(addresses[0], addresses[1]);
    let routes = axum::Router::new().route("/here", axum::routing::get(async || "here"));
    let serving = tokio::spawn(listener.serve(routes, server.transport.clone()));
    for address in addresses {
        let mut client = Client::connect(address).await;
        assert_eq!(
            client
                .request(b"GET /here HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .await
                .body,
            "here"
        );
    }
    server.transport.shutdown().cancel();
    serving.await.unwrap().unwrap();
}
