//! Engine.IO packets and payloads: what was read is written the same.

use tidings_wire::engineio::{Error, Limits, Packet, decode_payload, encode_payload};
use tidings_wire::websocket::Opcode;

use crate::pieces::byte;

/// The first byte is the limit of packets.
pub(crate) fn run(mut input: &[u8]) {
    let packets_max = usize::from(byte(&mut input));
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    packet(text);
    payload(text, Limits { packets_max });
}

fn packet(text: &str) {
    let Ok(packet) = Packet::from_text(text) else {
        return;
    };
    let frame = packet.to_frame();
    let mut messages = frame.messages();
    let (opcode, content) = messages.next().expect("a packet is one message");
    assert_eq!((opcode, messages.next()), (Opcode::Text, None));
    let written = std::str::from_utf8(&content).expect("a text packet is text");
    assert_eq!(Packet::from_text(written).as_ref(), Ok(&packet));
    if !matches!(packet, Packet::Close | Packet::Upgrade | Packet::Noop) {
        assert_eq!(written, text);
    }
}

fn payload(text: &str, limits: Limits) {
    let pieces = text.split('\u{1e}').count();
    let packets = match decode_payload(text, limits) {
        Ok(packets) => packets,
        Err(Error::TooManyPackets) => return assert!(pieces > limits.packets_max),
        Err(_) => return,
    };
    assert_eq!(packets.len(), pieces);
    assert!(pieces <= limits.packets_max);
    let frames: Vec<_> = packets.iter().map(Packet::to_frame).collect();
    let written = encode_payload(&frames);
    let written = std::str::from_utf8(&written).expect("a payload is text");
    assert_eq!(decode_payload(written, limits), Ok(packets));
}
