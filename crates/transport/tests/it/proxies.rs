//! Who a client is, behind proxies.

use crate::client::{Client, Received, text};
use crate::server::{Server, Setup};
use std::sync::Arc;
use std::time::Duration;
use tidings_transport::{ListenerOptions, Proxies, TransportLimits};
use tidings_wire::forwarding::Form;

const LINE: &[u8] = b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n";
const GET_PEER: &[u8] = b"GET /peer HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A server that believes these, and admits one connection from each address.
fn server(trusted: &str, header: Option<Form>, takes_proxy_protocol: bool) -> Server {
    Server::with(Setup {
        limits: TransportLimits {
            handshake_timeout: Duration::from_millis(500),
            connections_per_address_max: 1,
            ..TransportLimits::default()
        },
        listener: ListenerOptions {
            proxies: Arc::new(Proxies {
                trusted: vec![trusted.parse().unwrap()],
                header,
            }),
            takes_proxy_protocol,
            tls: None,
        },
        ..Setup::default()
    })
}

/// A header of version 2 for `2001:db8::7` port 9, with a remark behind the addresses.
fn binary_header() -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x2b".to_vec();
    header.extend([0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    header.extend([0xFD; 16]);
    header.extend([0, 9, 1, 0xBB]);
    header.extend(*b"\x04\0\x04remk");
    header
}

async fn peer_behind(server: &Server, header: &[u8]) -> String {
    let mut client = Client::connect(server.address).await;
    let answer = client.request(&[header, GET_PEER].concat()).await;
    assert_eq!(answer.status, 200);
    answer.body
}

#[tokio::test]
async fn the_header_says_whose_connection_it_is() {
    let server = server("127.0.0.0/8", None, true);
    assert_eq!(peer_behind(&server, LINE).await, "192.0.2.7:56324");
    assert_eq!(peer_behind(&server, &binary_header()).await, "[2001:db8::7]:9");
    for keeps in [b"PROXY UNKNOWN\r\n".as_slice(), b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        assert!(peer_behind(&server, keeps).await.starts_with("127.0.0.1:"));
    }
}

#[tokio::test]
async fn a_header_in_many_pieces_ends_where_it_ends() {
    let server = server("127.0.0.1", None, true);
    for header in [LINE.to_vec(), binary_header()] {
        let mut client = Client::connect(server.address).await;
        for byte in header {
            client.write(&[byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(client.request(GET_PEER).await.status, 200);
    }
}

#[tokio::test]
async fn limits_count_the_named_client() {
    let server = server("127.0.0.0/8", None, true);
    let open = async |line: &str| {
        let mut client = Client::connect(server.address).await;
        client.write(line.as_bytes()).await;
        assert_eq!(client.upgrade("/echo", &[]).await.status, 101);
        client
    };
    let mut first = open("PROXY TCP4 192.0.2.7 10.0.0.1 1 443\r\n").await;
    let mut other = open("PROXY TCP4 192.0.2.8 10.0.0.1 1 443\r\n").await;
    let mut second = open("PROXY TCP4 192.0.2.7 10.0.0.1 2 443\r\n").await;
    second.expect_close(4429, "rate_limited").await;
    first.expect_echo("one").await;
    other.expect_echo("two").await;
    assert_eq!(server.refused("address_quota"), 1);
}

#[tokio::test]
async fn a_trusted_proxy_without_its_header_is_refused() {
    let server = server("127.0.0.0/8", None, true);
    for wrong in [
        GET_PEER,
        b"PROXY TCP4 nobody 10.0.0.1 1 443\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0C",
    ] {
        let mut client = Client::connect(server.address).await;
        client.write(wrong).await;
        client.read_to_end().await;
    }
    // Half a header, and silence.
    let mut client = Client::connect(server.address).await;
    client.write(&LINE[..20]).await;
    client.read_to_end().await;
    assert_eq!(server.refused("proxy_protocol"), 4);
    // Only looking whether somebody listens is no offence.
    drop(Client::connect(server.address).await);
    assert_eq!(peer_behind(&server, LINE).await, "192.0.2.7:56324");
    assert_eq!(server.refused("proxy_protocol"), 4);
}

#[tokio::test]
async fn others_connect_without_a_header_and_are_not_believed() {
    let server = server("10.0.0.0/8", Some(Form::XForwardedFor), true);
    let mut client = Client::connect(server.address).await;
    let answer = client
        .request(b"GET /peer HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n")
        .await;
    assert!(answer.body.starts_with("127.0.0.1:"), "{answer:?}");
    let mut client = Client::connect(server.address).await;
    assert_eq!(client.request(&[LINE, GET_PEER].concat()).await.status, 400);
}

#[tokio::test]
async fn requests_of_a_proxy_count_for_the_client_that_it_names() {
    let server = server("127.0.0.0/8", Some(Form::XForwardedFor), false);
    let open = async |header: &str| {
        let mut client = Client::connect(server.address).await;
        assert_eq!(client.upgrade("/echo", &[header]).await.status, 101);
        client
    };
    let mut first = open("X-Forwarded-For: 198.51.100.1, 192.0.2.7, 127.0.0.9").await;
    let mut other = open("X-Forwarded-For: 192.0.2.7, 192.0.2.8").await;
    let mut second = open("X-Forwarded-For: 192.0.2.7").await;
    second.expect_close(4429, "rate_limited").await;
    first.expect_echo("one").await;
    other.write(&text("two")).await;
    assert_eq!(other.receive().await, Received::Text("two".into()));
    let mut client = Client::connect(server.address).await;
    for (header, peer) in [
        ("X-Forwarded-For: 192.0.2.9", "192.0.2.9:0"),
        ("X-Forwarded-For: [2001:db8::7]:80", "[2001:db8::7]:80"),
    ] {
        // One connection of the proxy's carries many clients' requests.
        let request = format!("GET /peer HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n");
        assert_eq!(client.request(request.as_bytes()).await.body, peer);
    }
}
