//! Acknowledgements that clients ask for.

use std::borrow::Borrow;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;
use tidings_hub::Connection;
use tidings_wire::socketio::{encode_ack, encode_binary_ack};

/// The right to acknowledge one event, once.
#[derive(Debug)]
pub struct Acknowledge {
    pub(super) connection: Arc<Connection>,
    pub(super) namespace: Arc<str>,
    pub(super) id: u64,
}

impl Acknowledge {
    /// Its id, for who encodes the acknowledgement himself, to go out together with something else.
    pub fn id(self) -> u64 {
        self.id
    }

    /// Acknowledges with these arguments.
    pub async fn send(self, args: &[impl Borrow<RawValue>]) {
        let frame = encode_ack(&self.namespace, self.id, args);
        self.connection.send(frame).await;
    }

    /// Acknowledges with arguments that hold the placeholders of `attachments`.
    pub async fn send_binary(self, args: &[impl Borrow<RawValue>], attachments: &[Bytes]) {
        let frame = encode_binary_ack(&self.namespace, self.id, args, attachments);
        self.connection.send(frame).await;
    }
}
