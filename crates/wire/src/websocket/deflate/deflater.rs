//! Compressing finished frames.

use super::counts::{Counts, DeflateFigures};
use super::{TAIL, WindowBits};
use crate::websocket::frame::Frame;
use flate2::{Compress, Compression, FlushCompress};
use std::cell::RefCell;

/// When and how hard messages are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflation {
    /// Messages with a shorter payload stay as they are.
    pub threshold_bytes: usize,
    /// 1 (fast) to 9 (small); numbers outside count as the nearest.
    pub level: u8,
}

impl Default for Deflation {
    fn default() -> Self {
        Self {
            threshold_bytes: 1_024,
            level: 2,
        }
    }
}

/// Compresses frames for the sockets that agreed to it. One is shared by the whole process.
#[derive(Debug)]
pub struct Deflater {
    deflation: Deflation,
    counts: Counts,
}

thread_local! {
    /// The thread's states by window, each with its level, made when first needed. About 300 KiB for window 15.
    static STATES: RefCell<[Option<(u8, Compress)>; WindowBits::COUNT]> = const { RefCell::new([const { None }; WindowBits::COUNT]) };
}

impl Deflater {
    /// A deflater with nothing counted.
    pub fn new(deflation: Deflation) -> Self {
        let level = deflation.level.clamp(1, 9);
        Self {
            deflation: Deflation { level, ..deflation },
            counts: Counts::default(),
        }
    }

    /// Whether a frame could have a compressed form: cheap, and right for all that are too short.
    #[inline]
    pub fn may_shrink(&self, frame: &Frame) -> bool {
        frame.len() >= self.deflation.threshold_bytes
    }

    /// The frame for sockets that agreed on `window`: its messages compressed one by one. Control frames, messages
    /// under the threshold and messages that would not shrink stay as they are.
    pub fn deflate(&self, frame: &Frame, window: WindowBits) -> Frame {
        if !self.may_shrink(frame) {
            return frame.clone();
        }
        let mut shrank = false;
        let messages = frame.parts().map(|part| {
            let deflated = (!part.opcode.is_control()
                && part.payload.len() >= self.deflation.threshold_bytes)
                .then(|| self.payload(&part.payload, window))
                .flatten();
            match deflated {
                Some(payload) => {
                    shrank = true;
                    Frame::deflated(part.opcode, &payload)
                }
                None => part.whole,
            }
        });
        let deflated = Frame::concat(messages.collect::<Vec<_>>());
        if shrank { deflated } else { frame.clone() }
    }

    /// What was compressed.
    pub fn figures(&self) -> DeflateFigures {
        self.counts.figures()
    }

    /// The payload compressed, if that is shorter. The buffer may have room for much more.
    fn payload(&self, plain: &[u8], window: WindowBits) -> Option<Vec<u8>> {
        let mut output = Vec::with_capacity(plain.len() + TAIL.len());
        STATES.with_borrow_mut(|states| {
            let place = &mut states[window.place()];
            let level = self.deflation.level;
            // Taken out, and put back only if nothing of this message is left in it: zlib-rs 0.6 forgets at a reset how far
            // it had handed out what it has, and panics a few such messages later.
            let mut compress = match place.take() {
                Some((own, mut compress)) if own == level => {
                    compress.reset();
                    compress
                }
                _ => Compress::new_with_window_bits(Compression::new(u32::from(level)), false, window.bits()),
            };
            compress
                .compress_vec(plain, &mut output, FlushCompress::Sync)
                .ok()?;
            // A full buffer: there would be more to come, and what is there is no shorter already.
            if output.len() == output.capacity() || !output.ends_with(&TAIL) {
                return None;
            }
            *place = Some((level, compress));
            Some(())
        })?;
        output.truncate(output.len() - TAIL.len());
        self.counts.add(plain.len(), output.len());
        Some(output)
    }
}
