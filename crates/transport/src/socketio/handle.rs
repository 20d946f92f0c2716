//! Speaking to one client on one namespace.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use serde_json::value::RawValue;
use tidings_hub::Connection;
use tidings_wire::close_code::{CloseCode, Retry};
use tidings_wire::socketio::{encode_binary_event, encode_disconnect, encode_event};

/// A client on a namespace, to be spoken to from anywhere. A clone is another handle on the same client.
#[derive(Clone)]
pub struct SocketHandle {
    /// The client's connection, shared by its namespaces.
    pub connection: Arc<Connection>,
    /// The namespace.
    pub namespace: Arc<str>,
    has_left: Arc<AtomicBool>,
}

impl SocketHandle {
    pub(super) fn new(connection: Arc<Connection>, namespace: Arc<str>) -> Self {
        Self {
            connection,
            namespace,
            has_left: Arc::default(),
        }
    }

    /// Emits an event, behind everything published to the client before. After the client has left it does nothing.
    pub async fn emit(&self, name: &str, args: &[impl Borrow<RawValue>]) {
        if !self.has_left() {
            self.connection
                .send(encode_event(&self.namespace, name, args, None))
                .await;
        }
    }

    /// Emits an event whose arguments hold the placeholders of `attachments`.
    pub async fn emit_binary(&self, name: &str, args: &[impl Borrow<RawValue>], attachments: &[Bytes]) {
        if !self.has_left() {
            let frame = encode_binary_event(&self.namespace, name, args, attachments, None);
            self.connection.send(frame).await;
        }
    }

    /// Makes the client leave the namespace; with `close`, its transport too. The stock client does not come back by
    /// itself after this. Rooms that were joined for the namespace are the caller's to leave. Once a client has left, it
    /// is not told again.
    pub async fn disconnect(&self, close: bool) {
        if !self.has_left.swap(true, Ordering::AcqRel) {
            self.connection.send(encode_disconnect(&self.namespace)).await;
        }
        if close {
            self.connection.close(CloseCode::Normal);
        }
    }

    /// Closes the client's transport. If it must not come back, it is made to leave the namespace first: the stock
    /// client reconnects after any other end of its transport.
    pub async fn close(&self, code: CloseCode) {
        if stops_client(code) {
            self.disconnect(false).await;
        }
        self.connection.close(code);
    }

    /// Whether the client has left the namespace.
    pub fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Acquire)
    }

    pub(super) fn leave(&self) {
        self.has_left.store(true, Ordering::Release);
    }
}

/// Whether a refusal stands for good, and is about who the client is rather than about its bytes.
pub(super) fn stops_client(code: CloseCode) -> bool {
    code.retry() == Retry::No
        && !matches!(
            code,
            CloseCode::ProtocolError | CloseCode::InvalidUtf8 | CloseCode::MessageTooBig
        )
}

impl fmt::Debug for SocketHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketHandle")
            .field("connection", &self.connection.id())
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}
