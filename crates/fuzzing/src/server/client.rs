//! A client's socket: writes what it is told, and keeps the session ids that it reads.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer is waited for; what comes later is read later.
const ANSWER_TIME: Duration = Duration::from_millis(15);
const WRITE_TIME: Duration = Duration::from_millis(50);
/// What the head of an event stream says of it.
const STREAM: &[u8] = b"text/event-stream";
const KEPT_BYTES_MAX: usize = 256 * 1024;

pub(super) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    pub(super) async fn open(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).await.ok()?;
        Some(Self {
            stream,
            unread: Vec::new(),
        })
    }

    /// Writes all of it, unless the server reads too slowly or has gone.
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        let _ = timeout(WRITE_TIME, self.stream.write_all(bytes)).await;
    }

    pub(super) async fn end_writing(&mut self) {
        let _ = timeout(WRITE_TIME, self.stream.shutdown()).await;
    }

    /// Reads what comes, for a moment. Returns the session ids in it.
    pub(super) async fn read(&mut self) -> Vec<String> {
        let before = self.unread.len().saturating_sub(64);
        if self.unread.len() < KEPT_BYTES_MAX {
            let _ = timeout(ANSWER_TIME, self.stream.read_buf(&mut self.unread)).await;
        }
        session_ids(&self.unread[before..])
    }

    /// What has come already.
    pub(super) fn read_now(&mut self) -> Vec<String> {
        let before = self.unread.len().saturating_sub(64);
        while self.unread.len() < KEPT_BYTES_MAX
            && matches!(self.stream.try_read_buf(&mut self.unread), Ok(1..))
        {}
        session_ids(&self.unread[before..])
    }

    /// Reads to the end, however long that takes; but who gets an event stream leaves, because that has none.
    pub(super) async fn read_to_end(mut self) {
        loop {
            if self.unread.windows(STREAM.len()).any(|bytes| bytes == STREAM) {
                return;
            }
            let seen = self.unread.len().saturating_sub(STREAM.len());
            self.unread.drain(..seen);
            if !matches!(self.stream.read_buf(&mut self.unread).await, Ok(1..)) {
                return;
            }
        }
    }

    /// Reads to the end; whether that was an answer of 200.
    pub(super) async fn answers_well(mut self) -> bool {
        let mut head = [0; 12];
        let is_well = self.stream.read_exact(&mut head).await.is_ok() && head.ends_with(b" 200");
        self.read_to_end().await;
        is_well
    }

    /// Ends it with a reset.
    pub(super) fn reset(self) {
        let _ = self.stream.set_zero_linger();
    }
}

/// Engine.IO ids have 20 characters, those of Socket.IO 22.
fn session_ids(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.split("\"sid\":\"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"'))
        .map(|(id, _)| id.to_owned())
        .filter(|id| id.len() == 20)
        .collect()
}
