//! The loop: readiness, publishes, and a lap over all sockets whenever enough publishes are there.

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, bail};
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use tidings_bench::frames;

use crate::peer::{Next, Peer};
use crate::socket::{Gone, Socket, Written};

const LISTENER: Token = Token(usize::MAX);
/// More publishes than this waiting for a lap end the program: the load generator keeps no window.
const PENDING_MAX: usize = 65_536;

/// How publishes are collected into writes.
pub(crate) struct Windows {
    /// At most so many frames in one write.
    pub(crate) frames_per_write: usize,
    /// A lap begins when so many publishes wait.
    pub(crate) enough: usize,
    /// … or when none has come for so long.
    pub(crate) wait: Duration,
}

pub(crate) struct Server {
    poll: Poll,
    listener: TcpListener,
    slots: Vec<Slot>,
    free: Vec<usize>,
    pending: VecDeque<Rc<[u8]>>,
    windows: Windows,
    written: Written,
}

enum Slot {
    Free,
    Http(Box<Peer>),
    WebSocket(Socket),
}

impl Server {
    pub(crate) fn bind(address: SocketAddr, windows: Windows) -> Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(address)?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            slots: Vec::new(),
            free: Vec::new(),
            pending: VecDeque::new(),
            windows,
            written: Written::default(),
        })
    }

    pub(crate) fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    pub(crate) fn run(&mut self) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let timeout = match self.pending.len() {
                0 => None,
                few if few < self.windows.enough => Some(self.windows.wait),
                _ => Some(Duration::ZERO),
            };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                outcome => outcome?,
            }
            let waited_enough = events.is_empty();
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(slot) => self.ready(slot, event.is_readable(), event.is_writable())?,
                }
            }
            if self.pending.len() >= self.windows.enough || waited_enough {
                self.lap()?;
            }
        }
    }

    /// Writes the oldest pending frames, as many as go into one write, to every socket.
    fn lap(&mut self) -> Result<()> {
        let count = self.pending.len().min(self.windows.frames_per_write);
        let frames: Vec<Rc<[u8]>> = self.pending.drain(..count).collect();
        let mut gone = Vec::new();
        match frames.as_slice() {
            [] => {}
            [frame] => {
                for (index, slot) in self.slots.iter_mut().enumerate() {
                    if let Slot::WebSocket(socket) = slot
                        && socket.send(frame, &mut self.written).is_err()
                    {
                        gone.push(index);
                    }
                }
            }
            frames => {
                let slices: Vec<IoSlice<'_>> = frames.iter().map(|frame| IoSlice::new(frame)).collect();
                let bytes = frames.iter().map(|frame| frame.len()).sum();
                for (index, slot) in self.slots.iter_mut().enumerate() {
                    if let Slot::WebSocket(socket) = slot
                        && socket
                            .send_all(frames, &slices, bytes, &mut self.written)
                            .is_err()
                    {
                        gone.push(index);
                    }
                }
            }
        }
        gone.into_iter().try_for_each(|slot| self.release(slot))
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error.into()),
            };
            stream.set_nodelay(true)?;
            let slot = self.free.pop().unwrap_or_else(|| {
                self.slots.push(Slot::Free);
                self.slots.len() - 1
            });
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut stream, Token(slot), interest)?;
            self.slots[slot] = Slot::Http(Box::new(Peer::new(stream)));
        }
    }

    fn ready(&mut self, index: usize, readable: bool, writable: bool) -> Result<()> {
        let outcome = match &mut self.slots[index] {
            Slot::Free => return Ok(()),
            Slot::WebSocket(socket) => {
                let resumed = if writable {
                    socket.resume(&mut self.written)
                } else {
                    Ok(())
                };
                if readable {
                    resumed.and_then(|()| socket.discard_input())
                } else {
                    resumed
                }
            }
            Slot::Http(peer) => {
                let pending = &mut self.pending;
                let publish = |body: &[u8]| pending.push_back(frames::text(body).into());
                let flushed = if writable { peer.flush() } else { Ok(()) };
                match flushed.and_then(|()| {
                    if readable {
                        peer.readable(&self.written, publish)
                    } else {
                        Ok(Next::Stays)
                    }
                }) {
                    Ok(Next::Stays) => Ok(()),
                    Ok(Next::Upgraded) => {
                        self.upgrade(index);
                        Ok(())
                    }
                    Err(_) => Err(Gone),
                }
            }
        };
        if self.pending.len() > PENDING_MAX {
            bail!("{PENDING_MAX} publishes wait: the load generator has to keep a window");
        }
        outcome.or_else(|Gone| self.release(index))
    }

    fn upgrade(&mut self, index: usize) {
        if let Slot::Http(peer) = std::mem::replace(&mut self.slots[index], Slot::Free) {
            self.slots[index] = Slot::WebSocket(Socket::new(peer.into_stream()));
        }
    }

    fn release(&mut self, index: usize) -> Result<()> {
        let mut slot = std::mem::replace(&mut self.slots[index], Slot::Free);
        let stream = match &mut slot {
            Slot::Free => return Ok(()),
            Slot::Http(peer) => peer.stream_mut(),
            Slot::WebSocket(socket) => socket.stream_mut(),
        };
        self.poll.registry().deregister(stream)?;
        self.free.push(index);
        Ok(())
    }
}
