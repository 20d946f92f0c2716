//! The forms in which connections get what they are told.

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_wire::socketio::{encode_ack, encode_disconnect, encode_event};
use tidings_wire::websocket::{Frame, Opcode};

/// The Socket.IO namespace of this gateway.
pub(crate) const NAMESPACE: &str = "/workflows";

/// Room for most of what the gateway says on its own account.
const SAID_BYTES: usize = 192;

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A JSON text, over a WebSocket or an event stream.
    Json,
    /// A Socket.IO event, named by the type of the JSON text, which is its argument.
    SocketIo,
}

impl Form {
    /// What a client is told before it is closed for good, so that it does not come back by itself.
    pub(crate) fn farewell(self) -> Option<Frame> {
        match self {
            Form::Json => None,
            Form::SocketIo => Some(encode_disconnect(NAMESPACE)),
        }
    }

    /// A frame with a value as JSON.
    pub(crate) fn say(self, kind: &str, acknowledgement: Option<u64>, value: &impl Serialize) -> Frame {
        self.frame(kind, acknowledgement, SAID_BYTES, |text| {
            serde_json::to_writer(text, value).expect("Invariant: what the gateway says is always JSON");
        })
    }

    /// A frame with the JSON text that `write` appends. Over Socket.IO, with an acknowledgement asked for, it is followed by that.
    pub(crate) fn frame(
        self,
        kind: &str,
        acknowledgement: Option<u64>,
        capacity: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Frame {
        if self == Form::Json {
            return Frame::build(Opcode::Text, capacity, write);
        }
        let mut text = Vec::with_capacity(capacity);
        write(&mut text);
        let argument: Box<RawValue> =
            serde_json::from_slice(&text).expect("Invariant: what is written is JSON");
        let argument = [argument];
        let event = encode_event(NAMESPACE, kind, &argument, None);
        match acknowledgement {
            Some(id) => Frame::concat([event, encode_ack(NAMESPACE, id, &argument)]),
            None => event,
        }
    }
}
