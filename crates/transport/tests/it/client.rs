//! A client that writes its bytes by hand.

use std::net::SocketAddr;
use tidings_wire::websocket::client_frame;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
pub(crate) const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// What a client speaks on.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(crate) struct Client {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
}

/// An answer's head; its body, if its length was told, is read with it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// A frame of the server's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    /// The stream ended.
    End,
}

/// A client's frame, masked; `first` is the whole first byte.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    client_frame(first, MASK, payload)
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

pub(crate) fn close(code: u16) -> Vec<u8> {
    frame(0x88, &code.to_be_bytes())
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::on(stream)
    }

    pub(crate) fn on(stream: impl Stream + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            unread: Vec::new(),
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Asks for an upgrade; `more` are further header lines.
    pub(crate) async fn upgrade(&mut self, path: &str, more: &[&str]) -> Answer {
        self.upgrade_with(path, more, &[]).await
    }

    /// The same, with bytes in the same segment behind the request.
    pub(crate) async fn upgrade_with(&mut self, path: &str, more: &[&str], early: &[u8]) -> Answer {
        let more: String = more.iter().flat_map(|line| [line, "\r\n"]).collect();
        let mut request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{UPGRADE}{more}\r\n").into_bytes();
        request.extend_from_slice(early);
        self.request(&request).await
    }

    pub(crate) async fn request(&mut self, request: &[u8]) -> Answer {
        self.write(request).await;
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(
                self.read_more().await,
                "no answer: {:?}",
                String::from_utf8_lossy(&self.unread)
            );
        };
        let head = String::from_utf8(self.unread.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer {
            status,
            head,
            body: String::new(),
        };
        let length = answer
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        answer.body = String::from_utf8(self.take(length).await.unwrap()).unwrap();
        answer
    }

    /// The next frame.
    pub(crate) async fn receive(&mut self) -> Received {
        let Some(start) = self.take(2).await else {
            return Received::End;
        };
        assert_eq!(start[1] & 0x80, 0, "a server masks nothing");
        let length = match start[1] {
            126 => u16::from_be_bytes(self.take(2).await.unwrap().try_into().unwrap()).into(),
            127 => u64::from_be_bytes(self.take(8).await.unwrap().try_into().unwrap()) as usize,
            short => usize::from(short),
        };
        let payload = self.take(length).await.unwrap();
        match start[0] {
            0x81 => Received::Text(String::from_utf8(payload).unwrap()),
            0x82 => Received::Binary(payload),
            0x89 => Received::Ping(payload),
            0x8A => Received::Pong(payload),
            0x88 if payload.is_empty() => Received::Close(None, String::new()),
            0x88 => Received::Close(
                Some(u16::from_be_bytes([payload[0], payload[1]])),
                String::from_utf8(payload[2..].to_vec()).unwrap(),
            ),
            first => panic!("frame {first:#x}"),
        }
    }

    /// The server closes with this code, and ends the stream.
    pub(crate) async fn expect_close(&mut self, code: u16, reason: &str) {
        assert_eq!(
            self.receive().await,
            Received::Close(Some(code), reason.to_owned())
        );
        assert_eq!(self.receive().await, Received::End);
    }

    /// Sends a text and gets it back.
    pub(crate) async fn expect_echo(&mut self, echo: &str) {
        self.write(&text(echo)).await;
        assert_eq!(self.receive().await, Received::Text(echo.to_owned()));
    }

    /// Whether the other side has ended or reset the stream, all else read away.
    pub(crate) async fn read_to_end(&mut self) {
        while self.read_more().await {}
    }

    async fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.unread.len() < count {
            if !self.read_more().await {
                assert!(
                    self.unread.is_empty(),
                    "the stream ended within a frame: {:x?}",
                    self.unread
                );
                return None;
            }
        }
        Some(self.unread.drain(..count).collect())
    }

    async fn read_more(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.unread).await, Ok(count) if count != 0)
    }
}
