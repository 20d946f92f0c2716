//! `/api/v1/ws` over a real socket: tokens, close codes, subprotocols.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use tidings_access::ServiceScope;
use tidings_transport::{Listener, TransportLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fixture::Fixture;

const WAIT: Duration = Duration::from_secs(10);

/// The answer's head, lower case, and the first frames' opcodes and payloads.
struct Answer {
    head: String,
    frames: Vec<(u8, Vec<u8>)>,
}

fn serve(fixture: &Fixture) -> SocketAddr {
    let address = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(&[address], &TransportLimits::default()).unwrap();
    let bound = listener.local_addresses()[0];
    let transport = fixture.workflows.0.transport.clone();
    tokio::spawn(listener.serve(fixture.workflows.routes(), transport));
    bound
}

async fn ask(address: SocketAddr, query: &str, headers: &[(&str, &str)], frames: usize) -> Answer {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let mut request = format!(
        "GET /api/v1/ws{query} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    );
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    request.push_str("\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut received = Vec::new();
    loop {
        if let Some(answer) = parse(&received, frames) {
            return answer;
        }
        let read = tokio::time::timeout(WAIT, socket.read_buf(&mut received)).await;
        assert_ne!(
            read.expect("an answer in time").unwrap(),
            0,
            "{}",
            String::from_utf8_lossy(&received)
        );
    }
}

fn parse(received: &[u8], frames_wanted: usize) -> Option<Answer> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(received[..end].to_vec())
        .unwrap()
        .to_ascii_lowercase();
    let (mut rest, mut frames) = (&received[end..], Vec::new());
    while frames.len() < frames_wanted {
        let (length, start) = match *rest.get(1)? {
            126 => (usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?])), 4),
            length => (usize::from(length), 2),
        };
        frames.push((rest[0] & 15, rest.get(start..start + length)?.to_vec()));
        rest = &rest[start + length..];
    }
    Some(Answer { head, frames })
}

fn assert_closed(answer: &Answer, code: u16, reason: &str) {
    assert!(answer.head.starts_with("http/1.1 101 "), "{}", answer.head);
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    assert_eq!(answer.frames, [(8, payload)]);
}

#[tokio::test]
async fn a_token_by_query_header_or_subprotocol_opens() {
    let fixture = Fixture::new().await;
    let address = serve(&fixture);
    let token = fixture.user_token("ann");
    let (query, header) = (format!("?token={token}"), format!("Bearer {token}"));
    let protocol = format!("bearer, {token}");
    for (query, headers) in [
        (query.as_str(), vec![]),
        ("", vec![("Authorization", header.as_str())]),
        ("?token=", vec![("Authorization", header.as_str())]),
        ("", vec![("Sec-WebSocket-Protocol", protocol.as_str())]),
    ] {
        let answer = ask(address, query, &headers, 2).await;
        let texts: Vec<_> = answer
            .frames
            .iter()
            .map(|(_, payload)| String::from_utf8_lossy(payload))
            .collect();
        assert!(
            texts[0].starts_with(r#"{"type":"connection","event":"connected","connection_id":""#),
            "{texts:?}"
        );
        assert!(texts[1].contains(r#""room_id":"user:ann""#), "{texts:?}");
        let chosen = answer.head.contains("sec-websocket-protocol: bearer\r\n");
        assert_eq!(
            chosen,
            headers.iter().any(|(name, _)| *name == "Sec-WebSocket-Protocol")
        );
    }
}

#[tokio::test]
async fn what_does_not_verify_is_refused_after_the_upgrade() {
    let fixture = Fixture::new().await;
    let address = serve(&fixture);
    for query in ["", "?token=", "?user_id=u"] {
        assert_closed(&ask(address, query, &[], 1).await, 4401, "missing_token");
    }
    let service = fixture.token(ServiceScope::Service);
    for token in ["x", "x.y.z", &service] {
        assert_closed(
            &ask(address, &format!("?token={token}"), &[], 1).await,
            4401,
            "invalid_token",
        );
    }
    let answer = ask(address, "", &[("Sec-WebSocket-Protocol", "bearer, x.y.z")], 1).await;
    assert_closed(&answer, 4401, "invalid_token");
    assert!(
        answer.head.contains("sec-websocket-protocol: bearer\r\n"),
        "{}",
        answer.head
    );
    let expired = fixture.user_token("ann");
    // Of a minute, and ample: its clock stands, and that of the token does not.
    fixture.advance(120);
    assert_closed(
        &ask(address, &format!("?token={expired}"), &[], 1).await,
        4401,
        "invalid_token",
    );
    assert_eq!(fixture.workflows.connections(), 0);
}

#[tokio::test]
async fn foreign_pages_are_forbidden() {
    let fixture = Fixture::new().await;
    let address = serve(&fixture);
    let query = format!("?token={}", fixture.user_token("ann"));
    let answer = ask(address, &query, &[("Origin", "https://evil.example")], 1).await;
    assert_closed(&answer, 4403, "forbidden");
}

#[tokio::test]
async fn a_plain_request_needs_an_upgrade() {
    let fixture = Fixture::new().await;
    let user = fixture.user_token("ann");
    assert_eq!(fixture.ask(&user, "GET", "/ws", None).await.0, 426);
}
