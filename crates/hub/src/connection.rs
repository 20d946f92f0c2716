//! Live client links, as their tasks and their shard share them.

use crate::clock::{Clock, Ticks, ticks};
use crate::command::Command;
use crate::shard::ShardHandle;
use crate::{ConnectionId, EncodingId, Gateway, Relay, RelayFrames, RoomName};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::{Frame, WindowBits};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// How a kind of connection is kept alive.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Time between two pings.
    pub interval: Duration,
    /// How long the peer may stay silent after a ping. `None`: it never says anything, and is judged by whether it
    /// takes its frames alone.
    pub timeout: Option<Duration>,
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
    /// The window of the compressed frames that its peer agreed to; `None`: it gets plain ones. A connection whose relay
    /// may be taken by anything but a WebSocket has none.
    pub window: Option<WindowBits>,
}

/// One live client link.
///
/// Its task reads the socket and calls these methods; its shard alone writes the socket. Everything said through one
/// connection, and every event published before, takes effect in order.
pub struct Connection {
    id: ConnectionId,
    gateway: Gateway,
    closing: AtomicBool,
    /// The window that compressed frames keep to, in bits; 0: none. Once the connection is open, only its shard changes it.
    window_bits: AtomicU8,
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
            window_bits: AtomicU8::new(registration.window.map_or(0, WindowBits::bits)),
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

    /// The next frames for a stream that the connection's task writes itself, as [`Relay::poll_next`] gives them, once
    /// all before are written. They count as written.
    pub fn poll_stream(&self, context: &mut Context<'_>, bytes_max: usize) -> Poll<RelayFrames> {
        let Some(relay) = &self.relay else {
            return Poll::Pending;
        };
        let taken = ready!(relay.poll_next(context, bytes_max));
        let now = self.clock.now();
        let latency = now.since(taken.oldest.unwrap_or(now));
        self.shard.streams.wrote(&taken, latency);
        Poll::Ready(taken)
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
        self.silence_ticks_max()
            .is_some_and(|silent_max| self.clock.now().since(self.seen()) >= silent_max)
    }

    /// Queues a direct answer behind everything already published to this connection. Waits only while its shard's
    /// mailbox is full.
    pub async fn send(self: &Arc<Self>, frame: Frame) {
        let frame = self.compressed(frame);
        self.tell(Command::Send(self.clone(), frame)).await;
    }

    /// Makes the connection a member of `room`, in the given encoding. `confirmation` is queued at the exact point
    /// of the join: events behind it are delivered, events before it are not. Joining again only confirms.
    pub async fn join(self: &Arc<Self>, room: RoomName, encoding: EncodingId, confirmation: Option<Frame>) {
        let confirmation = confirmation.map(|frame| self.compressed(frame));
        self.tell(Command::Join {
            connection: self.clone(),
            room,
            encoding,
            confirmation,
        })
        .await;
    }

    /// Waits until the shard has done what it was told about this connection so far: what is published from then on to a room that
    /// was joined reaches it. Returns at once when the shard has ended.
    pub async fn settled(&self) {
        let (done, settled) = oneshot::channel();
        self.tell(Command::Settle(done)).await;
        // An error means that there is no shard any more.
        let _ = settled.await;
    }

    /// Ends a membership, if there is one; `confirmation` is queued behind the room's last event.
    pub async fn leave(self: &Arc<Self>, room: RoomName, confirmation: Option<Frame>) {
        let confirmation = confirmation.map(|frame| self.compressed(frame));
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

    /// Moves a connection that began on a relay to a WebSocket, whose peer agreed to compressed frames if there is a
    /// `window`. Its plain socket is written by the shard, the frames that wait on the relay first; without one, the
    /// relay's reader changes. Returns the socket when the connection has one already.
    pub fn attach(
        self: &Arc<Self>,
        socket: Option<TcpStream>,
        window: Option<WindowBits>,
    ) -> Result<(), TcpStream> {
        if let Some(socket) = socket {
            self.socket.set(socket)?;
        }
        self.shard.mailbox.push(Command::Attach(self.clone(), window));
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

    pub(crate) fn silence_ticks_max(&self) -> Option<u32> {
        self.heartbeat
            .timeout
            .map(|timeout| ticks(self.heartbeat.interval + timeout))
    }

    pub(crate) fn begin_closing(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// The window that compressed frames keep to, if the peer agreed to them.
    pub(crate) fn window(&self) -> Option<WindowBits> {
        WindowBits::new(self.window_bits.load(Ordering::Acquire))
    }

    /// Called by the shard alone: whoever sees the window says what it says behind the frames that were plain.
    pub(crate) fn agree(&self, window: Option<WindowBits>) {
        self.window_bits
            .store(window.map_or(0, WindowBits::bits), Ordering::Release);
    }

    /// A direct answer in the form that the peer agreed to. Compressed by who sends it: the shard serves many.
    fn compressed(&self, frame: Frame) -> Frame {
        match (self.window(), &self.shard.deflater) {
            (Some(window), Some(deflater)) => deflater.deflate(&frame, window),
            _ => frame,
        }
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
