use super::{FIN, RSV1, client_frame, inflate_in_pieces};
use crate::websocket::{Deflater, Deflation, Frame, Message, WindowBits, negotiate};
use proptest::collection::vec;
use proptest::prelude::*;

fn deflater() -> Deflater {
    Deflater::new(Deflation {
        threshold_bytes: 0,
        level: 2,
    })
}

/// A client's frames for what the server would send it: the two directions have one format but for the mask.
fn as_client(frame: &Frame, fragments: &[usize]) -> Vec<u8> {
    let part = frame.parts().next().expect("one message");
    let mut first = part.whole.as_bytes()[0] & !FIN;
    let mut rest = &part.payload[..];
    let mut output = Vec::new();
    for fragment in fragments {
        let (head, tail) = rest.split_at((*fragment).min(rest.len()));
        output.extend(client_frame(first, head));
        (first, rest) = (0, tail);
    }
    output.extend(client_frame(FIN | first, rest));
    output
}

proptest! {
    #[test]
    fn messages_come_back_whole_for_any_fragments_and_pieces(
        messages in vec((any::<bool>(), "([a-c]{0,40}|\\PC{0,40}){0,30}"), 1..5),
        fragments in vec(0..200_usize, 0..6),
        bits in 9..=15_u8,
        piece in 1..400_usize,
    ) {
        let window = WindowBits::new(bits).expect("a window");
        let deflater = deflater();
        let mut input = Vec::new();
        let mut expected = Vec::new();
        for (text, payload) in messages {
            let plain = if text { Frame::text(&payload) } else { Frame::binary(payload.as_bytes()) };
            input.extend(as_client(&deflater.deflate(&plain, window), &fragments));
            expected.push(if text { Message::Text(payload.into()) } else { Message::Binary(payload.into()) });
        }
        prop_assert_eq!(inflate_in_pieces(&input, piece), (expected.clone(), Ok(())));
        prop_assert_eq!(inflate_in_pieces(&input, input.len()), (expected, Ok(())));
    }

    /// No panic, and the split changes neither messages nor error.
    #[test]
    fn any_frames_decode_the_same_in_any_pieces(
        frames in vec(
            (
                prop_oneof![Just(FIN | RSV1 | 1), Just(FIN | RSV1 | 2), Just(RSV1 | 1), Just(0), Just(FIN), Just(FIN | 9), any::<u8>()],
                prop_oneof![
                    vec(any::<u8>(), 0..40),
                    // Streams that are right at first.
                    (vec(any::<u8>(), 0..20), 0..12_usize).prop_map(|(noise, keep)| {
                        let stream = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";
                        [&stream[..keep], &noise].concat()
                    }),
                ],
            ),
            0..8,
        ),
        piece in 1..30_usize,
    ) {
        let input: Vec<u8> = frames.iter().flat_map(|(first, payload)| client_frame(*first, payload)).collect();
        let whole = inflate_in_pieces(&input, input.len());
        prop_assert_eq!(inflate_in_pieces(&input, piece), whole);
    }

    #[test]
    fn any_header_is_judged_and_an_answer_is_one_of_ours(lines in vec("[ -~]{0,60}|(permessage-deflate|; ?|, ?|server_max_window_bits|client_max_window_bits|=|\"|\\\\|1[0-9]|[0-9]){0,12}", 0..4)) {
        let agreement = negotiate(lines.iter().map(String::as_str));
        if let Some(agreement) = agreement {
            prop_assert!(agreement.to_string().starts_with("permessage-deflate; server_no_context_takeover; client_no_context_takeover"));
        }
    }
}
