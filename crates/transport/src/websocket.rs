//! The connection task: reads messages and hands them to the gateway's [`Protocol`]. The hub's shard writes; over TLS
//! the task itself writes what the hub gives it (`secure.rs`).
//!
//! Most connections are idle, so the task is what an idle connection costs here: it keeps no buffer, and whatever is
//! rare is boxed.

mod batch;
mod link;
mod patience;
mod secure;
mod socket;

use crate::counters::Limit;
use crate::live::Live;
use crate::message_rate::Allowance;
use crate::{Incoming, Protocol, Transport, Via};
use batch::{Batch, Wrong};
use bytes::Bytes;
use link::{Link, Shared};
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::Duration;
use tidings_hub::Connection;
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::{Agreement, DecodeError, Frame, Message};
use tokio::time::timeout;

pub(crate) use link::split;
pub(crate) use secure::SecureSocket;

/// What a closing client may take beyond `linger` before its task gives up. The hub resets it first, unless the
/// client floods.
const DISCARD_MARGIN: Duration = Duration::from_secs(2);

/// Messages handled before others on the thread get their turn.
const MESSAGES_AT_ONCE: usize = 8;

/// What a closing client may still send before it is read no more than once in [`DISCARD_PAUSE`].
const DISCARD_BYTES_MAX: usize = 256 * 1024;
const DISCARD_PAUSE: Duration = Duration::from_secs(1);

/// Why reading ended.
enum Ending {
    /// The stream ended or broke.
    Gone,
    /// The hub is closing the connection.
    Closing,
    /// The client broke a rule.
    Ours(CloseCode),
    /// The client sent a close frame.
    Theirs(Option<u16>),
}

/// Reads a connection's socket until its end. `early` came with the upgrade request, whose answer says what was agreed on
/// compressed messages. The connection is gone from the hub when the future is done or dropped.
///
/// Control frames are answered here; `protocol` gets text and binary messages.
pub fn run<P: Protocol>(
    transport: Transport,
    connection: Arc<Connection>,
    early: Bytes,
    agreement: Option<Agreement>,
    protocol: P,
) -> impl Future<Output = ()> + Send + 'static {
    let live = Live::new(transport, connection, Via::Websocket, None);
    serve(live, Shared, early, agreement, protocol)
}

/// Gives a connection that is counted already a task of its own. Without a `secure` socket, the hub has it.
pub(crate) fn spawn<P: Protocol>(
    live: Live,
    secure: Option<Box<SecureSocket>>,
    early: Bytes,
    agreement: Option<Agreement>,
    protocol: P,
) {
    let transport = live.transport().clone();
    match secure {
        None => transport.spawn(serve(live, Shared, early, agreement, protocol)),
        Some(socket) => transport.spawn(serve(live, socket, early, agreement, protocol)),
    }
}

/// Reads on after the end of a connection that never had its protocol, so that the client can read its close frame.
pub(crate) async fn discard(live: Live, secure: Option<Box<SecureSocket>>) {
    match secure {
        None => read_on(live, Shared).await,
        Some(socket) => read_on(live, socket).await,
    }
}

/// No `async fn`, whose arguments would be stored twice.
fn serve<P: Protocol, L: Link>(
    live: Live,
    mut link: L,
    early: Bytes,
    agreement: Option<Agreement>,
    mut protocol: P,
) -> impl Future<Output = ()> + Send + 'static {
    let transport = live.transport();
    let mut decoder = transport.decoder(transport.message_limits(), agreement);
    let mut batch = if early.is_empty() {
        Batch::default()
    } else {
        Batch::early(early, &live, &mut decoder)
    };
    async move {
        let mut allowance = live.transport().allowance(live.network());
        let ending = loop {
            let handling = handle(&live, &mut batch, &mut allowance, &mut protocol);
            if let Some(ending) = link.writing(live.connection(), handling).await {
                break ending;
            }
            let patience = batch.patience;
            match poll_fn(|context| Batch::poll(&mut link, &live, &mut decoder, patience, context)).await {
                Some(next) => batch = next,
                None => break Ending::Gone,
            }
        };
        if let Ending::Ours(code) = ending {
            Box::pin(protocol.closing(code)).await;
        }
        // The gateway's cleanup does not wait for the client to leave.
        drop(protocol);
        drop((decoder, batch));
        match ending {
            Ending::Gone => return,
            Ending::Closing => {}
            Ending::Ours(code) => live.connection().close(code),
            Ending::Theirs(code) => live
                .connection()
                .close_with(CloseCode::Normal, Frame::close_raw(code, "")),
        }
        Box::pin(read_on(live, link)).await;
    }
}

/// Handles what one read brought.
async fn handle<P: Protocol>(
    live: &Live,
    batch: &mut Batch,
    allowance: &mut Allowance,
    protocol: &mut P,
) -> Option<Ending> {
    let connection = live.connection();
    if connection.is_closing() {
        return Some(Ending::Closing);
    }
    let mut messages = std::mem::take(&mut batch.messages).into_iter();
    while let Some(message) = messages.next() {
        // Control frames count like messages: a pong costs nothing to answer, but it costs reading.
        if !matches!(message, Message::Close(..)) && !live.transport().message_rate().admit(allowance, 1) {
            return Some(Ending::Ours(live.transport().flooded(live.network())));
        }
        if messages.len() % MESSAGES_AT_ONCE == MESSAGES_AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        let received = match message {
            Message::Text(text) => protocol.receive(Incoming::Text(text)).await,
            Message::Binary(bytes) => protocol.receive(Incoming::Binary(bytes)).await,
            Message::Ping(payload) => {
                // Boxed: most clients never ping, and all would pay for the room.
                Box::pin(connection.send(Frame::pong(&payload))).await;
                Ok(())
            }
            Message::Pong(_) => Ok(()),
            Message::Close(code, _) => return Some(Ending::Theirs(code)),
        };
        if let Err(code) = received {
            return Some(Ending::Ours(code));
        }
        if connection.is_closing() {
            return Some(Ending::Closing);
        }
    }
    let counters = live.transport().counters();
    let error = match batch.wrong.take()? {
        Wrong::Decoding(error) => error,
        Wrong::Late => {
            counters.reached(Limit::MessageTimeout);
            return Some(Ending::Ours(CloseCode::PolicyViolation));
        }
    };
    match error {
        DecodeError::FrameTooBig | DecodeError::MessageTooBig => counters.reached(Limit::MessageBytes),
        DecodeError::TooManyFragments => counters.reached(Limit::MessageFrames),
        _ => {}
    }
    Some(Ending::Ours(error.close_code()))
}

/// Reads on after the end, so that the client can read its close frame: closing a socket with unread input would
/// reset it. The hub resets a client that stays too long.
async fn read_on(live: Live, mut link: impl Link) {
    let deadline = live.transport().limits().linger + DISCARD_MARGIN;
    let end = async {
        let mut bytes = 0;
        while let Some(count) = poll_fn(|context| {
            link.poll_receive(live.connection(), socket::MANY_BYTES, context, |input| {
                input.len()
            })
        })
        .await
        {
            bytes += count;
            // Its socket is left to fill up, but not for good: the end of the stream stands behind what it sent.
            if bytes > DISCARD_BYTES_MAX {
                let pause = tokio::time::sleep(DISCARD_PAUSE);
                link.writing(live.connection(), pause).await;
            }
        }
    };
    // A client that floods even now is not waited for.
    let _ = timeout(deadline, end).await;
}

#[cfg(test)]
mod tests;
