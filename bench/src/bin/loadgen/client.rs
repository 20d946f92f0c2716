//! One WebSocket of the swarm.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};
use tidings_bench::message::SequenceField;
use tidings_bench::{frames, http};

use crate::tally::Tally;

/// The key and its answer from RFC 6455, section 1.3: the same for every connection, which no server minds.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) state: State,
    /// The sequence number that has to come next.
    next: u32,
    /// A frame cut off by the end of a read; usually nothing, and then no memory.
    carry: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Connecting,
    Upgrading,
    AwaitingWelcome,
    Open,
    /// Reads no more.
    Deaf,
    /// Was deaf, and the server has reset it.
    Cut,
}

/// What all clients have in common while they read.
pub(crate) struct Reading<'a> {
    pub(crate) buffer: &'a mut [u8],
    pub(crate) field: &'a mut SequenceField,
    pub(crate) tally: &'a mut Tally,
    pub(crate) welcome: bool,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr, receive_buffer_bytes: usize) -> Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM.nonblocking(),
            Some(Protocol::TCP),
        )
        .context("a socket (ulimit -n?)")?;
        socket.set_tcp_nodelay(true)?;
        if receive_buffer_bytes > 0 {
            socket.set_recv_buffer_size(receive_buffer_bytes)?;
        }
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock || in_progress(&error) => {}
            Err(error) => return Err(error).context("connect"),
        }
        let stream = TcpStream::from_std(socket.into());
        Ok(Self {
            stream,
            state: State::Connecting,
            next: 0,
            carry: Vec::new(),
        })
    }

    /// Sends the upgrade request once the connection stands.
    pub(crate) fn writable(&mut self, url: &http::Url) -> Result<()> {
        if self.state != State::Connecting {
            return Ok(());
        }
        if let Some(error) = self.stream.take_error()? {
            return Err(error).context("connect");
        }
        if self.stream.peer_addr().is_err() {
            return Ok(());
        }
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n\
             Sec-WebSocket-Version: 13\r\n\r\n",
            url.path, url.authority
        );
        let written = self.stream.write(request.as_bytes()).context("upgrade request")?;
        ensure!(
            written == request.len(),
            "an empty socket did not take the upgrade request"
        );
        self.state = State::Upgrading;
        Ok(())
    }

    /// Reads what has come. Registered edge-triggered: a read that does not fill the buffer has emptied the socket.
    pub(crate) fn readable(&mut self, reading: &mut Reading<'_>) -> Result<()> {
        loop {
            let kept = self.carry.len();
            ensure!(kept < reading.buffer.len(), "a frame larger than the read buffer");
            match self.stream.read(&mut reading.buffer[kept..]) {
                Ok(0) => bail!("closed by the server without a close frame"),
                Ok(count) => {
                    let now_ns = reading.tally.nanoseconds(Instant::now());
                    let filled = kept + count;
                    reading.buffer[..kept].copy_from_slice(&self.carry);
                    let used = self.consume(filled, now_ns, reading)?;
                    self.carry.clear();
                    self.carry.extend_from_slice(&reading.buffer[used..filled]);
                    if filled < reading.buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("read"),
            }
        }
    }

    fn consume(&mut self, filled: usize, now_ns: u64, reading: &mut Reading<'_>) -> Result<usize> {
        let mut used = 0;
        if self.state == State::Upgrading {
            let Some(head_length) = http::head_length(&reading.buffer[..filled]) else {
                ensure!(filled < http::HEAD_BYTES_MAX, "an endless answer to the upgrade");
                return Ok(0);
            };
            let head = std::str::from_utf8(&reading.buffer[..head_length])?;
            let status = head.lines().next().unwrap_or_default();
            ensure!(status.starts_with("HTTP/1.1 101"), "upgrade refused: {status}");
            ensure!(
                http::header(head, "sec-websocket-accept") == Some(ACCEPT),
                "a wrong Sec-WebSocket-Accept"
            );
            self.state = if reading.welcome {
                State::AwaitingWelcome
            } else {
                State::Open
            };
            used = head_length;
        }
        while let Some(frame) = frames::first(&reading.buffer[used..filled]) {
            used += frame.length;
            match (frame.opcode, self.state) {
                (frames::TEXT, State::Open) => {
                    let sequence = reading.field.read(frame.payload)?;
                    ensure!(
                        sequence == self.next,
                        "message {sequence} instead of {}",
                        self.next
                    );
                    ensure!(
                        reading.tally.receive(sequence, now_ns),
                        "message {sequence} was never sent"
                    );
                    self.next += 1;
                }
                (frames::TEXT, State::AwaitingWelcome) => self.state = State::Open,
                // Best effort: the socket of a client that reads is not full.
                (frames::PING, _) => drop(self.stream.write(&frames::client_pong(frame.payload))),
                (frames::PONG, _) => {}
                (frames::CLOSE, _) => bail!("closed by the server: {}", close_reason(frame.payload)),
                (opcode, _) => bail!("a frame with opcode {opcode} is not expected"),
            }
        }
        Ok(used)
    }

    /// A sign of life from a deaf client, so that it is its outbox that ends it and not the heartbeat.
    pub(crate) fn show_life(&mut self) {
        if self.state == State::Deaf
            && let Err(error) = self.stream.write(&frames::client_pong(b""))
            && error.kind() != ErrorKind::WouldBlock
        {
            self.state = State::Cut;
        }
    }

    /// Reads off what a deaf client was sent. True if the server has ended the connection.
    pub(crate) fn drain_deaf(&mut self, buffer: &mut [u8]) -> bool {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.state == State::Cut,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
    }
}

fn in_progress(error: &io::Error) -> bool {
    const EINPROGRESS: i32 = 115; // Linux; /proc ties the benchmark to it anyway.
    error.raw_os_error() == Some(EINPROGRESS)
}

fn close_reason(payload: &[u8]) -> String {
    match payload.split_first_chunk() {
        Some((code, reason)) => format!(
            "{} {}",
            u16::from_be_bytes(*code),
            String::from_utf8_lossy(reason)
        ),
        None => "no code".to_owned(),
    }
}
