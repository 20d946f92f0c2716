use bytes::Bytes;
use serde_json::value::RawValue;

use super::raw;
use crate::engineio::encode_payload;
use crate::socketio::{
    encode_ack, encode_binary_ack, encode_binary_event, encode_connect, encode_connect_error,
    encode_disconnect, encode_event,
};
use crate::websocket::{Frame, Opcode};

const NONE: &[&RawValue] = &[];

#[test]
fn text_packets() {
    let object = raw(r#"{"3":[true], "x":1.00}"#);
    let two = raw("\"2\"");
    let table = [
        (encode_connect("/", "abc"), r#"40{"sid":"abc"}"#),
        (encode_connect("/custom", "abc"), r#"40/custom,{"sid":"abc"}"#),
        (
            encode_connect_error("/random", "Invalid namespace", None),
            r#"44/random,{"message":"Invalid namespace"}"#,
        ),
        (
            encode_connect_error("/", "not \"authorized\"", Some(&raw(r#"{"code":"E1"}"#))),
            r#"44{"message":"not \"authorized\"","data":{"code":"E1"}}"#,
        ),
        (encode_disconnect("/"), "41"),
        (encode_disconnect("/custom"), "41/custom,"),
        (encode_event("/", "bare", NONE, None), r#"42["bare"]"#),
        (
            encode_event("/", "m\n", &[&*two, &*object], None),
            r#"42["m\n","2",{"3":[true], "x":1.00}]"#,
        ),
        (encode_event("/ns", "m", &[&*two], Some(7)), r#"42/ns,7["m","2"]"#),
        (
            encode_ack("/", 456, &[two, object]),
            r#"43456["2",{"3":[true], "x":1.00}]"#,
        ),
        (encode_ack("/ns", u64::MAX, NONE), "43/ns,18446744073709551615[]"),
    ];
    for (frame, text) in table {
        assert_eq!(frame, Frame::text(text));
    }
}

#[test]
fn attachments_follow_in_the_same_frame() {
    let placeholder = raw(r#"{"_placeholder":true,"num":0}"#);
    let attachments = [Bytes::from_static(&[1, 2, 3, 4]), Bytes::from_static(&[5])];
    let event = encode_binary_event("/", "message-back", &[&*placeholder], &attachments, None);
    let messages: Vec<_> = event.messages().collect();
    let text = Bytes::from_static(br#"452-["message-back",{"_placeholder":true,"num":0}]"#);
    let [first, second] = attachments.clone();
    assert_eq!(
        messages,
        [
            (Opcode::Text, text),
            (Opcode::Binary, first),
            (Opcode::Binary, second)
        ]
    );

    let ack = encode_binary_ack("/ns", 789, &[placeholder], &attachments);
    let payload = encode_payload([&ack]);
    let expected = "462-/ns,789[{\"_placeholder\":true,\"num\":0}]\x1ebAQIDBA==\x1ebBQ==";
    assert_eq!(std::str::from_utf8(&payload), Ok(expected));
}
