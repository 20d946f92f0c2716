use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{FIN, LIMITS, client_frame, decode_in_pieces};
use crate::websocket::{Decoder, Frame, Message, Opcode};

/// A message, and how a client sends it: the lengths of the fragments before the last.
fn message() -> impl Strategy<Value = (Message, Vec<usize>)> {
    let payload = || vec(any::<u8>(), 0..300).prop_map(Bytes::from);
    let fragments = vec(0..200_usize, 0..5);
    prop_oneof![
        (
            "\\PC{0,90}".prop_map(|text| Message::Text(text.into())),
            fragments.clone()
        ),
        (payload().prop_map(Message::Binary), fragments),
        (vec(any::<u8>(), 0..=125).prop_map(|bytes| (Message::Ping(bytes.into()), Vec::new()))),
        (vec(any::<u8>(), 0..=125).prop_map(|bytes| (Message::Pong(bytes.into()), Vec::new()))),
    ]
}

fn encode(message: &Message, fragments: &[usize]) -> Vec<u8> {
    let (mut opcode, mut rest): (u8, &[u8]) = match message {
        Message::Text(text) => (1, text.as_bytes()),
        Message::Binary(bytes) => (2, bytes),
        Message::Ping(bytes) => (9, bytes),
        Message::Pong(bytes) => (10, bytes),
        Message::Close(..) => unreachable!("not generated"),
    };
    let mut output = Vec::new();
    for fragment in fragments {
        let (head, tail) = rest.split_at((*fragment).min(rest.len()));
        output.extend(client_frame(opcode, head));
        (opcode, rest) = (0, tail);
    }
    output.extend(client_frame(FIN | opcode, rest));
    output
}

proptest! {
    #[test]
    fn every_split_decodes_the_same(sent in vec(message(), 1..6), splits in vec(1..80_usize, 1..20)) {
        let mut input: Vec<u8> = sent.iter().flat_map(|(message, fragments)| encode(message, fragments)).collect();
        let expected: Vec<_> = sent.into_iter().map(|(message, _)| message).collect();
        prop_assert_eq!(decode_in_pieces(&input, 1, LIMITS), (expected.clone(), Ok(())));
        prop_assert_eq!(decode_in_pieces(&input, input.len(), LIMITS), (expected.clone(), Ok(())));

        let mut decoder = Decoder::new(LIMITS);
        let mut out = Vec::new();
        let mut rest = &mut input[..];
        let mut sizes = splits.iter().cycle();
        while !rest.is_empty() {
            let size = (*sizes.next().expect("a cycle")).min(rest.len());
            let (piece, after) = rest.split_at_mut(size);
            prop_assert_eq!(decoder.decode(piece, &mut out), Ok(()));
            rest = after;
        }
        prop_assert_eq!(out, expected);
    }

    /// Also any input at all: no panic, and the split changes neither messages nor error.
    #[test]
    fn any_bytes_decode_the_same_in_any_pieces(input in vec(any::<u8>(), 0..200), piece in 1..9_usize) {
        let whole = decode_in_pieces(&input, input.len(), LIMITS);
        prop_assert_eq!(decode_in_pieces(&input, piece, LIMITS), whole);
    }

    /// As above, with headers that are mostly acceptable, so that the states behind them are reached.
    #[test]
    fn any_frames_decode_the_same_in_any_pieces(
        frames in vec((prop_oneof![Just(0_u8), Just(1), Just(2), Just(FIN), Just(FIN | 1), Just(FIN | 8), Just(FIN | 9), any::<u8>()], vec(any::<u8>(), 0..40)), 0..8),
        piece in 1..30_usize,
    ) {
        let input: Vec<u8> = frames.iter().flat_map(|(first, payload)| client_frame(*first, payload)).collect();
        let whole = decode_in_pieces(&input, input.len(), LIMITS);
        prop_assert_eq!(decode_in_pieces(&input, piece, LIMITS), whole);
    }

    #[test]
    fn frames_give_their_messages_back(payloads in vec((any::<bool>(), "\\PC{0,200}"), 0..6)) {
        let frame = Frame::concat(payloads.iter().map(|(text, payload)| {
            if *text { Frame::text(payload) } else { Frame::binary(payload.as_bytes()) }
        }));
        let expected: Vec<_> = payloads
            .into_iter()
            .map(|(text, payload)| (if text { Opcode::Text } else { Opcode::Binary }, Bytes::from(payload)))
            .collect();
        prop_assert_eq!(frame.messages().collect::<Vec<_>>(), expected);
    }
}
