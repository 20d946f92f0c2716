//! WebSocket (RFC 6455), the server's side: finished frames out, incremental decoding in.

mod client_frame;
mod close;
mod decoder;
mod deflate;
mod error;
mod frame;
mod handshake;
mod header;
mod mask;
mod message;
mod partial;

pub use client_frame::client_frame;
pub use decoder::{Decoder, Limits};
pub use deflate::{Agreement, DeflateFigures, Deflater, Deflation, Inflater, WindowBits, negotiate};
pub use error::DecodeError;
pub use frame::Frame;
pub use handshake::accept_key;
pub use header::Opcode;
pub use message::{Message, Utf8Bytes};

#[cfg(test)]
mod tests;
