//! What shards are told.

use crate::publication::Publication;
use crate::{Connection, EncodingId, Gateway, RoomCensus, RoomName};
use std::sync::Arc;
use std::time::Duration;
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::{Frame, WindowBits};
use tokio::sync::oneshot;

/// One step of a shard's work. Commands carry the connection itself, not its slot: the slot is assigned by the shard
/// when it reads `Open`, and commands behind it in the mailbox may already stand there.
pub(crate) enum Command {
    /// Append the event to its members' outboxes.
    Publish(Arc<Publication>),
    /// Give the connection a slot and start its heartbeat.
    Open(Arc<Connection>),
    /// The connection is a WebSocket from now on. If it has a socket, move the relay's frames to the outbox and write.
    Attach(Arc<Connection>, Option<WindowBits>),
    /// A direct answer.
    Send(Arc<Connection>, Frame),
    /// Make the connection a member; `confirmation` stands between the last event before and the first one after.
    Join {
        connection: Arc<Connection>,
        room: RoomName,
        encoding: EncodingId,
        confirmation: Option<Frame>,
    },
    /// End a membership; `confirmation` stands behind its last event.
    Leave {
        connection: Arc<Connection>,
        room: RoomName,
        confirmation: Option<Frame>,
    },
    /// Write what waits, then the close frame, then end the connection.
    Close(Arc<Connection>, CloseCode, Frame),
    /// The connection's task has ended: forget it.
    Gone(Arc<Connection>),
    /// Count rooms with members of a gateway.
    Census(Gateway, oneshot::Sender<Vec<RoomCensus>>),
    /// Say that all before it is done.
    Settle(oneshot::Sender<()>),
    /// Close every connection, spread over a time.
    Drain(CloseCode, Duration),
}
