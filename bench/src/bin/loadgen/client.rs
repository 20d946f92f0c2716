//! One connection of the swarm: a WebSocket, or the connection of a polling session.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};
use tidings_bench::message::SequenceField;
use tidings_bench::{frames, http};

use crate::polling::Session;
use crate::protocol::{Heard, Setup};
use crate::stream::Stream;
use crate::tally::Tally;

/// The key and its answer from RFC 6455, section 1.3: the same for every connection, which no server minds.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub(crate) struct Client {
    pub(crate) stream: Stream,
    pub(crate) state: State,
    /// The running number, which is also the user's.
    number: u32,
    /// The sequence number that has to come next.
    next: u32,
    /// A frame cut off by the end of a read; usually nothing, and then no memory.
    carry: Vec<u8>,
    /// Polling instead of a WebSocket.
    session: Option<Box<Session>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Connecting,
    Upgrading,
    AwaitingWelcome,
    Open,
    /// Has sent a close frame.
    Closing,
    /// Is closed, as it wished.
    Ended,
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
    pub(crate) setup: &'a Setup,
}

impl Client {
    /// Begins to connect. `sources` is how many addresses of the loopback network are taken in turn, because each has only
    /// so many ports; 1 leaves the choice to the kernel.
    pub(crate) fn connect(
        setup: &Setup,
        address: SocketAddr,
        number: u32,
        sources: u8,
        receive_buffer_bytes: usize,
    ) -> Result<Self> {
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
        if sources > 1 && address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
            let last = 1 + (number % u32::from(sources)) as u8;
            let source = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
            socket.bind(&source.into()).context("a local port")?;
        }
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock || in_progress(&error) => {}
            Err(error) => return Err(error).context("connect"),
        }
        let stream = Stream::new(TcpStream::from_std(socket.into()), setup.encryption.as_deref())?;
        Ok(Self {
            stream,
            state: State::Connecting,
            number,
            next: 0,
            carry: Vec::new(),
            session: setup.polls().then(Box::default),
        })
    }

    /// Sends the first request once the connection stands.
    pub(crate) fn writable(&mut self, setup: &Setup) -> Result<()> {
        if self.state != State::Connecting {
            return self.stream.flush().context("write");
        }
        if let Some(error) = self.stream.tcp.take_error()? {
            return Err(error).context("connect");
        }
        if self.stream.tcp.peer_addr().is_err() {
            return Ok(());
        }
        let head = setup.request("GET", self.number, "");
        if self.session.is_some() {
            self.state = State::AwaitingWelcome;
            return self.send(format!("{head}\r\n").as_bytes());
        }
        self.state = State::Upgrading;
        let request = format!(
            "{head}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n\
             Sec-WebSocket-Version: 13\r\n\r\n"
        );
        self.send(request.as_bytes())
    }

    /// Writes something short. A client that reads has room for it.
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.stream.write(bytes).context("write")?;
        ensure!(
            written == bytes.len(),
            "a socket took only a part of what a client says"
        );
        Ok(())
    }

    /// Says good-bye; the end comes when the server has answered it.
    pub(crate) fn close(&mut self) -> Result<()> {
        self.state = State::Closing;
        self.send(&frames::client(frames::CLOSE, &1000_u16.to_be_bytes()))
    }

    /// Reads what has come. Registered edge-triggered: a read that does not fill the buffer has emptied a socket without TLS.
    pub(crate) fn readable(&mut self, reading: &mut Reading<'_>) -> Result<()> {
        loop {
            let kept = self.carry.len();
            ensure!(kept < reading.buffer.len(), "a frame larger than the read buffer");
            match self.stream.read(&mut reading.buffer[kept..]) {
                Ok(0) if self.state == State::Closing => {
                    self.state = State::Ended;
                    return Ok(());
                }
                Ok(0) => bail!("closed by the server without a close frame"),
                Ok(count) => {
                    let now_ns = reading.tally.nanoseconds(Instant::now());
                    let filled = kept + count;
                    reading.buffer[..kept].copy_from_slice(&self.carry);
                    let used = if self.session.is_some() {
                        self.answers(filled, now_ns, reading)?
                    } else {
                        self.frames(filled, now_ns, reading)?
                    };
                    self.carry.clear();
                    self.carry.extend_from_slice(&reading.buffer[used..filled]);
                    let emptied = filled < reading.buffer.len() && self.stream.short_read_empties();
                    if emptied || self.state == State::Ended {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) if self.state == State::Closing => {
                    self.state = State::Ended;
                    return Ok(());
                }
                Err(error) => return Err(error).context("read"),
            }
        }
    }

    fn frames(&mut self, filled: usize, now_ns: u64, reading: &mut Reading<'_>) -> Result<usize> {
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
            self.state = if reading.setup.dialect.welcomes() {
                State::AwaitingWelcome
            } else {
                State::Open
            };
            if let Some(opening) = reading.setup.dialect.opening(self.number) {
                self.say(reading.setup, &opening)?;
            }
            used = head_length;
        }
        while let Some(frame) = frames::first(&reading.buffer[used..filled]) {
            used += frame.length;
            match (frame.opcode, self.state) {
                (frames::CLOSE, State::Closing) => self.state = State::Ended,
                (_, State::Closing | State::Ended) | (frames::PONG, _) => {}
                (frames::TEXT | frames::BINARY, _) => {
                    let mut text = frame.payload;
                    while let Some(heard) = {
                        let welcomed = self.state == State::Open;
                        reading.setup.dialect.hear(self.number, welcomed, &mut text)?
                    } {
                        if let Heard::Answer(answer) = heard {
                            self.say(reading.setup, &answer)?;
                        } else {
                            take(
                                &mut self.state,
                                &mut self.next,
                                &heard,
                                now_ns,
                                reading.field,
                                reading.tally,
                            )?;
                        }
                    }
                }
                // Best effort: the socket of a client that reads is not full.
                (frames::PING, _) => drop(self.stream.write(&frames::client_pong(frame.payload))),
                (frames::CLOSE, _) => bail!("closed by the server: {}", close_reason(frame.payload)),
                (opcode, _) => bail!("a frame with opcode {opcode} is not expected"),
            }
        }
        Ok(used)
    }

    fn say(&mut self, setup: &Setup, text: &str) -> Result<()> {
        self.send(&frames::client(setup.dialect.opcode(), text.as_bytes()))
    }

    fn answers(&mut self, filled: usize, now_ns: u64, reading: &mut Reading<'_>) -> Result<usize> {
        let mut used = 0;
        let mut output = Vec::new();
        while let Some(session) = &mut self.session {
            let (state, next) = (&mut self.state, &mut self.next);
            let (field, tally) = (&mut *reading.field, &mut *reading.tally);
            let welcomed = *state == State::Open;
            let length = session.answer(
                &reading.buffer[used..filled],
                reading.setup,
                self.number,
                welcomed,
                &mut output,
                |heard| take(state, next, heard, now_ns, field, tally),
            )?;
            if length == 0 {
                break;
            }
            used += length;
        }
        if !output.is_empty() {
            self.send(&output)?;
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

/// Takes in what was heard: a welcome, or the message that has to be the next.
fn take(
    state: &mut State,
    next: &mut u32,
    heard: &Heard<'_>,
    now_ns: u64,
    field: &mut SequenceField,
    tally: &mut Tally,
) -> Result<()> {
    match heard {
        Heard::Message(text) => {
            ensure!(*state == State::Open, "a message before the welcome");
            let sequence = field.read(text)?;
            ensure!(sequence == *next, "message {sequence} instead of {next}");
            ensure!(
                tally.receive(sequence, now_ns),
                "message {sequence} was never sent"
            );
            *next += 1;
        }
        Heard::Welcome if *state == State::AwaitingWelcome => *state = State::Open,
        Heard::Welcome | Heard::Answer(_) | Heard::Other => {}
    }
    Ok(())
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
