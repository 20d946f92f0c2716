use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Error, Handshake, Limits, PACKETS_MAX, Packet, decode_payload, encode_payload};
use crate::websocket::{Frame, Opcode};

fn payload_of(frames: &[Frame]) -> String {
    String::from_utf8(encode_payload(frames).to_vec()).expect("a payload is text")
}

#[test]
fn text_packets() {
    let table = [
        ("0{}", Ok(Packet::Open("{}"))),
        ("1", Ok(Packet::Close)),
        ("2", Ok(Packet::Ping(""))),
        ("2probe", Ok(Packet::Ping("probe"))),
        ("3probe", Ok(Packet::Pong("probe"))),
        ("4", Ok(Packet::Text(""))),
        ("4hello €", Ok(Packet::Text("hello €"))),
        ("5", Ok(Packet::Upgrade)),
        ("6", Ok(Packet::Noop)),
        ("", Err(Error::Empty)),
        ("7", Err(Error::UnknownType)),
        ("abc", Err(Error::UnknownType)),
        ("bAQID", Err(Error::UnknownType)),
        ("€", Err(Error::UnknownType)),
    ];
    for (text, packet) in table {
        assert_eq!(Packet::from_text(text), packet, "{text}");
        if let Ok(packet) = packet {
            assert_eq!(packet.to_frame(), Frame::text(text));
        }
    }
}

#[test]
fn binary_packets_are_bare_on_a_websocket() {
    let packet = Packet::from_binary(Bytes::from_static(&[1, 2, 3, 4]));
    assert_eq!(packet.to_frame(), Frame::binary(&[1, 2, 3, 4]));
}

#[test]
fn payloads() {
    let binary = |bytes| Packet::Binary(Bytes::from_static(bytes));
    let table = [
        (
            "4test1\x1e4test2\x1e4test3",
            Ok(vec![
                Packet::Text("test1"),
                Packet::Text("test2"),
                Packet::Text("test3"),
            ]),
        ),
        (
            "4hello\x1ebAQIDBA==",
            Ok(vec![Packet::Text("hello"), binary(&[1, 2, 3, 4])]),
        ),
        ("b", Ok(vec![binary(&[])])),
        ("1", Ok(vec![Packet::Close])),
        ("", Err(Error::Empty)),
        ("\x1e", Err(Error::Empty)),
        ("4a\x1e", Err(Error::Empty)),
        ("4a\x1e\x1e4b", Err(Error::Empty)),
        ("abc", Err(Error::UnknownType)),
        ("bAQIDBA", Err(Error::InvalidBase64)),
        ("bAQIDB===", Err(Error::InvalidBase64)),
        ("b-_-_", Err(Error::InvalidBase64)),
    ];
    for (payload, packets) in table {
        assert_eq!(decode_payload(payload, Limits::default()), packets, "{payload:?}");
    }
}

#[test]
fn a_payload_is_limited_in_packets() {
    let mut payload = vec!["6"; PACKETS_MAX].join("\x1e");
    assert_eq!(
        decode_payload(&payload, Limits::default()).map(|packets| packets.len()),
        Ok(PACKETS_MAX)
    );
    payload.push_str("\x1e6");
    assert_eq!(
        decode_payload(&payload, Limits::default()),
        Err(Error::TooManyPackets)
    );
}

#[test]
fn frames_become_a_payload() {
    let both = Frame::concat([Packet::Text("451-").to_frame(), Frame::binary(&[1, 2, 3, 4])]);
    assert_eq!(
        payload_of(&[both, Frame::ping(b"x"), Packet::Noop.to_frame()]),
        "4451-\x1ebAQIDBA==\x1e6"
    );
    assert_eq!(payload_of(&[]), "");
}

#[test]
fn the_handshake_has_exactly_the_documented_keys() {
    let handshake = Handshake {
        sid: "lv_VI97HAXpY6yYWAAAC",
        upgrades: &["websocket"],
        ping_interval_ms: 300,
        ping_timeout_ms: 200,
        payload_bytes_max: 1_000_000,
    };
    let json = r#"{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}"#;
    assert_eq!(serde_json::to_string(&handshake).expect("JSON"), json);
    assert_eq!(handshake.to_frame(), Packet::Open(json).to_frame());
    let on_websocket = Handshake {
        upgrades: &[],
        ..handshake
    }
    .to_frame();
    let (opcode, payload) = on_websocket.messages().next().expect("one frame");
    assert_eq!(opcode, Opcode::Text);
    assert!(payload.starts_with(br#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"#));
}

proptest! {
    #[test]
    fn payloads_round_trip(contents in vec(prop_oneof![
        "[^\u{1e}]{0,40}".prop_map(|text| (Some(text), Vec::new())),
        vec(any::<u8>(), 0..60).prop_map(|bytes| (None, bytes)),
    ], 1..8)) {
        let packets: Vec<_> = contents.iter().map(|(text, bytes)| match text {
            Some(text) => Packet::Text(text),
            None => Packet::Binary(Bytes::copy_from_slice(bytes)),
        }).collect();
        let frames: Vec<_> = packets.iter().map(Packet::to_frame).collect();
        let payload = payload_of(&frames);
        prop_assert_eq!(decode_payload(&payload, Limits::default()), Ok(packets));
    }

    #[test]
    fn any_payload_is_read_without_panic(payload in "[0-7ab=\u{1e}A-D€]{0,60}") {
        let _ = decode_payload(&payload, Limits { packets_max: 5 });
    }
}
