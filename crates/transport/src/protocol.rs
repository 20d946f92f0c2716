//! What a gateway puts behind a WebSocket.

use bytes::Bytes;
use std::future::Future;
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Utf8Bytes;

/// A message from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A text message.
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
}

/// What a gateway does with one connection's messages. It lives as long as the connection: its drop is the cleanup.
pub trait Protocol: Send + 'static {
    /// Handles one message. The next one waits until this one is done; an error closes the connection.
    ///
    /// The future is part of every connection's task: keep it small and `Box::pin` branches that are rare and slow.
    fn receive(&mut self, message: Incoming) -> impl Future<Output = Result<(), CloseCode>> + Send;

    /// The connection is about to be closed with `code` for what its client did: the place for a last word. Boxed by
    /// the caller.
    fn closing(&mut self, code: CloseCode) -> impl Future<Output = ()> + Send {
        let _ = code;
        async {}
    }
}
