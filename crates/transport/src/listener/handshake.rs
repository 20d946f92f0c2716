//! The TLS handshake of an accepted socket.

use crate::lingering::Lingering;
use crate::tls::Tls;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What a session may hold of a client's unsent bytes.
const SESSION_BUFFER_BYTES: usize = 16 * 1024;

/// How a handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandshakeOutcome {
    /// TLS is spoken.
    Completed,
    /// The client speaks no TLS, or none that both understand.
    Failed,
    /// It took too long.
    TimedOut,
}

/// Shakes hands until `deadline`. What a client without TLS gets is an alert and an orderly end.
pub(super) async fn shake(
    tls: &Tls,
    stream: TcpStream,
    deadline: Instant,
    lingering: &Lingering,
    linger: Duration,
) -> Result<Box<TlsStream<TcpStream>>, HandshakeOutcome> {
    let shaken = timeout_at(deadline, async {
        // Invariant: the semaphore is never closed.
        let _turn = tls.handshakes().acquire().await;
        TlsAcceptor::from(tls.config())
            .accept_with(stream, |session| {
                session.set_buffer_limit(Some(SESSION_BUFFER_BYTES));
            })
            .into_fallible()
            .await
    })
    .await;
    match shaken {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err((error, stream))) => {
            tracing::debug!(%error, "a TLS handshake failed");
            if error.kind() == io::ErrorKind::InvalidData {
                lingering.end(stream, linger).await;
            }
            Err(HandshakeOutcome::Failed)
        }
        Err(_) => Err(HandshakeOutcome::TimedOut),
    }
}
