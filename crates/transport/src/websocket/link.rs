//! How a WebSocket's bytes travel: on a socket that the hub's shard writes, or in a stream that the connection's task
//! writes itself.

use super::batch::Batch;
use super::patience::Patience;
use super::secure::{SecureSocket, Sent};
use super::socket;
use crate::ClientStream;
use crate::live::Live;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tidings_hub::Connection;
use tidings_wire::websocket::Decoder;
use tokio::net::TcpStream;

/// The task's side of a connection's link.
pub(crate) enum Link {
    /// The hub has the socket: the task reads it and the shard writes.
    Shared,
    /// The task writes what the connection's relay gives.
    Secure(Box<SecureSocket>),
}

/// What the link brought.
pub(super) enum Next {
    Batch(Batch),
    /// The stream ended or broke.
    Gone,
    /// The close frame is out.
    Closed,
}

impl Link {
    /// The two sides of a stream: what the hub is to write, and what the task keeps.
    pub(crate) fn of(stream: ClientStream) -> (Option<TcpStream>, Self) {
        match stream {
            ClientStream::Plain(socket) => (Some(socket), Self::Shared),
            ClientStream::Secure(stream) => (None, Self::Secure(Box::new(SecureSocket::new(*stream)))),
        }
    }

    /// Waits for `future`, and writes meanwhile what is the task's to write. The future is pinned by the caller, so
    /// that it is not stored twice.
    pub(crate) fn writing<T, F: Future<Output = T>>(
        &mut self,
        connection: &Connection,
        mut future: Pin<&mut F>,
    ) -> impl Future<Output = T> {
        poll_fn(move |context| {
            if let Self::Secure(socket) = self {
                // How it ends is asked again when the task reads.
                let _ = socket.poll_send(context, connection);
            }
            future.as_mut().poll(context)
        })
    }

    /// Waits for the next read, writing meanwhile.
    pub(super) fn poll_next(
        &mut self,
        live: &Live,
        decoder: &mut Decoder,
        patience: Patience,
        context: &mut Context<'_>,
    ) -> Poll<Next> {
        let received = match self {
            Self::Shared => {
                let Some(stream) = live.connection().socket() else {
                    return Poll::Ready(Next::Gone);
                };
                ready!(socket::poll_receive(stream, context, |input| Batch::decode(
                    input, live, decoder, patience
                )))
            }
            Self::Secure(socket) => {
                match socket.poll_send(context, live.connection()) {
                    Poll::Ready(Sent::Everything) => return Poll::Ready(Next::Closed),
                    Poll::Ready(Sent::Broken) => return Poll::Ready(Next::Gone),
                    Poll::Pending => {}
                }
                ready!(socket.poll_receive(context, |input| Batch::decode(input, live, decoder, patience)))
            }
        };
        Poll::Ready(received.ok().flatten().map_or(Next::Gone, Next::Batch))
    }

    /// Reads once and throws it away, writing meanwhile: how much it was; `None` when the client has left.
    pub(super) fn poll_discard(
        &mut self,
        connection: &Connection,
        context: &mut Context<'_>,
    ) -> Poll<Option<usize>> {
        let received = match self {
            Self::Shared => {
                let Some(stream) = connection.socket() else {
                    return Poll::Ready(None);
                };
                ready!(socket::poll_receive(stream, context, |input| input.len()))
            }
            Self::Secure(socket) => {
                if matches!(socket.poll_send(context, connection), Poll::Ready(Sent::Broken)) {
                    return Poll::Ready(None);
                }
                ready!(socket.poll_receive(context, |input| input.len()))
            }
        };
        Poll::Ready(received.ok().flatten())
    }
}
