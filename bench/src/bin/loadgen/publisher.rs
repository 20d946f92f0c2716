//! Publishing over one kept-alive connection: pipelined HTTP, or NATS's own protocol. A server that closes the connection
//! after its answer gets the next publish over a new one, so that the order stays.

mod body;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};

use anyhow::{Context, Result, ensure};
use mio::net::TcpStream;
use tidings_bench::{http, message};

use crate::options::{Options, Server};
use body::Body;

pub(crate) struct Publisher {
    pub(crate) stream: TcpStream,
    server: Server,
    body: Body,
    output: Vec<u8>,
    input: Vec<u8>,
    answered: u64,
    /// Publishes that have no answer yet, of a server that closes.
    unanswered: VecDeque<Vec<u8>>,
    closes: bool,
}

/// What became of the connection.
#[derive(PartialEq, Eq)]
pub(crate) enum Came {
    Answers,
    /// The server closed it after its answer; this is a new one.
    NewConnection,
}

impl Publisher {
    pub(crate) fn connect(options: &Options) -> Result<Self> {
        let body = Body::new(options)?;
        let stream = open(&body)?;
        let mut output = Vec::new();
        if options.server == Server::Nats {
            output.extend_from_slice(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n");
        }
        Ok(Self {
            stream,
            server: options.server,
            body,
            output,
            input: Vec::new(),
            answered: 0,
            unanswered: VecDeque::new(),
            closes: options.server == Server::Pusher,
        })
    }

    /// Adds a message to what will be written.
    pub(crate) fn publish(&mut self, sequence: u32) -> Result<()> {
        ensure!(sequence <= message::SEQUENCE_MAX, "no sequence numbers are left");
        if self.server == Server::Nats {
            // It answers only what it refuses.
            self.answered += 1;
        }
        if !self.closes {
            return self.body.write(sequence, &mut self.output);
        }
        let mut publish = Vec::new();
        self.body.write(sequence, &mut publish)?;
        if self.unanswered.is_empty() {
            self.output.extend_from_slice(&publish);
        }
        self.unanswered.push_back(publish);
        Ok(())
    }

    /// Writes what the socket takes.
    pub(crate) fn flush(&mut self) -> Result<()> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("publish"),
            }
        }
        Ok(())
    }

    /// Reads answers; any but success is an error.
    pub(crate) fn readable(&mut self) -> Result<Came> {
        let mut bytes = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => {
                    ensure!(self.closes, "the server closed the publishing connection");
                    self.stream = open(&self.body)?;
                    self.output = self.unanswered.front().cloned().unwrap_or_default();
                    return Ok(Came::NewConnection);
                }
                Ok(count) => self.input.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Came::Answers),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("publish"),
            }
            let used = if self.server == Server::Nats {
                self.lines()?
            } else {
                self.answers()?
            };
            self.input.drain(..used);
            ensure!(self.input.len() < http::HEAD_BYTES_MAX * 4, "an endless answer");
        }
    }

    fn answers(&mut self) -> Result<usize> {
        let mut used = 0;
        while let Some(answer) = http::answer(&self.input[used..])? {
            // Centrifugo reports an error with status 200.
            let refused = self.server == Server::Centrifugo && answer.body.starts_with(br#"{"error""#);
            ensure!(
                (200..300).contains(&answer.status) && !refused,
                "publish refused: {} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
            used += answer.length;
            self.answered += 1;
            self.unanswered.pop_front();
        }
        Ok(used)
    }

    fn lines(&mut self) -> Result<usize> {
        let mut used = 0;
        while let Some(end) = self.input[used..].iter().position(|byte| *byte == b'\n') {
            let line = &self.input[used..used + end];
            used += end + 1;
            if line.starts_with(b"PING") {
                self.output.extend_from_slice(b"PONG\r\n");
            }
            ensure!(
                !line.starts_with(b"-ERR"),
                "publish refused: {}",
                String::from_utf8_lossy(line)
            );
        }
        Ok(used)
    }

    pub(crate) fn answered(&self) -> u64 {
        self.answered
    }
}

fn open(body: &Body) -> Result<TcpStream> {
    let stream = std::net::TcpStream::connect(body.url().address()?).context("publish")?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(TcpStream::from_std(stream))
}
