//! Compressed messages. What a message inflates to depends on nothing that came before it, on its connection or on
//! another one of the thread; it is what another reader of DEFLATE makes of it; it keeps to its limit. What is sent can
//! be read by a client that keeps no more than the window that was agreed on.

use std::sync::Arc;
use std::thread;

use flate2::{Decompress, FlushDecompress, Status};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use tidings_wire::websocket::{
    Decoder, Deflater, Deflation, Frame, Inflater, Limits, Message, Opcode, WindowBits, client_frame,
};

use crate::pieces::{byte, bytes, deflated};
use crate::websocket::{Decoded, decode};

const LIMITS: [Limits; 4] = [
    Limits {
        frame_bytes_max: 125,
        message_bytes_max: 125,
        fragments_max: 8,
    },
    Limits {
        frame_bytes_max: 0,
        message_bytes_max: 0,
        fragments_max: 1,
    },
    Limits {
        frame_bytes_max: 300,
        message_bytes_max: 700,
        fragments_max: 4,
    },
    Limits {
        frame_bytes_max: 70_000,
        message_bytes_max: 70_000,
        fragments_max: 1_000,
    },
];
const PIECES_MAX: usize = 32;
const MASK: [u8; 4] = [9, 0, 255, 30];
/// What a sender leaves out (RFC 7692, section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
const EMPTY_FINAL_BLOCK: [u8; 5] = [0x01, 0x00, 0x00, 0xFF, 0xFF];

/// The first byte picks the limits, the second the size of the pieces; then come frames, of several connections.
pub(crate) fn run(mut input: &[u8]) {
    let choice = byte(&mut input);
    let limits = LIMITS[usize::from(choice & 3)];
    let piece = usize::from(byte(&mut input)) + 1;
    payload(input, limits);
    sent(input, choice);

    let connections = connections(input);
    let whole: Vec<Decoded> = connections
        .iter()
        .map(|frames| decode(decoder(limits), frames, [usize::MAX].iter()))
        .collect();
    for (frames, whole) in connections.iter().zip(&whole) {
        let in_pieces = decode(decoder(limits), frames, [piece].iter());
        assert_eq!(&in_pieces, whole, "in pieces of {piece}");
        for message in &whole.0 {
            let length = match message {
                Message::Text(text) => text.len(),
                Message::Binary(bytes) => bytes.len(),
                _ => 0,
            };
            assert!(length <= limits.message_bytes_max as usize, "over the limit");
        }
    }
    // The last one again, where no state has seen anything yet.
    let (Some(frames), Some(whole)) = (connections.last(), whole.last()) else {
        return;
    };
    if connections.len() > 1 {
        let fresh = on_a_fresh_thread(|| decode(decoder(limits), frames, [usize::MAX].iter()));
        assert_eq!(&fresh, whole, "after {} connections", connections.len() - 1);
    }
}

fn decoder(limits: Limits) -> Decoder {
    Decoder::new(limits).with_inflater(Some(Arc::new(Inflater::default())))
}

/// The states of compression belong to their threads.
fn on_a_fresh_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// One message by itself: what another implementation reads.
fn payload(payload: &[u8], limits: Limits) {
    let frame = client_frame(0xC2, MASK, payload);
    let (messages, result) = decode(decoder(limits), &frame, [usize::MAX].iter());
    let expected = inflated(payload, limits.message_bytes_max as usize);
    match (result, expected) {
        (Ok(()), Some(plain)) => assert_eq!(messages, [Message::Binary(plain.into())]),
        (Ok(()), None) => panic!("inflated what is no message: {messages:?}"),
        // A frame may be refused for its length before it is read.
        (Err(error), Some(plain)) => assert!(
            payload.len() > limits.frame_bytes_max as usize,
            "{error}, where another reads {} bytes",
            plain.len()
        ),
        (Err(_), None) => {}
    }
}

/// The same by miniz, at once, with a state of its own.
fn inflated(payload: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let input = [payload, &TAIL, &EMPTY_FINAL_BLOCK].concat();
    let mut output = vec![0; bytes_max + 1];
    let mut state = Box::new(DecompressorOxide::new());
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, consumed, produced) = decompress(&mut state, &input, &mut output, 0, flags);
    // A sender's own final block may lack the first byte of the empty one that should follow; nothing else may.
    let ends_well = match payload.get(consumed..) {
        Some(rest) => matches!(rest, [] | [0]),
        None => consumed == input.len(),
    };
    output.truncate(produced);
    (status == TINFLStatus::Done && ends_well && produced <= bytes_max).then_some(output)
}

/// The input as what the server sends.
fn sent(plain: &[u8], choice: u8) {
    let window = WindowBits::new(9 + (choice >> 2) % 7).expect("9 to 15 bits");
    let deflation = Deflation {
        threshold_bytes: if choice & 0x80 == 0 { 0 } else { 64 },
        level: 1 + choice % 9,
    };
    // Now and then long enough for references beyond the smaller windows.
    let is_long = choice & 0x40 != 0;
    let long = plain.repeat(if is_long { 20 } else { 2 });
    let long = &long[..long.len().min(20_000)];
    let whole = [
        Frame::binary(plain),
        Frame::ping(b"p"),
        Frame::text(&String::from_utf8_lossy(plain)),
        Frame::binary(long),
    ];
    // Many short ones, which mostly do not shrink: each leaves its state to the next.
    let pieces = plain.chunks(1 + usize::from(choice & 0x3F)).take(PIECES_MAX);
    let frame = Frame::concat(whole.into_iter().chain(pieces.map(Frame::binary)));
    let deflate = || Deflater::new(deflation).deflate(&frame, window);
    let deflated = deflate();
    assert!(deflated.len() <= frame.len());
    if is_long {
        assert_eq!(on_a_fresh_thread(deflate), deflated, "the states before show");
    }

    let mut rest = &deflated.as_bytes()[..];
    let mut received = Vec::new();
    for (opcode, payload) in deflated.messages() {
        let first = rest[0];
        let header_bytes = match payload.len() {
            0..=125 => 2,
            126..=0xFFFF => 4,
            _ => 10,
        };
        rest = &rest[header_bytes + payload.len()..];
        if first & 0x40 == 0 {
            received.push((opcode, payload));
            continue;
        }
        assert!(!opcode.is_control() && payload.len() >= 2);
        let plain = read_with_window(&payload, window);
        assert!(plain.len() > payload.len() && plain.len() >= deflation.threshold_bytes);
        let (messages, result) = decode(
            decoder(LIMITS[3]),
            &client_frame(first, MASK, &payload),
            [usize::MAX].iter(),
        );
        if plain.len() <= LIMITS[3].message_bytes_max as usize {
            let message = match opcode {
                Opcode::Text => Message::Text(String::from_utf8(plain.clone()).expect("text").into()),
                _ => Message::Binary(plain.clone().into()),
            };
            assert_eq!((messages, result), (vec![message], Ok(())));
        }
        received.push((opcode, plain.into()));
    }
    assert_eq!(received, frame.messages().collect::<Vec<_>>());
}

/// A client that keeps just the window: it takes the output byte by byte, so that all it can refer to is what it keeps.
fn read_with_window(payload: &[u8], window: WindowBits) -> Vec<u8> {
    let input = [payload, &TAIL, &EMPTY_FINAL_BLOCK].concat();
    let mut state = Decompress::new_with_window_bits(false, window.bits());
    let (mut consumed, mut output) = (0, Vec::new());
    loop {
        let mut next = [0];
        let status = state
            .decompress(&input[consumed..], &mut next, FlushDecompress::None)
            .expect("a stream within its window");
        let has_output = state.total_out() as usize > output.len();
        let has_input = state.total_in() as usize > consumed;
        consumed = state.total_in() as usize;
        if has_output {
            output.push(next[0]);
        }
        if status == Status::StreamEnd {
            return output;
        }
        assert!(has_input || has_output, "a stream without an end");
    }
}

/// Frames as mostly make sense. Of each, a kind, a length and what is in it are taken from the input.
fn connections(mut input: &[u8]) -> Vec<Vec<u8>> {
    const FIRST: [u8; 12] = [
        0xC1, 0xC2, 0x41, 0x42, 0x00, 0x80, 0x81, 0x01, 0x89, 0x88, 0xC0, 0xC9,
    ];
    let mut connections = vec![Vec::new()];
    while !input.is_empty() {
        let kind = byte(&mut input);
        let Some(first) = FIRST.get(usize::from(kind & 15)) else {
            connections.push(Vec::new());
            continue;
        };
        let length = usize::from(byte(&mut input));
        let content = bytes(&mut input, length);
        let payload = match kind >> 4 {
            // As it stands: hardly ever a stream.
            0..4 => content.to_vec(),
            4..8 => deflated(content),
            8..10 => deflated(&content.repeat(300)),
            // Streams that are right at first, or but for a byte.
            10..12 => {
                let mut payload = deflated(content);
                payload.truncate(length / 2);
                payload
            }
            12..14 => {
                let mut payload = deflated(content);
                let place = usize::from(kind >> 4) * 7 % payload.len().max(1);
                if let Some(byte) = payload.get_mut(place) {
                    *byte ^= length as u8;
                }
                payload
            }
            // Halves of one stream, for the fragments.
            kind => {
                let payload = deflated(&content.repeat(3));
                let (head, tail) = payload.split_at(payload.len() / 2);
                if kind == 14 { head.to_vec() } else { tail.to_vec() }
            }
        };
        if let Some(connection) = connections.last_mut() {
            connection.extend(client_frame(*first, MASK, &payload));
        }
    }
    connections
}
