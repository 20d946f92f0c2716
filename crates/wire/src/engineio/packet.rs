//! One packet.

use bytes::Bytes;
use serde::Serialize;

use super::Error;
use crate::websocket::{Frame, Opcode};

/// An Engine.IO packet. Text borrows from the message or payload it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// `0`: the handshake, JSON.
    Open(&'a str),
    /// `1`: the end of the session.
    Close,
    /// `2`: a ping; `probe` while upgrading.
    Ping(&'a str),
    /// `3`: a pong; `probe` while upgrading.
    Pong(&'a str),
    /// `4`: a text message.
    Text(&'a str),
    /// A binary message: a binary WebSocket message, or `b` and base64 in a payload.
    Binary(Bytes),
    /// `5`: the upgrade is complete.
    Upgrade,
    /// `6`: nothing; ends a poll.
    Noop,
}

impl<'a> Packet<'a> {
    /// Reads a text message of a WebSocket. What follows the type of a packet without content is ignored.
    pub fn from_text(text: &'a str) -> Result<Self, Error> {
        let mut characters = text.chars();
        let kind = characters.next().ok_or(Error::Empty)?;
        let content = characters.as_str();
        Ok(match kind {
            '0' => Self::Open(content),
            '1' => Self::Close,
            '2' => Self::Ping(content),
            '3' => Self::Pong(content),
            '4' => Self::Text(content),
            '5' => Self::Upgrade,
            '6' => Self::Noop,
            _ => return Err(Error::UnknownType),
        })
    }

    /// A binary message of a WebSocket is a packet as it stands.
    pub const fn from_binary(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }

    /// The packet as a WebSocket frame; [`super::encode_payload`] makes a polling payload of such frames.
    pub fn to_frame(&self) -> Frame {
        let (kind, content) = match self {
            Self::Open(content) => (b'0', *content),
            Self::Close => (b'1', ""),
            Self::Ping(content) => (b'2', *content),
            Self::Pong(content) => (b'3', *content),
            Self::Text(content) => (b'4', *content),
            Self::Binary(bytes) => return Frame::binary(bytes),
            Self::Upgrade => (b'5', ""),
            Self::Noop => (b'6', ""),
        };
        Frame::build(Opcode::Text, 1 + content.len(), |payload| {
            payload.push(kind);
            payload.extend_from_slice(content.as_bytes());
        })
    }
}

/// The content of the open packet: exactly these keys, in this order. Clients' tests compare them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Handshake<'a> {
    /// The session id.
    pub sid: &'a str,
    /// The transports that the session may move to.
    pub upgrades: &'a [&'a str],
    /// Milliseconds between pings.
    #[serde(rename = "pingInterval")]
    pub ping_interval_ms: u64,
    /// Milliseconds that a pong may take.
    #[serde(rename = "pingTimeout")]
    pub ping_timeout_ms: u64,
    /// The largest polling payload that a client may send.
    #[serde(rename = "maxPayload")]
    pub payload_bytes_max: u64,
}

impl Handshake<'_> {
    /// The open packet.
    ///
    /// # Panics
    ///
    /// Never: a structure of strings and numbers has a JSON form.
    pub fn to_frame(&self) -> Frame {
        Frame::build(Opcode::Text, 160, |payload| {
            payload.push(b'0');
            serde_json::to_writer(payload, self).expect("Invariant: strings and numbers have a JSON form");
        })
    }
}
