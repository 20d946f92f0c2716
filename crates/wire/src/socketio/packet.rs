//! One packet, without its attachments.

use serde_json::value::RawValue;

use super::cursor::Cursor;
use super::{Error, placeholder};
use crate::json::{CollectError, array_items};

/// Names that an event may not have, because the client library emits them itself. A packet with one of them makes its
/// parser fail, and the client reconnect.
pub const RESERVED_EVENTS: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// What one packet may hold. Its length is bounded by the transport's message limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attachments of one packet.
    pub attachments_max: usize,
    /// Bytes of all attachments of one packet together.
    pub attachment_bytes_max: usize,
    /// Bytes of a namespace.
    pub namespace_bytes_max: usize,
    /// Items of an event's or acknowledgement's array.
    pub items_max: usize,
}

impl Default for Limits {
    /// 10 attachments as in the reference parser; of 1 MiB together, the default limit of a message.
    fn default() -> Self {
        Self {
            attachments_max: 10,
            attachment_bytes_max: 1 << 20,
            namespace_bytes_max: 256,
            items_max: 1_024,
        }
    }
}

/// The type of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `0`
    Connect,
    /// `1`
    Disconnect,
    /// `2`
    Event,
    /// `3`
    Ack,
    /// `4`
    ConnectError,
    /// `5`: an event with attachments.
    BinaryEvent,
    /// `6`: an acknowledgement with attachments.
    BinaryAck,
}

impl Kind {
    /// Whether attachments are announced.
    pub const fn is_binary(self) -> bool {
        matches!(self, Self::BinaryEvent | Self::BinaryAck)
    }
}

/// A packet from a client, checked by the rules of its type.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The type.
    pub kind: Kind,
    /// The namespace; `/` if none was named.
    pub namespace: Box<str>,
    /// The acknowledgement id: asked for by an event, answered by an acknowledgement.
    pub ack: Option<u64>,
    /// The JSON.
    pub payload: Payload,
    /// How many binary messages follow; placeholders have been checked against it.
    pub attachments: usize,
}

/// The JSON of a packet.
#[derive(Clone, Debug)]
pub enum Payload {
    /// None: CONNECT and DISCONNECT.
    None,
    /// The object of CONNECT, the string or object of `CONNECT_ERROR`.
    Value(Box<RawValue>),
    /// An event.
    Event {
        /// The name; a numeric one as it is spelled.
        name: String,
        /// Everything after the name, placeholders included.
        args: Vec<Box<RawValue>>,
    },
    /// The items of an acknowledgement, placeholders included.
    Ack(Vec<Box<RawValue>>),
}

impl Packet {
    /// Reads what follows the `4` of an Engine.IO message.
    pub fn decode(text: &str, limits: &Limits) -> Result<Self, Error> {
        let mut cursor = Cursor::new(text);
        let kind = cursor.kind()?;
        let attachments = if kind.is_binary() {
            cursor.attachments(limits)?
        } else {
            0
        };
        let namespace = cursor.namespace(limits)?.into();
        let ack = cursor.ack_id()?;
        if matches!(kind, Kind::Ack | Kind::BinaryAck) && ack.is_none() {
            return Err(Error::MissingAckId);
        }
        let json = cursor.payload();
        let payload = payload(kind, json, limits)?;
        if kind.is_binary() {
            placeholder::check(json.unwrap_or_default(), attachments)?;
        }
        Ok(Self {
            kind,
            namespace,
            ack,
            payload,
            attachments,
        })
    }
}

fn payload(kind: Kind, json: Option<&str>, limits: &Limits) -> Result<Payload, Error> {
    let Some(json) = json else {
        return match kind {
            Kind::Connect | Kind::Disconnect => Ok(Payload::None),
            _ => Err(Error::InvalidPayload),
        };
    };
    match kind {
        Kind::Connect => value(json, &['{']),
        Kind::ConnectError => value(json, &['{', '"']),
        Kind::Disconnect => Err(Error::InvalidPayload),
        Kind::Event | Kind::BinaryEvent => {
            let mut items = items(json, limits)?.into_iter();
            let name = event_name(&items.next().ok_or(Error::InvalidPayload)?)?;
            Ok(Payload::Event {
                name,
                args: items.collect(),
            })
        }
        Kind::Ack | Kind::BinaryAck => items(json, limits).map(Payload::Ack),
    }
}

fn items(json: &str, limits: &Limits) -> Result<Vec<Box<RawValue>>, Error> {
    match array_items(json, limits.items_max) {
        Ok(items) => Ok(items.into_iter().map(RawValue::to_owned).collect()),
        Err(CollectError::Mismatch) => Err(Error::InvalidPayload),
        Err(CollectError::TooMany) => Err(Error::TooManyItems),
    }
}

fn value(json: &str, first: &[char]) -> Result<Payload, Error> {
    let value: Box<RawValue> = serde_json::from_str(json).map_err(|_| Error::InvalidPayload)?;
    if value.get().starts_with(first) {
        Ok(Payload::Value(value))
    } else {
        Err(Error::InvalidPayload)
    }
}

fn event_name(item: &RawValue) -> Result<String, Error> {
    let json = item.get();
    if json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return Ok(json.to_owned());
    }
    let name: String = serde_json::from_str(json).map_err(|_| Error::InvalidPayload)?;
    if RESERVED_EVENTS.contains(&name.as_str()) {
        Err(Error::ReservedEvent)
    } else {
        Ok(name)
    }
}
