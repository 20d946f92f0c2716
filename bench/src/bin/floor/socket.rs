//! One WebSocket and what could not be written to it yet.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read};
use std::rc::Rc;

use mio::net::TcpStream;
use socket2::SockRef;

/// A socket this far behind is cut, so that a client that does not read cannot fill the floor's memory.
const BACKLOG_FRAMES_MAX: usize = 4096;

/// What was written, over all sockets.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) frames: u64,
    pub(crate) writes: u64,
}

/// The peer is gone, or so far behind that it must go.
pub(crate) struct Gone;

pub(crate) struct Socket {
    stream: TcpStream,
    /// Absent while everything is written: the usual case costs a pointer.
    backlog: Option<Box<Backlog>>,
}

struct Backlog {
    frames: VecDeque<Rc<[u8]>>,
    /// Bytes of the first frame that are written already.
    written: usize,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            backlog: None,
        }
    }

    pub(crate) fn stream_mut(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// One frame in one write.
    pub(crate) fn send(&mut self, frame: &Rc<[u8]>, written: &mut Written) -> Result<(), Gone> {
        if self.backlog.is_some() {
            return self.queue(std::slice::from_ref(frame), 0);
        }
        let sent = sent(SockRef::from(&self.stream).send(frame))?;
        written.writes += 1;
        if sent == frame.len() {
            written.frames += 1;
            return Ok(());
        }
        self.queue(std::slice::from_ref(frame), sent)
    }

    /// Several frames in one write. `slices` are the frames, made ready once for all sockets; `bytes` is their sum.
    pub(crate) fn send_all(
        &mut self,
        frames: &[Rc<[u8]>],
        slices: &[IoSlice<'_>],
        bytes: usize,
        written: &mut Written,
    ) -> Result<(), Gone> {
        if self.backlog.is_some() {
            return self.queue(frames, 0);
        }
        let mut sent = sent(SockRef::from(&self.stream).send_vectored(slices))?;
        written.writes += 1;
        if sent == bytes {
            written.frames += frames.len() as u64;
            return Ok(());
        }
        let mut rest = frames;
        while let Some((first, others)) = rest.split_first()
            && sent >= first.len()
        {
            sent -= first.len();
            written.frames += 1;
            rest = others;
        }
        self.queue(rest, sent)
    }

    /// Goes on where a full socket stopped.
    pub(crate) fn resume(&mut self, written: &mut Written) -> Result<(), Gone> {
        let Some(backlog) = &mut self.backlog else {
            return Ok(());
        };
        while let Some(frame) = backlog.frames.front() {
            let rest = &frame[backlog.written..];
            let sent = sent(SockRef::from(&self.stream).send(rest))?;
            written.writes += 1;
            if sent < rest.len() {
                backlog.written += sent;
                return Ok(());
            }
            written.frames += 1;
            backlog.written = 0;
            backlog.frames.pop_front();
        }
        self.backlog = None;
        Ok(())
    }

    /// Takes whatever the client sends off the socket, unread.
    pub(crate) fn discard_input(&mut self) -> Result<(), Gone> {
        let mut bytes = [0; 1024];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(Gone),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Gone),
            }
        }
    }

    fn queue(&mut self, frames: &[Rc<[u8]>], written: usize) -> Result<(), Gone> {
        let backlog = self.backlog.get_or_insert_with(|| {
            Box::new(Backlog {
                frames: VecDeque::new(),
                written,
            })
        });
        backlog.frames.extend(frames.iter().cloned());
        if backlog.frames.len() > BACKLOG_FRAMES_MAX {
            Err(Gone)
        } else {
            Ok(())
        }
    }
}

fn sent(outcome: io::Result<usize>) -> Result<usize, Gone> {
    match outcome {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        Err(_) => Err(Gone),
    }
}
