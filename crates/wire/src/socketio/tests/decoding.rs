use super::{decode, describe};
use crate::socketio::{Error, Kind, Limits, Packet};

/// A packet on one line: type, namespace, acknowledgement id, attachments, payload.
fn line(text: &str) -> String {
    let Packet {
        kind,
        namespace,
        ack,
        payload,
        attachments,
    } = decode(text).expect(text);
    let ack = ack.map_or("-".to_owned(), |ack| ack.to_string());
    format!("{kind:?} {namespace} {ack} {attachments} {}", describe(&payload))
}

#[test]
fn packets_about_namespaces() {
    let table = [
        ("0", "Connect / - 0 -"),
        (r#"0{"token":"123"}"#, r#"Connect / - 0 value {"token":"123"}"#),
        ("0/custom,", "Connect /custom - 0 -"),
        ("0/custom", "Connect /custom - 0 -"),
        (
            r#"0/custom,{"token":"abc"}"#,
            r#"Connect /custom - 0 value {"token":"abc"}"#,
        ),
        ("0/foo?a=b,", "Connect /foo?a=b - 0 -"),
        ("1", "Disconnect / - 0 -"),
        ("1/custom", "Disconnect /custom - 0 -"),
        ("1/custom,", "Disconnect /custom - 0 -"),
        (
            r#"4{"message":"no"}"#,
            r#"ConnectError / - 0 value {"message":"no"}"#,
        ),
        (r#"4"no""#, r#"ConnectError / - 0 value "no""#),
    ];
    for (text, expected) in table {
        assert_eq!(line(text), expected, "{text}");
    }
}

#[test]
fn events_and_acknowledgements() {
    let table = [
        (
            r#"2["message",1,"2",{"3":[true]}]"#,
            r#"Event / - 0 event message 1 "2" {"3":[true]}"#,
        ),
        (r#"2["bare"]"#, "Event / - 0 event bare "),
        (r#"2[""]"#, "Event / - 0 event  "),
        (r#"2["\u00e4"]"#, "Event / - 0 event ä "),
        ("2[1,2]", "Event / - 0 event 1 2"),
        ("2[-1.50,2]", "Event / - 0 event -1.50 2"),
        (r#"2456["message",[]]"#, "Event / 456 0 event message []"),
        (r#"2/admin,456["a",1.0]"#, "Event /admin 456 0 event a 1.0"),
        (r#"20["a"]"#, "Event / 0 0 event a "),
        (
            r#"218446744073709551615["a"]"#,
            "Event / 18446744073709551615 0 event a ",
        ),
        (
            r#"2["a",{"_placeholder":true,"num":7}]"#,
            r#"Event / - 0 event a {"_placeholder":true,"num":7}"#,
        ),
        (r#"2["a","\ud800"]"#, r#"Event / - 0 event a "\ud800""#),
        ("312[]", "Ack / 12 0 ack "),
        (
            r#"3/ns,12[1,{"b":1,"a":2}]"#,
            r#"Ack /ns 12 0 ack 1 {"b":1,"a":2}"#,
        ),
        (r#"51-["a"]"#, "BinaryEvent / - 1 event a "),
        (r#"510-["a"]"#, "BinaryEvent / - 10 event a "),
        (
            r#"51-/ns,9["a",{"_placeholder":true,"num":0}]"#,
            r#"BinaryEvent /ns 9 1 event a {"_placeholder":true,"num":0}"#,
        ),
        (
            r#"62-789[{"_placeholder":true,"num":1}]"#,
            r#"BinaryAck / 789 2 ack {"_placeholder":true,"num":1}"#,
        ),
    ];
    for (text, expected) in table {
        assert_eq!(line(text), expected, "{text}");
    }
}

#[test]
fn violations() {
    let table = [
        ("", Error::Empty),
        ("abc", Error::UnknownType),
        ("7", Error::UnknownType),
        ("€", Error::UnknownType),
        ("0[]", Error::InvalidPayload),
        ("0\"token\"", Error::InvalidPayload),
        ("0null", Error::InvalidPayload),
        ("0{", Error::InvalidPayload),
        ("0{} {}", Error::InvalidPayload),
        ("1{}", Error::InvalidPayload),
        ("1/custom,[]", Error::InvalidPayload),
        ("2", Error::InvalidPayload),
        ("2{}", Error::InvalidPayload),
        ("2[]", Error::InvalidPayload),
        ("2[null]", Error::InvalidPayload),
        ("2[true]", Error::InvalidPayload),
        ("2[{}]", Error::InvalidPayload),
        ("2[[\"a\"]]", Error::InvalidPayload),
        ("2[\"\\ud800\"]", Error::InvalidPayload),
        ("2[\"a\"", Error::InvalidPayload),
        ("2[\"a\"]x", Error::InvalidPayload),
        ("2[\"a\",]", Error::InvalidPayload),
        ("2[\"a\",01]", Error::InvalidPayload),
        ("2abc[\"a\"]", Error::InvalidPayload),
        ("2-1[\"a\"]", Error::InvalidPayload),
        ("218446744073709551616[\"a\"]", Error::InvalidAckId),
        ("2[\"connect\"]", Error::ReservedEvent),
        ("2[\"connect_error\",1]", Error::ReservedEvent),
        ("2[\"disconnect\"]", Error::ReservedEvent),
        ("2[\"disconnecting\"]", Error::ReservedEvent),
        ("2[\"newListener\"]", Error::ReservedEvent),
        ("2[\"removeListener\"]", Error::ReservedEvent),
        ("2[\"\\u0063onnect\"]", Error::ReservedEvent),
        ("51-[\"connect\"]", Error::ReservedEvent),
        ("2/a\u{1e}b,[\"a\"]", Error::InvalidNamespace),
        ("3[]", Error::MissingAckId),
        ("31", Error::InvalidPayload),
        ("31{}", Error::InvalidPayload),
        ("4", Error::InvalidPayload),
        ("4[]", Error::InvalidPayload),
        ("41", Error::InvalidPayload),
        // The reference parser refuses it too, from 4.2.6 on.
        ("50-[\"a\"]", Error::InvalidAttachmentCount),
        ("600-1[]", Error::InvalidAttachmentCount),
        ("5[\"a\"]", Error::InvalidAttachmentCount),
        ("5-[\"a\"]", Error::InvalidAttachmentCount),
        ("51[\"a\"]", Error::InvalidAttachmentCount),
        ("5x-[\"a\"]", Error::InvalidAttachmentCount),
        ("5-1-[\"a\"]", Error::InvalidAttachmentCount),
        ("51.0-[\"a\"]", Error::InvalidAttachmentCount),
        ("511-[\"a\"]", Error::TooManyAttachments),
        ("599999999999999999999999-[\"a\"]", Error::TooManyAttachments),
        ("61-[]", Error::MissingAckId),
    ];
    for (text, error) in table {
        assert_eq!(decode(text).expect_err(text), error, "{text}");
    }
}

#[test]
fn placeholders_name_their_attachments() {
    let found = [
        r#"{"_placeholder":true,"num":0}"#,
        r#"{"num":1,"_placeholder":true}"#,
        r#"{ "_placeholder" : true , "num" : 1 }"#,
        r#"{"a":[1,{"b":{"_placeholder":true,"num":1}}],"c":2}"#,
        r#"{"_placeholder":true,"num":9,"num":0}"#,
        r#"{"_placeholder":true,"_placeholder":false}"#,
        r#"{"_placeholder":true,"_placeholder":[true]}"#,
        r#"{"_placeholder":"true","num":9}"#,
        r#"{"_placeholder":1}"#,
        r#"{"num":9}"#,
        r#"["_placeholder",true,"num",9]"#,
        r#"{"x":"\"_placeholder\":true,{","num":9}"#,
    ];
    let not_found = [
        r#"{"_placeholder":true,"num":2}"#,
        r#"{"_placeholder":true,"num":-1}"#,
        r#"{"_placeholder":true,"num":0.5}"#,
        r#"{"_placeholder":true,"num":"0"}"#,
        r#"{"_placeholder":true,"num":null}"#,
        r#"{"_placeholder":true,"num":[0]}"#,
        r#"{"_placeholder":true}"#,
        r#"{"_placeholder":true,"num":99999999999999999999}"#,
        r#"{"\u005fplaceholder":true,"n\u0075m":2}"#,
        r#"{"_placeholder":true,"num":0,"num":2}"#,
        r#"{"_placeholder":true,"num":0,"num":[0]}"#,
        r#"{"_placeholder":true,"num":0,"num":{"num":0}}"#,
        r#"{"_placeholder":true,"num":0,"x":[{"_placeholder":true,"num":5}]}"#,
        r#"[[[{"a":"b\\","_placeholder":true,"num":2}]]]"#,
    ];
    for arg in found {
        decode(&format!("52-[\"a\",{arg}]")).expect(arg);
        decode(&format!("62-1[{arg}]")).expect(arg);
    }
    for arg in not_found {
        assert_eq!(
            decode(&format!("52-[\"a\",{arg}]")).expect_err(arg),
            Error::InvalidPlaceholder,
            "{arg}"
        );
        assert_eq!(
            decode(&format!("62-1[{arg}]")).expect_err(arg),
            Error::InvalidPlaceholder,
            "{arg}"
        );
        decode(&format!("2[\"a\",{arg}]")).expect("no placeholder without attachments");
    }
}

#[test]
fn limits_hold() {
    let limits = Limits {
        items_max: 3,
        namespace_bytes_max: 4,
        attachments_max: 1,
        ..Limits::default()
    };
    let decode = |text: &str| Packet::decode(text, &limits).map(|packet| packet.kind);
    assert_eq!(decode("2[\"a\",1,2]"), Ok(Kind::Event));
    assert_eq!(decode("2[\"a\",1,2,3]"), Err(Error::TooManyItems));
    assert_eq!(decode("2[\"a\",1,2,3"), Err(Error::InvalidPayload));
    assert_eq!(decode("0/abc"), Ok(Kind::Connect));
    assert_eq!(decode("0/abcd"), Err(Error::InvalidNamespace));
    assert_eq!(decode("52-[\"a\"]"), Err(Error::TooManyAttachments));
}

#[test]
fn deep_nesting_neither_overflows_nor_grows() {
    let deep = format!("[\"a\",{}{}]", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(
        decode(&format!("51-{deep}")).expect_err("too deep"),
        Error::NestedTooDeeply
    );
    decode(&format!("2{deep}")).expect("not searched, hence not limited");
}
