//! A WebSocket client of its own, so that the codec does not test itself.

use crate::server::PATIENCE;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The head of an answer other than 101.
pub(crate) type Refusal = String;

#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    pub(crate) head: String,
}

impl Client {
    pub(crate) async fn connect(
        address: SocketAddr,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Result<Client, Refusal> {
        let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
        let mut request = format!(
            "GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        if head.starts_with("http/1.1 101 ") {
            Ok(Client { stream, head })
        } else {
            Err(head)
        }
    }

    /// The next message, which must be a text.
    pub(crate) async fn text(&mut self) -> String {
        let (opcode, payload) = self.frame().await;
        assert_eq!(opcode, 0x1, "{payload:?}");
        String::from_utf8(payload).unwrap()
    }

    /// The code and reason of the next message, which must be a close.
    pub(crate) async fn close(&mut self) -> (u16, String) {
        let (opcode, payload) = self.frame().await;
        assert_eq!(opcode, 0x8, "{:?}", String::from_utf8_lossy(&payload));
        let code = u16::from_be_bytes([payload[0], payload[1]]);
        (code, String::from_utf8(payload[2..].to_vec()).unwrap())
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.write(0x81, text.as_bytes()).await;
    }

    pub(crate) async fn send_binary(&mut self, bytes: &[u8]) {
        self.write(0x82, bytes).await;
    }

    /// Everything published to this connection so far has been read: the pong is the next message.
    pub(crate) async fn expect_nothing(&mut self) {
        self.send(r#"{"type":"ping"}"#).await;
        assert_eq!(self.text().await, r#"{"type":"pong"}"#);
    }

    async fn write(&mut self, first: u8, payload: &[u8]) {
        assert!(payload.len() < 126);
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).unwrap()];
        frame.extend(mask);
        frame.extend(
            payload
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        self.stream.write_all(&frame).await.unwrap();
    }

    async fn frame(&mut self) -> (u8, Vec<u8>) {
        timeout(PATIENCE, self.read_frame())
            .await
            .expect("a frame comes in time")
    }

    /// The next frame but pings.
    async fn read_frame(&mut self) -> (u8, Vec<u8>) {
        loop {
            let first = self.stream.read_u8().await.unwrap();
            assert_eq!(first & 0xf0, 0x80, "unfragmented");
            let length = match self.stream.read_u8().await.unwrap() {
                126 => usize::from(self.stream.read_u16().await.unwrap()),
                127 => usize::try_from(self.stream.read_u64().await.unwrap()).unwrap(),
                short => usize::from(short),
            };
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).await.unwrap();
            if first & 0xf != 0x9 {
                return (first & 0xf, payload);
            }
        }
    }
}
