//! How a WebSocket's bytes travel: on a socket that the hub's shard writes, or in a stream that the connection's task
//! writes itself. Two types and not one, so that a task on a plain socket is as small as if there were no other.

use super::secure::SecureSocket;
use super::socket;
use crate::ClientStream;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, ready};
use tidings_hub::Connection;
use tokio::net::TcpStream;

/// The task's side of a connection's stream.
pub(super) trait Link: Send + 'static {
    /// Waits for `future`, and writes meanwhile what is the task's to write.
    fn writing<F: Future + Send>(
        &mut self,
        connection: &Connection,
        future: F,
    ) -> impl Future<Output = F::Output> + Send;

    /// Writes what is the task's to write, waits until something comes, and gives `take` at most `bytes_max` of it;
    /// `None` when the stream ended or broke.
    fn poll_receive<T>(
        &mut self,
        connection: &Connection,
        bytes_max: usize,
        context: &mut Context<'_>,
        take: impl FnOnce(&mut [u8]) -> T,
    ) -> Poll<Option<T>>;
}

/// The hub has the socket: the task reads it and the shard writes.
pub(super) struct Shared;

/// The two sides of a stream: what the hub is to write, or what the task keeps.
pub(crate) fn split(stream: ClientStream) -> (Option<TcpStream>, Option<Box<SecureSocket>>) {
    match stream {
        ClientStream::Plain(socket) => (Some(socket), None),
        ClientStream::Secure(stream) => (None, Some(Box::new(SecureSocket::new(*stream)))),
    }
}

impl Link for Shared {
    fn writing<F: Future + Send>(
        &mut self,
        _connection: &Connection,
        future: F,
    ) -> impl Future<Output = F::Output> + Send {
        future
    }

    fn poll_receive<T>(
        &mut self,
        connection: &Connection,
        bytes_max: usize,
        context: &mut Context<'_>,
        take: impl FnOnce(&mut [u8]) -> T,
    ) -> Poll<Option<T>> {
        let Some(stream) = connection.socket() else {
            return Poll::Ready(None);
        };
        let received = ready!(socket::poll_receive(stream, bytes_max, context, take));
        Poll::Ready(received.ok().flatten())
    }
}

impl Link for Box<SecureSocket> {
    async fn writing<F: Future + Send>(&mut self, connection: &Connection, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            // The next read finds whether it is over.
            let _ = self.poll_send(context, connection);
            future.as_mut().poll(context)
        })
        .await
    }

    fn poll_receive<T>(
        &mut self,
        connection: &Connection,
        bytes_max: usize,
        context: &mut Context<'_>,
        take: impl FnOnce(&mut [u8]) -> T,
    ) -> Poll<Option<T>> {
        if self.poll_send(context, connection).is_ready() {
            return Poll::Ready(None);
        }
        let received = ready!(SecureSocket::poll_receive(self, bytes_max, context, take));
        Poll::Ready(received.ok().flatten())
    }
}
