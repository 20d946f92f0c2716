//! Live client links, as their tasks and their shard share them.

use crate::clock::{Clock, Ticks, ticks};
use crate::command::Command;
use crate::outbox::SLICES_MAX;
use crate::shard::ShardHandle;
use crate::{ConnectionId, EncodingId, Gateway, Relay, RoomName, StreamEnd, StreamStep};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Frame;
use tokio::net::TcpStream;

/// How a kind of connection is kept alive.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Time between two pings.
    pub interval: Duration,
    /// How long the peer may stay silent after a ping.
    pub timeout: Duration,
    /// The ping.
    pub frame: Frame,
}

/// What the hub must know of a connection when it opens.
pub struct Registration {
    /// The gateway it came through.
    pub gateway: Gateway,
    /// How it is kept alive.
    pub heartbeat: Arc<Heartbeat>,
    /// Its plain socket, written by the shard. Without one, frames go to a [`Relay`] until [`Connection::attach`].
    pub socket: Option<TcpStream>,
}

/// One live client link.
///
/// Its task reads the socket and calls these methods; its shard alone writes the socket. Everything said through one
/// connection, and every event published before, takes effect in order.
pub struct Connection {
    id: ConnectionId,
    gateway: Gateway,
    closing: AtomicBool,
    pub(crate) slot: AtomicU32,
    /// When the peer last gave a sign of life, in ticks.
    seen: AtomicU32,
    clock: Clock,
    pub(crate) shard: Arc<ShardHandle>,
    pub(crate) heartbeat: Arc<Heartbeat>,
    socket: OnceLock<TcpStream>,
    relay: Option<Box<Relay>>,
}

impl Connection {
    pub(crate) fn new(registration: Registration, shard: Arc<ShardHandle>, clock: Clock) -> Connection {
        let (socket, relay) = match registration.socket {
            Some(socket) => (OnceLock::from(socket), None),
            None => (OnceLock::new(), Some(Box::default())),
        };
        Connection {
            id: ConnectionId::generate(),
            gateway: registration.gateway,
            closing: AtomicBool::new(false),
            slot: AtomicU32::new(u32::MAX),
            seen: AtomicU32::new(clock.now().0),
            clock,
            shard,
            heartbeat: registration.heartbeat,
            socket,
            relay,
        }
    }

    /// The connection's public name.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// The gateway it came through.
    pub fn gateway(&self) -> Gateway {
        self.gateway
    }

    /// The socket to read from, if there is one yet. Only the shard writes it.
    pub fn socket(&self) -> Option<&TcpStream> {
        self.socket.get()
    }

    /// Where the frames of a connection without a socket wait.
    pub fn relay(&self) -> Option<&Relay> {
        self.relay.as_deref()
    }

    /// What the task of a connection that writes a stream of its own is to do next; frames at most `bytes_max` together
    /// unless the first is larger, and at most 64. Asking says that everything taken before is written.
    pub fn poll_stream(&self, context: &mut Context<'_>, bytes_max: usize) -> Poll<StreamStep> {
        let Some(relay) = &self.relay else {
            return Poll::Ready(StreamStep::Reset);
        };
        let (written, step) = relay.poll_stream(context, bytes_max, SLICES_MAX);
        if written.frames != 0 {
            let latency = self.clock.now().since(written.oldest);
            self.shard.streams.wrote(written.frames, written.bytes, latency);
        }
        if let Poll::Ready(StreamStep::Finish(frame)) = &step {
            // Nobody asks after it.
            self.shard.streams.wrote(1, frame.len(), 0);
        }
        step
    }

    /// Waits until the connection is cut, while its stream is full.
    pub fn poll_stream_end(&self, context: &mut Context<'_>) -> Poll<StreamEnd> {
        match &self.relay {
            Some(relay) => relay.poll_end(context),
            None => Poll::Ready(StreamEnd::Reset),
        }
    }

    /// Notes that so much of what was taken for a stream is not going to be written, because the connection was cut.
    pub fn drop_taken(&self, frames: usize, bytes: usize) {
        if let Some(relay) = &self.relay {
            relay.drop_taken(frames, bytes);
        }
        self.shard.streams.dropped(frames);
    }

    /// Whether the server has begun to close it; what the peer still sends is ignored.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Marks the peer as alive. Called for every frame received.
    pub fn touch(&self) {
        self.seen.store(self.clock.now().0, Ordering::Relaxed);
    }

    /// Whether the peer has been silent for longer than its heartbeat allows, by the clock rather than by the
    /// shard's timer.
    pub fn is_silent_too_long(&self) -> bool {
        self.clock.now().since(self.seen()) >= self.silence_ticks_max()
    }

    /// Queues a direct answer behind everything already published to this connection. Waits only while its shard's
    /// mailbox is full.
    pub async fn send(self: &Arc<Self>, frame: Frame) {
        self.tell(Command::Send(self.clone(), frame)).await;
    }

    /// Makes the connection a member of `room`, in the given encoding. `confirmation` is queued at the exact point
    /// of the join: events behind it are delivered, events before it are not. Joining again only confirms.
    pub async fn join(self: &Arc<Self>, room: RoomName, encoding: EncodingId, confirmation: Option<Frame>) {
        self.tell(Command::Join {
            connection: self.clone(),
            room,
            encoding,
            confirmation,
        })
        .await;
    }

    /// Ends a membership, if there is one; `confirmation` is queued behind the room's last event.
    pub async fn leave(self: &Arc<Self>, room: RoomName, confirmation: Option<Frame>) {
        self.tell(Command::Leave {
            connection: self.clone(),
            room,
            confirmation,
        })
        .await;
    }

    /// Writes what waits, then the close frame for `code`, then ends the connection. Later calls do nothing.
    pub fn close(self: &Arc<Self>, code: CloseCode) {
        self.close_with(code, Frame::close(code));
    }

    /// Like [`Self::close`], with a close frame of the caller's, e.g. the echo of the peer's own.
    pub fn close_with(self: &Arc<Self>, code: CloseCode, frame: Frame) {
        self.shard.mailbox.push(Command::Close(self.clone(), code, frame));
    }

    /// Gives a connection that began on a relay its socket. The frames that wait on the relay are written first.
    /// Returns the stream when the connection has a socket already.
    pub fn attach(self: &Arc<Self>, stream: TcpStream) -> Result<(), TcpStream> {
        self.socket.set(stream)?;
        self.shard.mailbox.push(Command::Attach(self.clone()));
        Ok(())
    }

    /// Ends the connection's time in the hub: its memberships end, its outbox is thrown away. The socket closes when
    /// the last reference is gone.
    pub fn gone(self: &Arc<Self>) {
        self.closing.store(true, Ordering::Release);
        self.shard.mailbox.push(Command::Gone(self.clone()));
    }

    pub(crate) fn seen(&self) -> Ticks {
        Ticks(self.seen.load(Ordering::Relaxed))
    }

    pub(crate) fn silence_ticks_max(&self) -> u32 {
        ticks(self.heartbeat.interval + self.heartbeat.timeout)
    }

    pub(crate) fn begin_closing(&self) {
        self.closing.store(true, Ordering::Release);
    }

    async fn tell(&self, command: Command) {
        if let Err(command) = self.shard.mailbox.try_push(command) {
            // Boxed, so that the rare wait does not enlarge every connection's task.
            Box::pin(self.shard.mailbox.push_when_room(command)).await;
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.id)
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}
