//! Inflating clients' messages, within their limit.

use super::counts::{Counts, DeflateFigures};
use crate::websocket::error::DecodeError;
use flate2::{Decompress, FlushDecompress, Status};
use std::cell::RefCell;

/// Behind a message: the tail it was sent without, and an empty final block. Only at the end of a block is that taken
/// for the end of the stream, so a message that stops in the middle of one is found out.
const TAIL_AND_END: [u8; 9] = [0x00, 0x00, 0xFF, 0xFF, 0x01, 0x00, 0x00, 0xFF, 0xFF];

/// Room for the output to begin with, as a multiple of the input.
const FIRST_FACTOR: usize = 4;
const FIRST_BYTES_MIN: usize = 64;

/// Inflates the messages of connections that agreed to it. One is shared by the whole process.
#[derive(Debug, Default)]
pub struct Inflater(Counts);

thread_local! {
    /// The thread's state, about 40 KiB. Its window is the largest, so it inflates any client's messages.
    static STATE: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

impl Inflater {
    /// What was inflated.
    pub fn figures(&self) -> DeflateFigures {
        self.0.figures()
    }

    /// A message's payload inflated. Stops at `bytes_max`, before more than that is held.
    pub(in crate::websocket) fn inflate(
        &self,
        deflated: &[u8],
        bytes_max: usize,
    ) -> Result<Vec<u8>, DecodeError> {
        let plain = STATE.with_borrow_mut(|state| inflate(state, deflated, bytes_max))?;
        self.0.add(plain.len(), deflated.len());
        Ok(plain)
    }
}

fn inflate(state: &mut Decompress, deflated: &[u8], bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
    state.reset(false);
    let capacity = deflated.len().saturating_mul(FIRST_FACTOR).max(FIRST_BYTES_MIN);
    let mut output = Vec::with_capacity(capacity.min(bytes_max.saturating_add(1)));
    match feed(state, deflated, &mut output, bytes_max)? {
        // The sender made a final block. It then adds the first byte of the empty block that the tail completes
        // (section 7.2.3.4), or forgets to, which changes nothing. More would be another stream.
        Some([] | [0x00]) => return Ok(output),
        Some(_) => return Err(DecodeError::InvalidDeflate),
        None => {}
    }
    match feed(state, &TAIL_AND_END, &mut output, bytes_max)? {
        Some([]) => Ok(output),
        _ => Err(DecodeError::InvalidDeflate),
    }
}

/// Inflates all of `input`. `Some` is what is left behind the stream's end; `None`: it goes on.
fn feed<'a>(
    state: &mut Decompress,
    mut input: &'a [u8],
    output: &mut Vec<u8>,
    bytes_max: usize,
) -> Result<Option<&'a [u8]>, DecodeError> {
    loop {
        if output.len() == output.capacity() {
            // One byte beyond the limit shows that there is more.
            let capacity = output
                .capacity()
                .saturating_mul(2)
                .min(bytes_max.saturating_add(1));
            output.reserve_exact(capacity.saturating_sub(output.len()).max(1));
        }
        let (consumed, produced) = (state.total_in(), output.len());
        let status = state
            .decompress_vec(input, output, FlushDecompress::None)
            .map_err(|_| DecodeError::InvalidDeflate)?;
        if output.len() > bytes_max {
            return Err(DecodeError::MessageTooBig);
        }
        let consumed = (state.total_in() - consumed) as usize;
        input = &input[consumed..];
        if status == Status::StreamEnd {
            return Ok(Some(input));
        }
        let has_room = output.len() < output.capacity();
        if has_room && input.is_empty() {
            return Ok(None);
        }
        if has_room && consumed == 0 && output.len() == produced {
            return Err(DecodeError::InvalidDeflate);
        }
    }
}
