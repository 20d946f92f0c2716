//! What one read brought.

use super::link::Link;
use super::patience::Patience;
use super::socket;
use crate::live::Live;
use bytes::Bytes;
use std::task::{Context, Poll};
use tidings_wire::websocket::{DecodeError, Decoder, Message};

/// The messages that one read completed, and what was wrong behind them.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) messages: Vec<Message>,
    pub(super) wrong: Option<Wrong>,
    pub(super) patience: Patience,
}

/// What a client did wrong.
#[derive(Clone, Copy)]
pub(super) enum Wrong {
    /// It broke the protocol, or a bound on messages.
    Decoding(DecodeError),
    /// The message on its way takes too long.
    Late,
}

impl Batch {
    /// Of the bytes that came with the upgrade request.
    pub(super) fn early(bytes: Bytes, live: &Live, decoder: &mut Decoder) -> Self {
        Self::decode(&mut Vec::from(bytes), live, decoder, Patience::default())
    }

    /// Of the next read; `None` when the stream ended or broke.
    pub(super) fn poll(
        link: &mut impl Link,
        live: &Live,
        decoder: &mut Decoder,
        patience: Patience,
        context: &mut Context<'_>,
    ) -> Poll<Option<Self>> {
        let bytes_max = if decoder.is_partial() {
            socket::MANY_BYTES
        } else {
            socket::FEW_BYTES
        };
        link.poll_receive(live.connection(), bytes_max, context, |input| {
            Self::decode(input, live, decoder, patience)
        })
    }

    fn decode(input: &mut [u8], live: &Live, decoder: &mut Decoder, mut patience: Patience) -> Self {
        // Any byte counts as life: a large message may take longer than a heartbeat.
        live.connection().touch();
        let mut messages = Vec::new();
        let broken = decoder.decode(input, &mut messages).err();
        live.transport().counters().received(input.len(), messages.len());
        let timeout = live.transport().limits().message_timeout;
        let is_late = patience.is_over(&messages, decoder.is_partial(), timeout, || live.age());
        Self {
            messages,
            wrong: broken.map(Wrong::Decoding).or(is_late.then_some(Wrong::Late)),
            patience,
        }
    }
}
