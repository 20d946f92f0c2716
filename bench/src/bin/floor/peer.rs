//! A connection that still speaks HTTP: the publisher, or a WebSocket before its upgrade.

use std::io::{ErrorKind, Read, Write};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use tidings_bench::http;
use tidings_wire::websocket::accept_key;

use crate::socket::Written;

/// Several hundred pipelined publishes of ordinary size.
const INPUT_BYTES_MAX: usize = 256 * 1024;

pub(crate) struct Peer {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
}

/// What became of a peer after it was readable.
pub(crate) enum Next {
    /// It goes on as it is.
    Stays,
    /// It is a WebSocket now.
    Upgraded,
}

impl Peer {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            input: Vec::new(),
            output: Vec::new(),
        }
    }

    pub(crate) fn stream_mut(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Reads what has come and answers it; the bodies of publishes go to `publish`.
    pub(crate) fn readable(&mut self, written: &Written, mut publish: impl FnMut(&[u8])) -> Result<Next> {
        let mut bytes = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => bail!("closed"),
                Ok(count) => self.input.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
            if let Next::Upgraded = self.answer_all(written, &mut publish)? {
                self.flush()?;
                return Ok(Next::Upgraded);
            }
        }
        self.flush()?;
        Ok(Next::Stays)
    }

    /// Writes answers that wait.
    pub(crate) fn flush(&mut self) -> Result<()> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn answer_all(&mut self, written: &Written, publish: &mut impl FnMut(&[u8])) -> Result<Next> {
        let mut used = 0;
        let mut next = Next::Stays;
        while let Some(head_length) = http::head_length(&self.input[used..]) {
            let head = std::str::from_utf8(&self.input[used..used + head_length])?;
            let body_start = used + head_length;
            let body_length = http::content_length(head)?.unwrap_or(0);
            let Some(body) = self.input[body_start..].get(..body_length) else {
                break;
            };
            used = body_start + body_length;
            if head.starts_with("POST /publish ") {
                publish(body);
                self.output
                    .extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            } else if http::header(head, "upgrade").is_some_and(|name| name.eq_ignore_ascii_case("websocket"))
            {
                let key = http::header(head, "sec-websocket-key").context("no Sec-WebSocket-Key")?;
                let accept = accept_key(key);
                write!(
                    self.output,
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Accept: {accept}\r\n\r\n"
                )?;
                next = Next::Upgraded;
                break;
            } else if head.starts_with("GET /metrics ") {
                let Written { frames, writes } = written;
                let text = format!("tidings_frames_written_total {frames}\ntidings_writes_total {writes}\n");
                write!(
                    self.output,
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}",
                    text.len()
                )?;
            } else {
                self.output
                    .extend_from_slice(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
            }
            if http::header(head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
                self.flush()?;
                bail!("closed as asked");
            }
        }
        self.input.drain(..used);
        if self.input.len() > INPUT_BYTES_MAX || self.output.len() > INPUT_BYTES_MAX {
            bail!("too much at once");
        }
        Ok(next)
    }
}
