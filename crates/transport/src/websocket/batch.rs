//! What one read brought.

use super::socket;
use crate::live::Live;
use bytes::Bytes;
use std::task::{Context, Poll, ready};
use tidings_wire::websocket::{DecodeError, Decoder, Message};

/// The messages that one read completed, and what was wrong behind them.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) messages: Vec<Message>,
    pub(super) error: Option<DecodeError>,
}

impl Batch {
    /// Of the bytes that came with the upgrade request.
    pub(super) fn early(bytes: Bytes, live: &Live, decoder: &mut Decoder) -> Self {
        Self::decode(&mut Vec::from(bytes), live, decoder)
    }

    /// Of the next read; `None` when the stream ended or broke.
    pub(super) fn poll(live: &Live, decoder: &mut Decoder, context: &mut Context<'_>) -> Poll<Option<Self>> {
        let Some(stream) = live.connection().socket() else {
            return Poll::Ready(None);
        };
        let received = ready!(socket::poll_receive(stream, context, |input| Self::decode(
            input, live, decoder
        )));
        Poll::Ready(received.ok().flatten())
    }

    fn decode(input: &mut [u8], live: &Live, decoder: &mut Decoder) -> Self {
        // Any byte counts as life: a large message may take longer than a heartbeat.
        live.connection().touch();
        let mut messages = Vec::new();
        let error = decoder.decode(input, &mut messages).err();
        live.transport().counters().received(input.len(), messages.len());
        Self { messages, error }
    }
}
