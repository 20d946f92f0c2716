//! A WebSocket over TLS: its task encrypts and writes what the connection's relay gives, as a shard writes plain ones.
//!
//! Invariant: at most [`BATCH_BYTES`] of plaintext, or one frame, is taken from the relay before the socket has
//! accepted it; what is taken still counts in the relay's bounds.

use super::socket::BUFFER;
use rustls::ServerConnection;
use socket2::SockRef;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tidings_hub::{Connection, StreamEnd, StreamStep};
use tidings_wire::websocket::Frame;
use tokio::net::TcpStream;
use tokio::task::coop;
use tokio_rustls::server::TlsStream;

/// Taken from the relay at once: one TLS record's worth.
const BATCH_BYTES: usize = 16 * 1024;
/// Frames that are handed to the session at once; as many as a batch can have.
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// The close frame is the last of `outgoing`.
    Closing,
    /// TLS's own end is on its way.
    Ending,
    Ended,
    Broken,
}

/// How writing ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// The close frame is out, and so is TLS's own end.
    Everything,
    /// The socket broke, or was cut.
    Broken,
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

    /// Writes until there is nothing to write or the socket is full. Ready when nothing will ever be written again.
    pub(super) fn poll_send(&mut self, context: &mut Context<'_>, connection: &Connection) -> Poll<Sent> {
        loop {
            match self.stage {
                // A client that stays is reset.
                Stage::Ended => match connection.poll_stream_end(context) {
                    Poll::Ready(StreamEnd::Reset) => self.reset(),
                    Poll::Ready(StreamEnd::Dropping) => continue,
                    Poll::Pending => return Poll::Ready(Sent::Everything),
                },
                Stage::Broken => return Poll::Ready(Sent::Broken),
                Stage::Open | Stage::Closing | Stage::Ending => {}
            }
            if self.session.wants_write() {
                ready!(self.poll_write_records(context, connection));
            } else if !self.outgoing.is_empty() {
                self.encrypt();
            } else if self.stage == Stage::Closing {
                self.session.send_close_notify();
                self.stage = Stage::Ending;
            } else if self.stage == Stage::Ending {
                // Say it to the peer's kernel as well. Its answer, or the reset, ends the connection.
                drop(SockRef::from(&self.socket).shutdown(Shutdown::Write));
                self.stage = Stage::Ended;
            } else {
                let budget = ready!(coop::poll_proceed(context));
                match ready!(connection.poll_stream(context, BATCH_BYTES)) {
                    StreamStep::Write(frames) => self.outgoing = frames.into(),
                    StreamStep::Finish(frame) => {
                        self.outgoing = VecDeque::from([frame]);
                        self.stage = Stage::Closing;
                    }
                    StreamStep::Reset => self.reset(),
                }
                budget.made_progress();
            }
        }
    }

    /// Gives the session plaintext, as much as its buffer takes.
    fn encrypt(&mut self) {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        let mut skipped = self.begun_bytes;
        for (slice, frame) in slices.iter_mut().zip(&self.outgoing) {
            *slice = IoSlice::new(&frame.as_bytes()[std::mem::take(&mut skipped)..]);
            count += 1;
        }
        match self.session.writer().write_vectored(&slices[..count]) {
            Ok(mut taken) => {
                taken += self.begun_bytes;
                while let Some(frame) = self.outgoing.front().filter(|frame| frame.len() <= taken) {
                    taken -= frame.len();
                    self.outgoing.pop_front();
                }
                self.begun_bytes = taken;
                if self.outgoing.is_empty() {
                    self.outgoing = VecDeque::new();
                }
            }
            Err(_) => self.stage = Stage::Broken,
        }
    }

    /// Writes what is encrypted. While the socket is full, only a cut changes anything.
    fn poll_write_records(&mut self, context: &mut Context<'_>, connection: &Connection) -> Poll<()> {
        match self.session.write_tls(&mut Raw(&self.socket)) {
            Ok(0) => self.stage = Stage::Broken,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                match self.socket.poll_write_ready(context) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => self.stage = Stage::Broken,
                    Poll::Pending => match ready!(connection.poll_stream_end(context)) {
                        StreamEnd::Dropping => self.drop_waiting(connection),
                        StreamEnd::Reset => self.reset(),
                    },
                }
            }
            Err(_) => self.stage = Stage::Broken,
        }
        Poll::Ready(())
    }

    /// Drops what is not encrypted, but for the frame in flight and the close frame.
    fn drop_waiting(&mut self, connection: &Connection) {
        if self.stage == Stage::Open {
            let kept = usize::from(self.begun_bytes != 0);
            let (mut frames, mut bytes) = (0, 0);
            for frame in self.outgoing.drain(kept..) {
                frames += frame.messages().count();
                bytes += frame.len();
            }
            connection.drop_taken(frames, bytes);
        }
    }

    /// Without lingering, closing the descriptor resets the connection and frees the kernel's buffer.
    fn reset(&mut self) {
        drop(SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)));
        self.stage = Stage::Broken;
    }

    /// Waits for plaintext and gives `take` what came; `None` at the end of the stream.
    pub(super) fn poll_receive<T>(
        &mut self,
        context: &mut Context<'_>,
        take: impl FnOnce(&mut [u8]) -> T,
    ) -> Poll<io::Result<Option<T>>> {
        BUFFER.with_borrow_mut(|buffer| {
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
