//! What the load generator and the floor share: the message they move, a walk over frame headers, the bit of HTTP
//! both speak, a latency histogram and readings from `/proc`.
//!
//! Nothing here parses JSON or decodes a WebSocket: a load generator that did would measure itself.

pub mod frames;
pub mod histogram;
pub mod http;
pub mod message;
pub mod process;
pub mod sign;
