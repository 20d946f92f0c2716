//! The accept loop.

use crate::{PeerAddress, Transport};
use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// How long accepting rests when the process is out of descriptors or memory, at first and at most.
const REST_MIN: Duration = Duration::from_millis(10);
const REST_MAX: Duration = Duration::from_secs(1);
/// Sockets accepted before others on the thread get their turn.
const ACCEPTED_AT_ONCE_MAX: usize = 8;

/// Accepts until the transport shuts down.
pub(super) async fn accept(
    listener: &TcpListener,
    transport: &Transport,
    mut serve: impl FnMut(TcpStream, PeerAddress),
) {
    let mut rest = REST_MIN;
    let mut accepted_at_once = 0;
    loop {
        // A wave of sockets must not keep the thread from who is connected.
        accepted_at_once += 1;
        if accepted_at_once == ACCEPTED_AT_ONCE_MAX {
            accepted_at_once = 0;
            tokio::task::yield_now().await;
        }
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = transport.shutdown().cancelled() => return,
        };
        match accepted {
            Ok((stream, address)) => {
                rest = REST_MIN;
                serve(stream, PeerAddress(address));
            }
            Err(error) if is_the_clients(&error) => {}
            Err(error) if is_descriptors(&error) && make_room(transport) => {}
            Err(error) => {
                // Trying again at once would only burn the processor that could free something.
                if rest == REST_MIN {
                    tracing::warn!(%error, "cannot accept connections");
                }
                tokio::time::sleep(rest).await;
                rest = (rest * 2).min(REST_MAX);
            }
        }
    }
}

/// Descriptors that are freed at once when they run out.
const ROOM: usize = 64;

/// Closes sockets that wait for a request; false if none does.
fn make_room(transport: &Transport) -> bool {
    let evicted = transport.waiting().evict_oldest(ROOM);
    transport.counters().evicted_for_descriptors(evicted);
    evicted != 0
}

/// The process or the machine has no descriptors left: `EMFILE`, `ENFILE`.
fn is_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}

/// The client left before it was accepted.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
    )
}
