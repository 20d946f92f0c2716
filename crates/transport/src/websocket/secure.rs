//! A WebSocket over TLS: its task encrypts and writes what the connection's relay gives, as a shard writes plain ones.
//!
//! Invariant: at most [`BATCH_BYTES`] of plaintext, or one frame, is taken from the relay before the socket has
//! accepted it. All else waits in the relay, where it is bounded and its age is known.

use super::socket::BUFFER;
use rustls::ServerConnection;
use socket2::SockRef;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tidings_hub::Connection;
use tidings_wire::websocket::Frame;
use tokio::net::TcpStream;
use tokio::task::coop;
use tokio_rustls::server::TlsStream;

/// Taken from the relay at once: one TLS record's worth.
const BATCH_BYTES: usize = 16 * 1024;
/// Frames that are handed to the session at once: these become records of their own.
const SLICES_MAX: usize = 64;

/// A TLS session on its socket. Idle, it owns no buffer but the session's own 4 KB for reading.
pub(crate) struct SecureSocket {
    session: ServerConnection,
    socket: TcpStream,
    /// What was taken from the relay and not yet encrypted.
    outgoing: VecDeque<Frame>,
    /// How many bytes of the first of them are encrypted.
    begun_bytes: usize,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    Open,
    /// The close frame is the last of `outgoing`.
    Closing,
    /// TLS's own end is on its way.
    Ending,
    /// Nothing more is written.
    Ended,
}

impl SecureSocket {
    pub(super) fn new(stream: TlsStream<TcpStream>) -> Self {
        let (socket, session) = stream.into_inner();
        Self {
            session,
            socket,
            outgoing: VecDeque::new(),
            begun_bytes: 0,
            stage: Stage::Open,
        }
    }

    /// Writes until there is nothing to write or the socket is full. Ready when the connection is over: its socket
    /// broke, or the hub has given it up.
    pub(super) fn poll_send(&mut self, context: &mut Context<'_>, connection: &Connection) -> Poll<()> {
        if connection
            .relay()
            .is_none_or(|relay| relay.poll_cut(context).is_ready())
        {
            // Without lingering, closing the descriptor resets the connection and frees the kernel's buffer.
            drop(SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)));
            return Poll::Ready(());
        }
        loop {
            if self.session.wants_write() {
                if ready!(self.poll_write_records(context)).is_err() {
                    return Poll::Ready(());
                }
            } else if !self.outgoing.is_empty() {
                self.encrypt();
                if !self.session.wants_write() {
                    // It takes nothing any more.
                    return Poll::Ready(());
                }
            } else {
                ready!(self.poll_next(context, connection));
            }
        }
    }

    /// Begins with what comes next, once everything is written.
    fn poll_next(&mut self, context: &mut Context<'_>, connection: &Connection) -> Poll<()> {
        match self.stage {
            Stage::Open => {
                let budget = ready!(coop::poll_proceed(context));
                let taken = ready!(connection.poll_stream(context, BATCH_BYTES));
                budget.made_progress();
                self.outgoing = taken.frames.into();
                if let Some(farewell) = taken.closed {
                    self.outgoing.push_back(farewell.frame);
                    self.stage = Stage::Closing;
                }
            }
            Stage::Closing => {
                self.session.send_close_notify();
                self.stage = Stage::Ending;
            }
            Stage::Ending => {
                // Say it to the peer's kernel as well. Its answer, or the reset, ends the connection.
                drop(SockRef::from(&self.socket).shutdown(Shutdown::Write));
                self.stage = Stage::Ended;
            }
            Stage::Ended => return Poll::Pending,
        }
        Poll::Ready(())
    }

    /// Gives the session plaintext, as much as its buffer takes.
    fn encrypt(&mut self) {
        while !self.outgoing.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut count = 0;
            let mut skipped = self.begun_bytes;
            for (slice, frame) in slices.iter_mut().zip(&self.outgoing) {
                *slice = IoSlice::new(&frame.as_bytes()[std::mem::take(&mut skipped)..]);
                count += 1;
            }
            match self.session.writer().write_vectored(&slices[..count]) {
                Ok(0) | Err(_) => return,
                Ok(taken) => self.advance(taken),
            }
        }
        // A burst's queue must not be kept by every connection that it went to.
        self.outgoing = VecDeque::new();
    }

    fn advance(&mut self, encrypted: usize) {
        let mut begun = self.begun_bytes + encrypted;
        while let Some(frame) = self.outgoing.pop_front_if(|frame| frame.len() <= begun) {
            begun -= frame.len();
        }
        self.begun_bytes = begun;
    }

    /// Writes what is encrypted, or waits until the socket takes more.
    fn poll_write_records(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.session.write_tls(&mut Raw(&self.socket)) {
            Ok(0) => Poll::Ready(Err(ErrorKind::WriteZero.into())),
            Ok(_) => Poll::Ready(Ok(())),
            Err(error) if error.kind() == ErrorKind::Interrupted => Poll::Ready(Ok(())),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.socket.poll_write_ready(context),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Waits for plaintext and gives `take` at most `bytes_max` of what came; `None` at the end of the stream.
    pub(super) fn poll_receive<T>(
        &mut self,
        bytes_max: usize,
        context: &mut Context<'_>,
        take: impl FnOnce(&mut [u8]) -> T,
    ) -> Poll<io::Result<Option<T>>> {
        BUFFER.with_borrow_mut(|buffer| {
            let buffer = &mut buffer[..bytes_max];
            loop {
                match self.session.reader().read(buffer) {
                    Ok(0) => return Poll::Ready(Ok(None)),
                    Ok(count) => return Poll::Ready(Ok(Some(take(&mut buffer[..count])))),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
                ready!(self.socket.poll_read_ready(context))?;
                match self.session.read_tls(&mut Raw(&self.socket)) {
                    Ok(_) => self.process()?,
                    Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
        })
    }

    fn process(&mut self) -> io::Result<()> {
        let processed = self.session.process_new_packets();
        if self.session.wants_write() && self.session.write_tls(&mut Raw(&self.socket)).is_err() {
            // An answer of TLS's own, such as to a key update, goes with the next record. An alert is lost.
        }
        processed.map(drop).map_err(io::Error::other)
    }
}

/// A socket that says `WouldBlock` instead of waiting, and tells the runtime so.
struct Raw<'a>(&'a TcpStream);

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
