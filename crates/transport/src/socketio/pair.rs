//! Two applications on one server, each with namespaces of its own.

use axum::http::HeaderName;
use tidings_wire::close_code::CloseCode;

use super::{Application, ConnectRequest, Event, Refusal};

/// Two applications. A namespace that both serve is the first one's.
#[derive(Debug)]
pub struct Pair<A, B>(pub A, pub B);

/// A client of one of two applications.
pub enum EitherSocket<A, B> {
    /// Of the first.
    First(A),
    /// Of the second.
    Second(B),
}

impl<A: Application, B: Application> Application for Pair<A, B> {
    type Socket = EitherSocket<A::Socket, B::Socket>;

    fn serves(&self, namespace: &str) -> bool {
        self.0.serves(namespace) || self.1.serves(namespace)
    }

    fn needs_header(&self, name: &HeaderName) -> bool {
        self.0.needs_header(name) || self.1.needs_header(name)
    }

    async fn connect(&self, request: ConnectRequest<'_>) -> Result<Self::Socket, Refusal> {
        if self.0.serves(request.namespace) {
            self.0.connect(request).await.map(EitherSocket::First)
        } else {
            self.1.connect(request).await.map(EitherSocket::Second)
        }
    }

    async fn connected(&self, socket: &mut Self::Socket) {
        match socket {
            EitherSocket::First(socket) => self.0.connected(socket).await,
            EitherSocket::Second(socket) => self.1.connected(socket).await,
        }
    }

    async fn event(&self, socket: &mut Self::Socket, event: Event) -> Result<(), CloseCode> {
        match socket {
            EitherSocket::First(socket) => self.0.event(socket, event).await,
            EitherSocket::Second(socket) => self.1.event(socket, event).await,
        }
    }

    async fn disconnected(&self, socket: Self::Socket) {
        match socket {
            EitherSocket::First(socket) => self.0.disconnected(socket).await,
            EitherSocket::Second(socket) => self.1.disconnected(socket).await,
        }
    }
}
