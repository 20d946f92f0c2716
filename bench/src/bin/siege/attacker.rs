//! One attacker and its socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use anyhow::{Context, Result};
use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};
use tidings_bench::{frames, http};

use crate::report::Fate;

/// So little that the server feels at once that nothing is read.
const DEAF_RECEIVE_BUFFER_BYTES: usize = 4_096;
/// A text that the tasks gateway answers, in a client's frame with a mask of zeros.
const FLOOD: &[u8] = b"\x81\x8f\0\0\0\0{\"type\":\"ping\"}";

/// What an attacker does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Opens a socket and sends nothing.
    Silent,
    /// Sends a byte of its request each second.
    Dribbling,
    /// Sends messages as fast as it is told to.
    Flooding,
    /// Never reads.
    Deaf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    Upgrading,
    Open,
}

pub(crate) struct Attacker {
    pub(crate) kind: Kind,
    pub(crate) from: Ipv4Addr,
    pub(crate) socket: Option<Besieging>,
}

/// A socket of an attacker.
pub(crate) struct Besieging {
    pub(crate) stream: TcpStream,
    state: State,
    request: Vec<u8>,
    sent: usize,
    was_closed: bool,
}

/// Whether a socket goes on.
#[derive(PartialEq, Eq)]
pub(crate) enum Next {
    Goes,
    Ended,
}

impl Besieging {
    pub(crate) fn open(kind: Kind, from: Ipv4Addr, to: SocketAddr, url: &http::Url) -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))
            .context("a socket (ulimit -n?)")?;
        socket.set_tcp_nodelay(true)?;
        // Reset at the end, so that a siege leaves no ports behind that wait for their time to pass.
        socket.set_linger(Some(std::time::Duration::ZERO))?;
        if kind == Kind::Deaf {
            socket.set_recv_buffer_size(DEAF_RECEIVE_BUFFER_BYTES)?;
        }
        socket.bind(&SocketAddr::V4(SocketAddrV4::new(from, 0)).into())?;
        if let Err(error) = socket.connect(&to.into())
            && error.kind() != ErrorKind::WouldBlock
            && error.raw_os_error() != Some(115)
        {
            return Err(error).context("connect");
        }
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            url.path, url.authority
        );
        Ok(Self {
            stream: TcpStream::from_std(socket.into()),
            state: State::Connecting,
            request: request.into_bytes(),
            sent: 0,
            was_closed: false,
        })
    }

    pub(crate) fn writable(&mut self, kind: Kind) -> Next {
        if self.state != State::Connecting {
            return Next::Goes;
        }
        if self.stream.take_error().is_ok_and(|error| error.is_some()) {
            return Next::Ended;
        }
        if self.stream.peer_addr().is_err() {
            return Next::Goes;
        }
        self.state = State::Upgrading;
        match kind {
            Kind::Silent | Kind::Dribbling => Next::Goes,
            Kind::Flooding | Kind::Deaf => {
                self.sent = self.request.len();
                wrote(self.stream.write(&self.request))
            }
        }
    }

    /// The next byte of a request that is never whole.
    pub(crate) fn dribble(&mut self) -> Next {
        if self.state != State::Upgrading || self.sent + 4 >= self.request.len() {
            return Next::Goes;
        }
        self.sent += 1;
        wrote(self.stream.write(&self.request[self.sent - 1..self.sent]))
    }

    /// Sends so many messages; what a full socket does not take is not sent.
    pub(crate) fn flood(&mut self, messages: usize, flood: &[u8], fate: &mut Fate) -> Next {
        if self.state != State::Open || self.was_closed {
            return Next::Goes;
        }
        match self.stream.write(&flood[..messages * FLOOD.len()]) {
            Ok(count) => {
                fate.messages += (count / FLOOD.len()) as u64;
                // A frame cut in two would be another kind of attack.
                if count % FLOOD.len() == 0 {
                    Next::Goes
                } else {
                    Next::Ended
                }
            }
            outcome => wrote(outcome),
        }
    }

    /// Reads what has come and notes what it is. The deaf read no more than the answer to their handshake.
    pub(crate) fn readable(&mut self, kind: Kind, buffer: &mut [u8], fate: &mut Fate) -> Next {
        loop {
            if kind == Kind::Deaf && self.state == State::Open {
                return Next::Goes;
            }
            match self.stream.read(buffer) {
                Ok(0) => return self.ended(fate),
                Ok(count) => self.take(&buffer[..count], fate),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Goes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.ended(fate),
            }
        }
    }

    pub(crate) fn ended(&self, fate: &mut Fate) -> Next {
        if !self.was_closed {
            fate.cut += 1;
        }
        Next::Ended
    }

    fn take(&mut self, input: &[u8], fate: &mut Fate) {
        let mut rest = input;
        if self.state == State::Upgrading {
            let Some(head_length) = http::head_length(input) else {
                return;
            };
            let status = input.get(9..12).and_then(|text| std::str::from_utf8(text).ok());
            let status = status.and_then(|text| text.parse().ok()).unwrap_or(0);
            *fate.answers.entry(status).or_default() += 1;
            if status == 101 {
                self.state = State::Open;
            } else {
                // An answer is as good as a close frame: the attacker knows why.
                self.was_closed = true;
            }
            rest = &input[head_length..];
        }
        while let Some(frame) = frames::first(rest) {
            if frame.opcode == frames::CLOSE && !self.was_closed {
                let code = frame
                    .payload
                    .first_chunk()
                    .map_or(0, |code| u16::from_be_bytes(*code));
                *fate.closed.entry(code).or_default() += 1;
                self.was_closed = true;
            }
            rest = &rest[frame.length..];
        }
    }

    /// Whether it was told that it is not wanted: it leaves, and comes back.
    pub(crate) fn is_told_off(&self) -> bool {
        self.was_closed
    }
}

/// Enough messages for any tick.
pub(crate) fn flood_of(messages: usize) -> Vec<u8> {
    FLOOD.repeat(messages)
}

fn wrote(outcome: std::io::Result<usize>) -> Next {
    match outcome {
        Err(error) if error.kind() != ErrorKind::WouldBlock && error.kind() != ErrorKind::Interrupted => {
            Next::Ended
        }
        _ => Next::Goes,
    }
}
