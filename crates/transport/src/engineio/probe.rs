//! The probe: a WebSocket shows that it works before a polling session moves to it.

use std::io;

use bytes::{Bytes, BytesMut};
use tidings_wire::engineio::Packet;
use tidings_wire::websocket::{Decoder, Frame, Limits, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::session::{Claim, PollEnd};
use crate::ClientStream;

/// Two bytes, the mask, and the longest payload whose length needs no more bytes. Whatever is longer is no probe.
const FRAME_BYTES_MAX: usize = 2 + 4 + 125;

/// Read at once; what is not the probe's is handed on.
const READ_BYTES: usize = 1_024;

pub(super) const LIMITS: Limits = Limits {
    frame_bytes_max: 125,
    message_bytes_max: 125,
    fragments_max: 8,
};

/// Frames before the move. A client sends two, and perhaps pings.
const FRAMES_MAX: usize = 32;

/// A WebSocket whose client has completed the probe.
pub(super) struct Probed {
    pub(super) stream: ClientStream,
    /// What was read behind the packet that completes it.
    pub(super) rest: Bytes,
}

/// Answers `2probe` and waits for `5`. Anything else is an error. The decoder is one with [`LIMITS`]; a browser that agreed on
/// compression compresses these too.
pub(super) async fn run<P>(
    mut stream: ClientStream,
    early: Bytes,
    mut decoder: Decoder,
    claim: &Claim<P>,
) -> io::Result<Probed> {
    let mut input = BytesMut::from(early);
    let mut messages = Vec::new();
    let mut probed = false;
    for _ in 0..FRAMES_MAX {
        let mut frame = next_frame(&mut stream, &mut input).await?;
        claim.session().connection.touch();
        decoder
            .decode(&mut frame, &mut messages)
            .map_err(io::Error::other)?;
        for message in messages.drain(..) {
            match message {
                Message::Text(text) => match Packet::from_text(&text) {
                    Ok(Packet::Ping("probe")) => {
                        probed = true;
                        let waiting = claim.probed();
                        write(&mut stream, &Packet::Pong("probe").to_frame()).await?;
                        if let Some(poll) = waiting {
                            // A GET that is no longer there needs no answer.
                            let _ = poll.send(PollEnd::Noop);
                        }
                    }
                    Ok(Packet::Upgrade) if probed => {
                        return Ok(Probed {
                            stream,
                            rest: input.freeze(),
                        });
                    }
                    _ => return Err(io::ErrorKind::InvalidData.into()),
                },
                Message::Ping(payload) => write(&mut stream, &Frame::pong(&payload)).await?,
                Message::Pong(_) => {}
                Message::Close(code, _) => {
                    // The client is going either way.
                    let _ = write(&mut stream, &Frame::close_raw(code, "")).await;
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Message::Binary(_) => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

async fn write(stream: &mut ClientStream, frame: &Frame) -> io::Result<()> {
    stream.write_all(frame.as_bytes()).await?;
    // TLS may keep what the socket did not take.
    stream.flush().await
}

/// Takes exactly one frame off the input, so that nothing behind the last one is decoded here.
async fn next_frame(stream: &mut ClientStream, input: &mut BytesMut) -> io::Result<BytesMut> {
    loop {
        if let [_, second, ..] = input[..] {
            let length = usize::from(second & 0x7F);
            let end = 2 + 4 + length;
            if end > FRAME_BYTES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if input.len() >= end {
                return Ok(input.split_to(end));
            }
        }
        input.reserve(READ_BYTES);
        if stream.read_buf(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
