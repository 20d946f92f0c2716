//! Socket.IO packets and their assembly: what was read is written so that it reads the same, and placeholders are judged
//! as by somebody who reads the JSON.

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;
use tidings_wire::socketio::{
    Assembler, Kind, Limits, Packet, Payload, encode_ack, encode_binary_ack, encode_binary_event,
    encode_disconnect, encode_event,
};
use tidings_wire::websocket::{Frame, Opcode};

use crate::pieces::{byte, bytes};

/// One session: messages, each with its length in front; the top bit makes it binary.
pub(crate) fn run(mut input: &[u8]) {
    let limits = if byte(&mut input) & 1 == 0 {
        Limits::default()
    } else {
        Limits {
            attachments_max: 2,
            attachment_bytes_max: 20,
            namespace_bytes_max: 8,
            items_max: 3,
        }
    };
    let mut assembler = Assembler::default();
    while !input.is_empty() {
        let head = byte(&mut input);
        // 127 is the whole rest.
        let length = match head & 0x7F {
            127 => input.len(),
            length => usize::from(length),
        };
        let message = bytes(&mut input, length);
        let result = if head & 0x80 == 0 {
            let Ok(text) = std::str::from_utf8(message) else {
                return;
            };
            assembler.text(text, &limits)
        } else {
            assembler.binary(Bytes::copy_from_slice(message), &limits)
        };
        match result {
            Ok(Some((packet, attachments))) => {
                assert!(!assembler.is_waiting());
                check(&packet, &attachments, &limits);
            }
            Ok(None) => assert!(assembler.is_waiting()),
            // The transport is closed.
            Err(_) => return,
        }
    }
}

fn check(packet: &Packet, attachments: &[Bytes], limits: &Limits) {
    assert_eq!(packet.attachments, attachments.len());
    assert!(attachments.len() <= limits.attachments_max);
    assert!(attachments.iter().map(Bytes::len).sum::<usize>() <= limits.attachment_bytes_max);
    assert!(packet.namespace.starts_with('/') && packet.namespace.len() <= limits.namespace_bytes_max);
    assert!(packet.kind.is_binary() || attachments.is_empty());
    let frame = match (&packet.payload, packet.kind) {
        (Payload::Event { name, args }, kind) => {
            assert!(args.len() < limits.items_max);
            check_placeholders(packet.kind, args, attachments);
            if kind == Kind::BinaryEvent {
                encode_binary_event(&packet.namespace, name, args, attachments, packet.ack)
            } else {
                encode_event(&packet.namespace, name, args, packet.ack)
            }
        }
        (Payload::Ack(items), kind) => {
            assert!(items.len() <= limits.items_max);
            check_placeholders(packet.kind, items, attachments);
            let id = packet.ack.expect("an acknowledgement has an id");
            if kind == Kind::BinaryAck {
                encode_binary_ack(&packet.namespace, id, items, attachments)
            } else {
                encode_ack(&packet.namespace, id, items)
            }
        }
        (Payload::None, Kind::Disconnect) => encode_disconnect(&packet.namespace),
        _ => return,
    };
    let (again, attachments_again) = decode(&frame, limits).expect("what is written can be read");
    let mut expected = packet.clone();
    if expected.kind == Kind::Disconnect {
        // A number there means nothing and is not written.
        expected.ack = None;
    }
    assert_eq!(
        describe(&again, &attachments_again),
        describe(&expected, attachments)
    );
}

fn decode(frame: &Frame, limits: &Limits) -> Option<(Packet, Vec<Bytes>)> {
    // A numeric name is written as a string, which changes nothing in the limits.
    let mut assembler = Assembler::default();
    let mut packet = None;
    for (opcode, content) in frame.messages() {
        assert!(packet.is_none(), "a message behind the whole packet");
        packet = if opcode == Opcode::Binary {
            assembler.binary(content, limits).ok()?
        } else {
            let text = std::str::from_utf8(&content).ok()?;
            assembler.text(text.strip_prefix('4')?, limits).ok()?
        };
    }
    packet
}

fn describe(packet: &Packet, attachments: &[Bytes]) -> String {
    let join = |items: &[Box<RawValue>]| items.iter().map(|item| item.get()).collect::<Vec<_>>().join("\n");
    let payload = match &packet.payload {
        Payload::None => String::new(),
        Payload::Value(value) => value.get().to_owned(),
        Payload::Event { name, args } => format!("{name:?} {}", join(args)),
        Payload::Ack(items) => join(items),
    };
    format!(
        "{:?} {} {:?} {payload} {attachments:?}",
        packet.kind, packet.namespace, packet.ack
    )
}

/// A client that gets a placeholder without an attachment fails; of the JSON that was let through there is none.
fn check_placeholders(kind: Kind, items: &[Box<RawValue>], attachments: &[Bytes]) {
    if !kind.is_binary() {
        return;
    }
    for item in items {
        // What is nested too deeply for this reader the decoder has refused or counts no level of.
        if let Ok(value) = serde_json::from_str(item.get()) {
            check_value(&value, attachments.len());
        }
    }
}

fn check_value(value: &Value, attachments: usize) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| check_value(item, attachments)),
        Value::Object(members) => {
            if members.get("_placeholder") == Some(&Value::Bool(true)) {
                let number = members.get("num").and_then(Value::as_f64);
                let fits = number.is_some_and(|number| {
                    number >= 0.0 && number < attachments as f64 && number.fract() == 0.0
                });
                assert!(fits, "a placeholder without an attachment");
            }
            members
                .values()
                .for_each(|member| check_value(member, attachments));
        }
        _ => {}
    }
}
