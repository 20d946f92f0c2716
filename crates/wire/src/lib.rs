//! Bytes to messages and back: the pure codecs of Tidings.
//!
//! No IO, no async and no clock. Every decoder takes untrusted input: none may panic, hang or hold more memory than its
//! limits allow, and none allocates by a length that was merely declared.

pub mod close_code;
pub mod cloudevents;
pub mod engineio;
pub mod forwarding;
pub mod json;
pub mod proxy_protocol;
pub mod socketio;
pub mod sse;
pub mod time;
pub mod websocket;
