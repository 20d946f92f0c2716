//! Refused clients that have yet to read why.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Frame;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Beyond these, a refused client's socket is closed as soon as the close frame is written.
const CLIENTS_MAX: usize = 4_096;
/// What a refused client may still send: its socket is closed behind that.
const DISCARD_BYTES_MAX: usize = 64 * 1024;

/// How many refused clients are waited for.
#[derive(Debug, Default)]
pub(crate) struct Lingering(AtomicUsize);

struct Place<'a>(&'a AtomicUsize);

impl Lingering {
    /// Writes the close frame, says that no more follows, and waits until the client has closed: closing with unread
    /// input would reset the connection, and the client would never read the reason.
    pub(crate) async fn refuse<S>(&self, mut stream: S, code: CloseCode, linger: Duration)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let written = tokio::time::timeout(linger, stream.write_all(Frame::close(code).as_bytes())).await;
        if matches!(written, Ok(Ok(()))) {
            self.end(stream, linger).await;
        }
    }

    /// Says that no more follows, and waits until the client has closed.
    pub(crate) async fn end<S>(&self, mut stream: S, linger: Duration)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let place = self.place();
        let farewell = async {
            stream.shutdown().await?;
            let mut discarded = [0; 256];
            let mut bytes = 0;
            while place.is_some() && bytes < DISCARD_BYTES_MAX {
                match stream.read(&mut discarded).await? {
                    0 => break,
                    count => bytes += count,
                }
            }
            std::io::Result::Ok(())
        };
        // Neither a broken connection nor a client that stays is worth a word: it was refused.
        let _ = tokio::time::timeout(linger, farewell).await;
    }

    fn place(&self) -> Option<Place<'_>> {
        let place = Place(&self.0);
        (self.0.fetch_add(1, Relaxed) < CLIENTS_MAX).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_given_back() {
        let lingering = Lingering::default();
        let held: Vec<_> = (0..CLIENTS_MAX).map(|_| lingering.place().unwrap()).collect();
        assert!(lingering.place().is_none());
        drop(held);
        assert!(lingering.place().is_some());
        assert_eq!(lingering.0.load(Relaxed), 0);
    }
}
