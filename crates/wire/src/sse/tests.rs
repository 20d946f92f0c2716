use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Encoder, SHARED_BYTES_MIN};
use crate::close_code::CloseCode;
use crate::websocket::Frame;

/// What a client dispatches: an event's name, `message` without one, and its data.
type Event = (String, String);

/// A client by WHATWG HTML, section 9.2.6, as far as the server uses it.
#[derive(Default)]
struct Client {
    events: Vec<Event>,
    retry_ms: Option<u64>,
    comments: usize,
}

impl Client {
    fn reading(stream: &str) -> Client {
        let stream = stream.strip_prefix('\u{FEFF}').unwrap_or(stream);
        let lines = stream.replace("\r\n", "\n").replace('\r', "\n");
        assert!(stream.is_empty() || lines.ends_with("\n\n"), "{stream:?}");
        let mut client = Client::default();
        let (mut name, mut data) = (String::new(), String::new());
        for line in lines.split('\n') {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if line.is_empty() => {
                    if let Some(data) = data.strip_suffix('\n') {
                        let name = if name.is_empty() { "message" } else { &name };
                        client.events.push((name.to_owned(), data.to_owned()));
                    }
                    (name, data) = (String::new(), String::new());
                }
                "" => client.comments += 1,
                "event" => value.clone_into(&mut name),
                "data" => data.extend([value, "\n"]),
                "retry" => client.retry_ms = Some(value.parse().unwrap()),
                field => panic!("field {field:?}"),
            }
        }
        client
    }
}

fn message(data: &str) -> Event {
    ("message".to_owned(), data.to_owned())
}

fn written(write: impl FnOnce(&mut Encoder)) -> String {
    let mut encoder = Encoder::default();
    write(&mut encoder);
    String::from_utf8(encoder.finish().concat()).unwrap()
}

#[test]
fn exact_bytes() {
    let frames = |frames: &[Frame]| written(|encoder| frames.iter().for_each(|frame| encoder.frame(frame)));
    let table = [
        (frames(&[]), ""),
        (
            frames(&[Frame::text(r#"{"a":"b c"}"#)]),
            "data: {\"a\":\"b c\"}\n\n",
        ),
        (frames(&[Frame::text("")]), "data: \n\n"),
        (frames(&[Frame::text(" x")]), "data:  x\n\n"),
        (
            frames(&[Frame::text("a\nb\r\nc\rd\n")]),
            "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n",
        ),
        (frames(&[Frame::text("\n\r")]), "data: \ndata: \ndata: \n\n"),
        (
            frames(&[Frame::concat([
                Frame::text("1"),
                Frame::ping(b"x"),
                Frame::text("2"),
            ])]),
            "data: 1\n\n:\n\ndata: 2\n\n",
        ),
        (
            frames(&[
                Frame::binary(b"1"),
                Frame::pong(b""),
                Frame::close(CloseCode::Normal),
            ]),
            "",
        ),
        (
            written(|encoder| encoder.retry(Duration::from_micros(1_500_999))),
            "retry: 1500\n\n",
        ),
        (
            written(|encoder| encoder.end(CloseCode::TokenExpired, None)),
            "event: close\ndata: {\"code\":4408,\"reason\":\"token_expired\",\"retry_ms\":null}\n\n",
        ),
        (
            written(|encoder| encoder.end(CloseCode::ShuttingDown, Some(Duration::from_secs(2)))),
            "retry: 2000\nevent: close\ndata: {\"code\":1001,\"reason\":\"shutting_down\",\"retry_ms\":2000}\n\n",
        ),
    ];
    for (stream, expected) in table {
        assert_eq!(stream, expected);
    }
}

#[test]
fn every_end_is_json_that_a_client_reads() {
    for code in CloseCode::ALL {
        let client = Client::reading(&written(|encoder| {
            encoder.end(*code, Some(Duration::from_millis(7)));
        }));
        let [(name, data)] = &client.events[..] else {
            panic!("one event");
        };
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        let expected = serde_json::json!({"code": code.code(), "reason": code.reason(), "retry_ms": 7});
        assert_eq!((name.as_str(), data), ("close", expected));
        assert_eq!(client.retry_ms, Some(7));
    }
}

#[test]
fn large_payloads_are_shared_and_not_copied() {
    let large = "x".repeat(SHARED_BYTES_MIN);
    let frame = Frame::text(&large);
    let mut encoder = Encoder::default();
    for frame in [&Frame::text("before"), &frame, &Frame::text("after")] {
        encoder.frame(frame);
    }
    assert_eq!(encoder.messages(), 3);
    let pieces = encoder.finish();
    assert_eq!(pieces.len(), 3);
    assert_eq!(&pieces[0][..], b"data: before\n\ndata: ");
    assert_eq!(&pieces[2][..], b"\n\ndata: after\n\n");
    let payload = frame.messages().next().unwrap().1;
    assert_eq!(pieces[1].as_ptr(), payload.as_ptr());

    // One that holds a line end must be taken apart.
    let split = format!("{large}\n{large}");
    let stream = written(|encoder| encoder.frame(&Frame::text(&split)));
    assert_eq!(Client::reading(&stream).events, [message(&split)]);
}

/// Texts with many line ends, and now and then a large one.
fn payload() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a\u{e4}: {}\"\r\n\u{0}]{0,40}",
        4 => "\\PC{0,90}",
        1 => (SHARED_BYTES_MIN - 2..SHARED_BYTES_MIN + 3).prop_map(|length| "y".repeat(length)),
    ]
}

proptest! {
    #[test]
    fn a_client_reads_what_was_sent(sent in vec((payload(), any::<bool>()), 0..20)) {
        let stream = written(|encoder| {
            for (text, with_ping) in &sent {
                encoder.frame(&Frame::text(text));
                if *with_ping {
                    encoder.frame(&Frame::ping(b""));
                }
            }
            assert_eq!(encoder.messages(), sent.len());
        });
        let client = Client::reading(&stream);
        let expected: Vec<_> = sent
            .iter()
            .map(|(text, _)| message(&text.replace("\r\n", "\n").replace('\r', "\n")))
            .collect();
        prop_assert_eq!(client.events, expected);
        prop_assert_eq!(client.comments, sent.iter().filter(|(_, with_ping)| *with_ping).count());
    }
}
