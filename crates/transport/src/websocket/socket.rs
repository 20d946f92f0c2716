//! Reading a shared socket into the worker thread's buffer.

use socket2::SockRef;
use std::cell::RefCell;
use std::io::{self, ErrorKind, Read};
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::TcpStream;

const BUFFER_BYTES: usize = 64 * 1024;

thread_local! {
    /// One buffer for all connections that the thread reads.
    pub(super) static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER_BYTES].into_boxed_slice());
}

/// Read at once from a client that is in the midst of no message. So little, because it may be hundreds of small
/// messages, all of which are decoded before the first is judged by its rate.
pub(super) const FEW_BYTES: usize = 4 * 1024;
/// Read at once from others.
pub(super) const MANY_BYTES: usize = BUFFER_BYTES;

/// Waits until the socket is readable, receives at most `bytes_max` and gives `take` what came; `None` at the end of
/// the stream.
pub(super) fn poll_receive<T>(
    stream: &TcpStream,
    bytes_max: usize,
    context: &mut Context<'_>,
    take: impl FnOnce(&mut [u8]) -> T,
) -> Poll<io::Result<Option<T>>> {
    BUFFER.with_borrow_mut(|buffer| {
        loop {
            ready!(stream.poll_read_ready(context))?;
            match receive(stream, &mut buffer[..bytes_max]) {
                Ok(0) => return Poll::Ready(Ok(None)),
                Ok(count) => return Poll::Ready(Ok(Some(take(&mut buffer[..count])))),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    })
}

/// Receives once. A buffer that was not filled means that the socket is drained: the runtime is told so, which saves
/// the second call that would say it.
fn receive(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut received = None;
    let outcome = stream.try_io(Interest::READABLE, || {
        let count = (&*SockRef::from(stream)).read(buffer)?;
        received = Some(count);
        if count != 0 && count < buffer.len() {
            Err(ErrorKind::WouldBlock.into())
        } else {
            Ok(())
        }
    });
    received.map_or_else(|| outcome.map(|()| 0), Ok)
}
