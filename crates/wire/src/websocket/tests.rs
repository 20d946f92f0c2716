mod decoding;
mod deflate;
mod frames;
mod properties;
mod refusals;

use super::{DecodeError, Decoder, Limits, Message};

const LIMITS: Limits = Limits {
    frame_bytes_max: 70_000,
    message_bytes_max: 100_000,
    fragments_max: 8,
};
const FIN: u8 = 0x80;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    super::client_frame(first, MASK, payload)
}

/// Decodes pieces of at most `piece` bytes.
fn decode_in_pieces(input: &[u8], piece: usize, limits: Limits) -> (Vec<Message>, Result<(), DecodeError>) {
    let mut decoder = Decoder::new(limits);
    let mut out = Vec::new();
    for chunk in input.to_vec().chunks_mut(piece.max(1)) {
        if let Err(error) = decoder.decode(chunk, &mut out) {
            return (out, Err(error));
        }
    }
    (out, Ok(()))
}

/// The same in one piece and byte by byte, which must agree.
fn decode(input: &[u8]) -> (Vec<Message>, Result<(), DecodeError>) {
    let whole = decode_in_pieces(input, input.len(), LIMITS);
    assert_eq!(whole, decode_in_pieces(input, 1, LIMITS), "{input:02x?}");
    whole
}
