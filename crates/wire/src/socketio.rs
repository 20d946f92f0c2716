//! Socket.IO v5: packets on top of Engine.IO messages.
//!
//! JSON from clients is checked to be JSON and otherwise left as text: key order and the spelling of numbers survive.

mod assembler;
mod cursor;
mod encode;
mod packet;
mod placeholder;

pub use assembler::Assembler;
pub use encode::{
    encode_ack, encode_binary_ack, encode_binary_event, encode_connect, encode_connect_error,
    encode_disconnect, encode_event,
};
pub use packet::{Kind, Limits, Packet, Payload, RESERVED_EVENTS};

/// What a client can do wrong. The whole transport is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An Engine.IO message without a character.
    #[error("empty packet")]
    Empty,
    /// A first character that is no packet type.
    #[error("unknown packet type")]
    UnknownType,
    /// A binary packet without `<number>-`.
    #[error("number of attachments is missing or malformed")]
    InvalidAttachmentCount,
    /// More attachments than the limit.
    #[error("too many attachments")]
    TooManyAttachments,
    /// Attachments that are together over the limit.
    #[error("attachments are over the limit")]
    AttachmentsTooBig,
    /// A namespace over the limit or with control characters.
    #[error("namespace is too long or malformed")]
    InvalidNamespace,
    /// An acknowledgement id over 64 bits.
    #[error("acknowledgement id is out of range")]
    InvalidAckId,
    /// An acknowledgement that does not say of what.
    #[error("acknowledgement without an id")]
    MissingAckId,
    /// A payload that is no JSON, or not what the packet's type asks for.
    #[error("payload is not what the packet type asks for")]
    InvalidPayload,
    /// More array items than the limit.
    #[error("too many arguments")]
    TooManyItems,
    /// An event name that Socket.IO keeps for itself.
    #[error("event name is reserved")]
    ReservedEvent,
    /// A placeholder whose number belongs to no attachment.
    #[error("placeholder without an attachment")]
    InvalidPlaceholder,
    /// JSON with attachments that is nested too deeply to be searched.
    #[error("payload is nested too deeply")]
    NestedTooDeeply,
    /// A text packet where an attachment was due.
    #[error("text packet instead of an attachment")]
    MissingAttachment,
    /// A binary message that no packet announced.
    #[error("attachment without a packet")]
    UnexpectedAttachment,
}

#[cfg(test)]
mod tests;
