//! What the server under test speaks: echoes that join, leave and publish.

use std::sync::Arc;

use serde_json::value::RawValue;
use tidings_hub::{Connection, Encoding, EncodingId, Event, EventId, Gateways, Hub, RoomName};
use tidings_transport::engineio::{self, Handshake};
use tidings_transport::socketio::{self, ConnectRequest, Refusal, SocketHandle};
use tidings_transport::{Incoming, Protocol};
use tidings_wire::close_code::CloseCode;
use tidings_wire::engineio::Packet;
use tidings_wire::socketio::encode_event;
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::Frame;

use super::start::{Count, Counted};

/// Events as Socket.IO spells them, for everybody.
pub(super) struct Spelled;

impl Encoding for Spelled {
    fn frame(&self, event: &Event) -> Option<Frame> {
        Some(encode_event("/", &event.kind, &[&*event.data], None))
    }

    fn gap(&self, dropped: u32, _: Timestamp) -> Frame {
        Frame::text(&format!("42[\"gap\",{dropped}]"))
    }
}

/// `+` joins, `-` leaves, `!` publishes, `x` is closed; all else comes back.
async fn obey(
    hub: Option<&Hub>,
    connection: &Arc<Connection>,
    encoding: EncodingId,
    text: &str,
) -> Result<bool, CloseCode> {
    let room = |name: &str| RoomName::new(name.get(1..).unwrap_or("r")).ok();
    match (text.as_bytes().first(), hub) {
        (Some(b'+'), _) => {
            if let Some(room) = room(text) {
                connection.join(room, encoding, None).await;
            }
        }
        (Some(b'-'), _) => {
            if let Some(room) = room(text) {
                connection.leave(room, None).await;
            }
        }
        (Some(b'!'), Some(hub)) => {
            if let Some(room) = room(text) {
                hub.publish(event(room)).await;
            }
        }
        (Some(b'x'), _) => return Err(CloseCode::Forbidden),
        _ => return Ok(false),
    }
    Ok(true)
}

fn event(room: RoomName) -> Event {
    Event {
        id: EventId::generate(),
        rooms: vec![room],
        kind: "said".into(),
        name: None,
        key: None,
        data: RawValue::from_string(format!("\"{}\"", "x".repeat(500))).expect("a string is JSON"),
        time: Timestamp::from_millis(0),
        gateways: Gateways::ALL,
        exclude: Vec::new(),
        source: "fuzz".into(),
    }
}

/// A plain WebSocket.
pub(super) struct Plain {
    pub(super) hub: Hub,
    pub(super) connection: Arc<Connection>,
    pub(super) encoding: EncodingId,
    pub(super) _place: Counted,
}

impl Protocol for Plain {
    async fn receive(&mut self, message: Incoming) -> Result<(), CloseCode> {
        let echo = match message {
            Incoming::Text(text) => {
                if obey(Some(&self.hub), &self.connection, self.encoding, &text).await? {
                    return Ok(());
                }
                Frame::text(&text)
            }
            Incoming::Binary(bytes) => Frame::binary(&bytes),
        };
        self.connection.send(echo).await;
        Ok(())
    }
}

/// Engine.IO alone.
pub(super) struct Engine {
    pub(super) encoding: EncodingId,
    pub(super) count: Count,
}

pub(super) struct EngineSession {
    connection: Arc<Connection>,
    encoding: EncodingId,
    _place: Counted,
}

impl engineio::Application for Engine {
    type Session = EngineSession;

    fn open(&self, connection: Arc<Connection>, _handshake: &Handshake<'_>) -> EngineSession {
        EngineSession {
            connection,
            encoding: self.encoding,
            _place: self.count.enter(),
        }
    }
}

impl Protocol for EngineSession {
    async fn receive(&mut self, message: Incoming) -> Result<(), CloseCode> {
        let echo = match message {
            Incoming::Text(text) => {
                if obey(None, &self.connection, self.encoding, &text).await? {
                    return Ok(());
                }
                Packet::Text(&text).to_frame()
            }
            Incoming::Binary(bytes) => Packet::Binary(bytes).to_frame(),
        };
        self.connection.send(echo).await;
        Ok(())
    }
}

/// Socket.IO: every namespace but `/closed`.
pub(super) struct Echo {
    pub(super) encoding: EncodingId,
    pub(super) count: Count,
}

pub(super) struct EchoSocket {
    handle: SocketHandle,
    _place: Counted,
}

impl socketio::Application for Echo {
    type Socket = EchoSocket;

    async fn connect(&self, request: ConnectRequest<'_>) -> Result<EchoSocket, Refusal> {
        if request.namespace == "/closed" {
            return Err(Refusal::invalid_namespace());
        }
        Ok(EchoSocket {
            handle: request.handle,
            _place: self.count.enter(),
        })
    }

    async fn connected(&self, socket: &mut EchoSocket) {
        let room = RoomName::new("r").expect("a name");
        socket.handle.connection.join(room, self.encoding, None).await;
    }

    async fn event(&self, socket: &mut EchoSocket, event: socketio::Event) -> Result<(), CloseCode> {
        if event.name == "leave" {
            socket.handle.disconnect(false).await;
        }
        if obey(None, &socket.handle.connection, self.encoding, &event.name).await? {
            return Ok(());
        }
        let args = &event.args;
        if event.attachments.is_empty() {
            socket.handle.emit(&event.name, args).await;
        } else {
            socket
                .handle
                .emit_binary(&event.name, args, &event.attachments)
                .await;
        }
        if let Some(ack) = event.ack {
            ack.send_binary(args, &event.attachments).await;
        }
        Ok(())
    }
}
