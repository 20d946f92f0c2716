mod compressing;
mod inflating;
mod negotiating;
mod properties;
mod reference;

use super::{FIN, LIMITS, client_frame};
use crate::websocket::{DecodeError, Decoder, Inflater, Message};
use std::sync::Arc;

const RSV1: u8 = 0x40;

/// Decodes pieces of at most `piece` bytes on a connection that agreed on compression.
fn inflate_in_pieces(input: &[u8], piece: usize) -> (Vec<Message>, Result<(), DecodeError>) {
    let mut decoder = Decoder::new(LIMITS).with_inflater(Some(Arc::new(Inflater::default())));
    let mut out = Vec::new();
    for chunk in input.to_vec().chunks_mut(piece.max(1)) {
        if let Err(error) = decoder.decode(chunk, &mut out) {
            return (out, Err(error));
        }
    }
    (out, Ok(()))
}

/// The same in one piece and byte by byte, which must agree.
fn inflate(input: &[u8]) -> (Vec<Message>, Result<(), DecodeError>) {
    let whole = inflate_in_pieces(input, input.len());
    assert_eq!(whole, inflate_in_pieces(input, 1), "{input:02x?}");
    whole
}
