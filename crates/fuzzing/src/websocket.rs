//! The WebSocket decoder: what it makes of the bytes does not depend on how they were split.

use bytes::Bytes;
use tidings_wire::websocket::{DecodeError, Decoder, Frame, Limits, Message, Opcode, client_frame};

use crate::pieces::{byte, bytes};

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
        frame_bytes_max: u32::MAX,
        message_bytes_max: u32::MAX,
        fragments_max: u32::MAX,
    },
];

pub(crate) type Decoded = (Vec<Message>, Result<(), DecodeError>);

/// The first byte picks the limits and the form, the next ones the sizes of the pieces; the rest is what a client sends,
/// as it is or as the recipe of frames.
pub(crate) fn run(mut input: &[u8]) {
    let choice = byte(&mut input);
    let limits = LIMITS[usize::from(choice & 3)];
    let sizes: Vec<usize> = bytes(&mut input, 4)
        .iter()
        .map(|size| usize::from(*size) + 1)
        .collect();
    let sent = if choice & 4 == 0 {
        input.to_vec()
    } else {
        frames(input)
    };
    let decode_in = |sizes: &[usize]| decode(Decoder::new(limits), &sent, sizes.iter());
    let whole = decode_in(&[usize::MAX]);
    assert_eq!(decode_in(&[1]), whole, "byte by byte");
    if !sizes.is_empty() {
        assert_eq!(decode_in(&sizes), whole, "in pieces of {sizes:?}");
    }
    check_limits(&whole.0, limits);
    check_round_trip(&whole.0);
}

/// What a decoder makes of bytes that come in pieces of these sizes, over and over.
pub(crate) fn decode<'a>(
    mut decoder: Decoder,
    sent: &[u8],
    sizes: impl Iterator<Item = &'a usize> + Clone,
) -> Decoded {
    let mut messages = Vec::new();
    let mut input = sent.to_vec();
    let mut rest = &mut input[..];
    let mut sizes = sizes.cycle();
    let mut result = Ok(());
    while !rest.is_empty() {
        let size = sizes.next().map_or(1, |size| (*size).min(rest.len()));
        let (piece, after) = rest.split_at_mut(size);
        let finished = decoder.is_finished();
        let before = messages.len();
        let step = decoder.decode(piece, &mut messages);
        if finished {
            assert_eq!((step, messages.len()), (Ok(()), before), "decoded after the end");
        }
        result = result.and(step);
        rest = after;
    }
    (messages, result)
}

fn check_limits(messages: &[Message], limits: Limits) {
    for message in messages {
        let (length, length_max) = match message {
            Message::Text(text) => (text.len(), limits.message_bytes_max as usize),
            Message::Binary(bytes) => (bytes.len(), limits.message_bytes_max as usize),
            Message::Ping(payload) | Message::Pong(payload) => (payload.len(), 125),
            Message::Close(_, reason) => (reason.len(), 123),
        };
        assert!(length <= length_max, "{length} bytes over the limit");
    }
    if let Some(place) = messages
        .iter()
        .position(|message| matches!(message, Message::Close(..)))
    {
        assert_eq!(place + 1, messages.len(), "something behind the close frame");
    }
}

/// What was decoded and is sent on by the server can be taken out of its frames again, and decodes if a client sends it.
fn check_round_trip(messages: &[Message]) {
    let mut expected = Vec::new();
    let frame = Frame::concat(messages.iter().map(|message| {
        let (opcode, payload, frame) = match message {
            Message::Text(text) => (
                Opcode::Text,
                Bytes::copy_from_slice(text.as_bytes()),
                Frame::text(text),
            ),
            Message::Binary(bytes) => (Opcode::Binary, bytes.clone(), Frame::binary(bytes)),
            Message::Ping(payload) => (Opcode::Ping, payload.clone(), Frame::ping(payload)),
            Message::Pong(payload) => (Opcode::Pong, payload.clone(), Frame::pong(payload)),
            Message::Close(code, reason) => {
                let mut payload = Vec::new();
                if let Some(code) = code {
                    payload.extend_from_slice(&code.to_be_bytes());
                    payload.extend_from_slice(reason.as_bytes());
                }
                (Opcode::Close, payload.into(), Frame::close_raw(*code, reason))
            }
        };
        expected.push((opcode, payload));
        frame
    }));
    assert_eq!(frame.messages().collect::<Vec<_>>(), expected);

    let mut sent = Vec::new();
    for (opcode, payload) in &expected {
        sent.extend(client_frame(0x80 | opcode.bits(), [9, 0, 255, 30], payload));
    }
    let again = decode(Decoder::new(LIMITS[3]), &sent, [7].iter());
    assert_eq!(again, (messages.to_vec(), Ok(())));
}

/// Frames whose headers are mostly acceptable: of each, a first byte, a length and a mask are taken from the input.
fn frames(mut input: &[u8]) -> Vec<u8> {
    const FIRST: [u8; 12] = [
        0x01, 0x02, 0x00, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A, 0x00, 0x81, 0x01,
    ];
    let mut sent = Vec::new();
    while !input.is_empty() {
        let kind = byte(&mut input);
        let first = FIRST.get(usize::from(kind & 15)).copied().unwrap_or(kind);
        let length = usize::from(byte(&mut input));
        // Long payloads out of short inputs.
        let repeat = match kind & 0x70 {
            0x70 if length == 0xFF => 300,
            0x70 => 5,
            _ => 1,
        };
        let mask = [kind, length as u8, 0, 7];
        let payload = bytes(&mut input, length).repeat(repeat);
        sent.extend(client_frame(first, mask, &payload));
    }
    sent
}
