//! What is refused before the upgrade, and what after it.

use crate::client::{Client, Received, text};
use crate::server::{Server, Setup};
use tidings_hub::HubLimits;
use tidings_transport::{OriginPolicy, TransportLimits};

#[tokio::test]
async fn the_answer_is_that_of_the_rfc() {
    let server = Server::start();
    let mut client = Client::connect(server.address).await;
    let answer = client
        .upgrade("/echo", &["Sec-WebSocket-Protocol: other, bearer, token"])
        .await;
    assert_eq!(answer.status, 101);
    assert_eq!(
        answer.header("sec-websocket-accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    assert_eq!(answer.header("sec-websocket-protocol"), Some("bearer"));
    client.expect_echo("hello").await;

    let mut client = Client::connect(server.address).await;
    let answer = client.upgrade("/echo", &["Sec-WebSocket-Protocol: other"]).await;
    assert_eq!(
        (answer.status, answer.header("sec-websocket-protocol")),
        (101, None)
    );
}

#[tokio::test]
async fn malformed_upgrades_get_problems() {
    let server = Server::start();
    let version = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n";
    let key = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    for (headers, status, code) in [
        ("", 426, "upgrade_required"),
        (version, 426, "upgrade_required"),
        (key, 400, "bad_upgrade"),
    ] {
        let mut client = Client::connect(server.address).await;
        let request = format!("GET /echo HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        let answer = client.request(request.as_bytes()).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(
            answer.body.contains(&format!("\"code\":\"{code}\"")),
            "{}",
            answer.body
        );
        assert_eq!(answer.header("sec-websocket-version").is_some(), status == 426);
    }
    assert_eq!(server.refused("bad_upgrade"), 3);
}

#[tokio::test]
async fn a_refusal_is_a_close_frame_the_client_can_read() {
    let server = Server::start();
    let mut client = Client::connect(server.address).await;
    // What the client sent meanwhile must not reset the connection before it has read the reason.
    assert_eq!(
        client
            .upgrade_with("/refuse", &[], &text("too early"))
            .await
            .status,
        101
    );
    client.write(&text("still there")).await;
    client.expect_close(4401, "invalid_token").await;
    assert_eq!(server.refused("invalid_token"), 1);
    assert_eq!(server.transport.hub().connections(), 0);
}

#[tokio::test]
async fn a_refused_client_that_stays_is_not_waited_for() {
    let limits = TransportLimits {
        linger: std::time::Duration::from_millis(50),
        ..TransportLimits::default()
    };
    let server = Server::with(Setup {
        limits,
        ..Setup::default()
    });
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.upgrade("/refuse", &[]).await.status, 101);
    server.transport.shutdown().cancel();
    server.tracker.close();
    // Ends although the client keeps its socket open.
    server.tracker.wait().await;
    client.expect_close(4401, "invalid_token").await;
}

#[tokio::test]
async fn a_start_that_fails_closes_behind_what_it_sent() {
    let server = Server::start();
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.upgrade("/fail", &[]).await.status, 101);
    assert_eq!(client.receive().await, Received::Text("almost".into()));
    client.expect_close(4400, "missing_user_id").await;
    assert_eq!(server.refused("missing_user_id"), 1);
}

#[tokio::test]
async fn a_foreign_page_is_closed_after_the_upgrade() {
    let server = Server::with(Setup {
        origins: OriginPolicy::List(vec!["https://app.example.com".into()]),
        ..Setup::default()
    });
    let mut client = Client::connect(server.address).await;
    assert_eq!(
        client
            .upgrade("/echo", &["Origin: https://evil.example"])
            .await
            .status,
        101
    );
    client.expect_close(4403, "forbidden").await;
    assert_eq!(server.refused("origin"), 1);
    let mut client = Client::connect(server.address).await;
    assert_eq!(
        client
            .upgrade("/raw", &["Origin: https://evil.example"])
            .await
            .status,
        403
    );

    let mut client = Client::connect(server.address).await;
    assert_eq!(
        client
            .upgrade("/echo", &["Origin: https://app.example.com"])
            .await
            .status,
        101
    );
    client.expect_echo("hello").await;
}

#[tokio::test]
async fn an_address_has_its_quota() {
    let limits = TransportLimits {
        connections_per_address_max: 2,
        ..TransportLimits::default()
    };
    let server = Server::with(Setup {
        limits,
        ..Setup::default()
    });
    let mut first = server.echo_client().await;
    first.expect_echo("1").await;
    let mut second = server.echo_client().await;
    second.expect_echo("2").await;
    let mut third = Client::connect(server.address).await;
    assert_eq!(third.upgrade("/echo", &[]).await.status, 101);
    third.expect_close(4429, "rate_limited").await;
    assert_eq!(server.refused("address_quota"), 1);

    first.write(&crate::client::close(1000)).await;
    first.expect_close(1000, "").await;
    drop(first);
    // The place is free once the server has seen the end: until then the answer is 4429.
    loop {
        let mut again = Client::connect(server.address).await;
        assert_eq!(again.upgrade("/echo", &[]).await.status, 101);
        again.write(&text("again")).await;
        if again.receive().await == Received::Text("again".into()) {
            break;
        }
    }
}

#[tokio::test]
async fn a_full_server_says_so_before_the_upgrade() {
    let limits = TransportLimits {
        connections_max: 1,
        ..TransportLimits::default()
    };
    let hub = HubLimits {
        connections_max: 1,
        ..HubLimits::default()
    };
    let server = Server::with(Setup {
        limits,
        hub,
        ..Setup::default()
    });
    let mut held = server.echo_client().await;
    held.expect_echo("only").await;
    let mut client = Client::connect(server.address).await;
    let answer = client.upgrade("/echo", &[]).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(answer.body.contains("\"code\":\"overloaded\""), "{}", answer.body);
    assert!(server.refused("overloaded") >= 1);
}

#[tokio::test]
async fn handshakes_have_a_rate() {
    let limits = TransportLimits {
        handshakes_per_second: 1,
        ..TransportLimits::default()
    };
    let server = Server::with(Setup {
        limits,
        ..Setup::default()
    });
    let mut first = server.echo_client().await;
    first.expect_echo("1").await;
    let mut client = Client::connect(server.address).await;
    let answer = client.upgrade("/echo", &[]).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(server.refused("handshake_rate"), 1);
}

#[tokio::test]
async fn short_memory_is_told_before_the_upgrade_and_after_it() {
    let server = Server::start();
    let mut connected = server.echo_client().await;
    connected.expect_echo("before").await;
    // Admitted, and short by the time that the socket could become a connection.
    let mut caught = Client::connect(server.address).await;
    assert_eq!(caught.upgrade("/short", &[]).await.status, 101);
    caught.expect_close(4503, "overloaded").await;
    assert_eq!((server.refused("memory"), server.refused("overloaded")), (0, 1));

    let mut late = Client::connect(server.address).await;
    let answer = late.upgrade("/echo", &[]).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert_eq!((server.refused("memory"), server.refused("overloaded")), (1, 1));
    connected.expect_echo("still connected").await;

    server.transport.set_memory_short(false);
    let mut welcome = server.echo_client().await;
    welcome.expect_echo("again").await;
}

#[tokio::test]
async fn a_server_that_goes_down_says_so_before_the_upgrade() {
    let server = Server::start();
    let mut connected = server.echo_client().await;
    connected.expect_echo("before").await;
    let mut late = Client::connect(server.address).await;
    let answer = late.upgrade("/late", &[]).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(
        answer.body.contains("\"code\":\"shutting_down\""),
        "{}",
        answer.body
    );
    assert_eq!(server.refused("shutting_down"), 1);
    // The listener has left; who is connected is the hub's to drain.
    late.read_to_end().await;
    connected.expect_echo("still connected").await;
}

#[tokio::test]
async fn a_raw_upgrade_hands_over_what_came_early() {
    let server = Server::start();
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.upgrade_with("/raw", &[], b"\x81\x02hi").await.status, 101);
    assert_eq!(client.receive().await, Received::Text("hi".into()));
    assert_eq!(client.receive().await, Received::End);
}
