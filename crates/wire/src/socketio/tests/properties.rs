use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::{describe, raw};
use crate::socketio::{
    Assembler, Kind, Limits, Packet, Payload, encode_ack, encode_binary_event, encode_event,
};
use crate::websocket::{Frame, Opcode};

fn json() -> impl Strategy<Value = Box<RawValue>> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        "-?[1-9][0-9]{0,30}(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,4})?",
        any::<String>().prop_map(|text| serde_json::to_string(&text).expect("a string")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" , "))),
            vec(("[a-z]{0,3}", inner), 0..4).prop_map(|members| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(key, value)| format!("\"{key}\": {value}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
    .prop_map(|text| raw(&text))
}

fn namespace() -> impl Strategy<Value = String> {
    prop_oneof![Just("/".to_owned()), "/[a-z0-9?=/_-]{1,20}"]
}

/// Feeds a frame's messages to an assembler, as a client's Engine.IO messages would be.
fn assemble(frame: &Frame) -> (Packet, Vec<Bytes>) {
    let (mut assembler, limits) = (Assembler::default(), Limits::default());
    for (opcode, payload) in frame.messages() {
        let complete = if opcode == Opcode::Text {
            let text = std::str::from_utf8(&payload)
                .expect("text")
                .strip_prefix('4')
                .expect("a message");
            assembler.text(text, &limits)
        } else {
            assembler.binary(payload, &limits)
        };
        if let Some(complete) = complete.expect("what was encoded decodes") {
            return complete;
        }
    }
    panic!("the packet is incomplete");
}

fn texts(items: &[Box<RawValue>]) -> Vec<&str> {
    items.iter().map(|item| item.get()).collect()
}

proptest! {
    #[test]
    fn events_round_trip(namespace in namespace(), name in "x\\PC{0,20}", args in vec(json(), 0..4), ack in any::<Option<u64>>()) {
        let (packet, attachments) = assemble(&encode_event(&namespace, &name, &args, ack));
        prop_assert!(attachments.is_empty());
        prop_assert_eq!((packet.kind, &*packet.namespace, packet.ack), (Kind::Event, &*namespace, ack));
        let Payload::Event { name: read_name, args: read_args } = packet.payload else {
            panic!("an event has an event's payload");
        };
        prop_assert_eq!(read_name, name);
        prop_assert_eq!(texts(&read_args), texts(&args));
    }

    #[test]
    fn acknowledgements_round_trip(namespace in namespace(), args in vec(json(), 0..4), id in any::<u64>()) {
        let (packet, _) = assemble(&encode_ack(&namespace, id, &args));
        prop_assert_eq!((packet.kind, &*packet.namespace, packet.ack), (Kind::Ack, &*namespace, Some(id)));
        prop_assert_eq!(describe(&packet.payload), format!("ack {}", texts(&args).join(" ")));
    }

    #[test]
    fn attachments_round_trip(namespace in namespace(), contents in vec(vec(any::<u8>(), 0..200), 1..=10)) {
        let attachments: Vec<_> = contents.into_iter().map(Bytes::from).collect();
        let args: Vec<_> = (0..attachments.len())
            .map(|number| raw(&format!("{{\"deep\":[{{\"_placeholder\":true,\"num\":{number}}}]}}")))
            .collect();
        let frame = encode_binary_event(&namespace, "files", &args, &attachments, None);
        let (packet, read) = assemble(&frame);
        prop_assert_eq!(packet.kind, Kind::BinaryEvent);
        prop_assert_eq!(read, attachments);
    }

    #[test]
    fn any_text_is_read_without_panic(text in "[0-7][-0-9/,a\\[\\]{}\":_€\\\\ ]{0,40}", anything in any::<String>()) {
        let _ = Packet::decode(&text, &Limits::default());
        let _ = Packet::decode(&anything, &Limits::default());
    }

    /// A placeholder is found wherever it stands.
    #[test]
    fn wrong_placeholders_are_found(before in json(), after in json(), depth in 0..20_usize, number in 2..100_u32) {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        let bad = format!("{{\"x\":{before},\"_placeholder\":true,\"num\":{number},\"y\":{after}}}");
        let text = format!("52-[\"a\",{before},{open}{bad}{close},{after}]");
        prop_assert!(Packet::decode(&text, &Limits::default()).is_err());
        let good = text.replace(&format!("\"num\":{number}"), "\"num\":1");
        prop_assert!(Packet::decode(&good, &Limits::default()).is_ok());
    }
}
