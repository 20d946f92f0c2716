//! AsyncAPI 3.0 documents: what the gateways and their clients say to each other.
//!
//! A gateway describes its [`Channel`]s: where they are, what it sends there and what it takes. The payload of a message is the
//! schema of the type that is serialised or read, its example what the serialiser makes or the reader takes. *Send* and
//! *receive* are the server's, as AsyncAPI has it of the application that a document is about.
//!
//! Schemas are those of OpenAPI (JSON Schema); what is used of them is also in the older draft that AsyncAPI refers to.

mod channel;
mod document;
mod message;
mod named;

pub use channel::Channel;
pub use document::{Document, SecurityScheme};
pub use message::{Message, Request, closing, example, raw};
