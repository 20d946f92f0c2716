use bytes::Bytes;

use crate::close_code::CloseCode;
use crate::websocket::{Frame, Opcode, accept_key};

#[test]
fn the_examples_of_the_rfc() {
    assert_eq!(
        accept_key("dGhlIHNhbXBsZSBub25jZQ=="),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    assert_eq!(&Frame::text("Hello").as_bytes()[..], b"\x81\x05Hello");
    assert_eq!(&Frame::ping(b"Hello").as_bytes()[..], b"\x89\x05Hello");
    assert_eq!(&Frame::binary(&[7; 256]).as_bytes()[..5], b"\x82\x7e\x01\x00\x07");
    assert_eq!(
        &Frame::binary(&vec![7; 65_536]).as_bytes()[..11],
        b"\x82\x7f\0\0\0\0\0\x01\0\0\x07"
    );
}

#[test]
fn headers_are_minimal() {
    for (payload, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
        assert_eq!(
            Frame::binary(&vec![0; payload]).len(),
            header + payload,
            "{payload}"
        );
    }
}

#[test]
fn close_frames() {
    let table = [
        (Frame::close(CloseCode::Normal), &b"\x88\x02\x03\xe8"[..]),
        (
            Frame::close(CloseCode::ShuttingDown),
            b"\x88\x0f\x03\xe9shutting_down",
        ),
        (
            Frame::close(CloseCode::SlowConsumer),
            b"\x88\x0f\x11\x9cslow_consumer",
        ),
        (Frame::close_raw(None, "lost"), b"\x88\x00"),
        (Frame::close_raw(Some(3000), ""), b"\x88\x02\x0b\xb8"),
    ];
    for (frame, bytes) in table {
        assert_eq!(&frame.as_bytes()[..], bytes);
    }
}

#[test]
fn control_payloads_are_cut_to_their_limit() {
    assert_eq!(Frame::pong(&[1; 300]).len(), 127);
    let long = Frame::close_raw(Some(1000), &"ä".repeat(100));
    let (_, payload) = long.messages().next().expect("one frame");
    assert_eq!(
        std::str::from_utf8(&payload[2..])
            .expect("cut between characters")
            .chars()
            .count(),
        61
    );
}

#[test]
fn messages_come_back_as_slices_of_the_buffer() {
    let large = "x".repeat(70_000);
    let frame = Frame::concat([
        Frame::text("one"),
        Frame::binary(&[1; 200]),
        Frame::concat([]),
        Frame::text(&large),
        Frame::text(""),
    ]);
    let messages: Vec<_> = frame.messages().collect();
    let expected = [
        (Opcode::Text, Bytes::from_static(b"one")),
        (Opcode::Binary, Bytes::from(vec![1; 200])),
        (Opcode::Text, Bytes::from(large)),
        (Opcode::Text, Bytes::new()),
    ];
    assert_eq!(messages, expected);
    let buffer = frame.as_bytes().as_ptr_range();
    assert!(
        messages
            .iter()
            .all(|(_, payload)| buffer.contains(&payload.as_ptr()) || payload.is_empty())
    );
}

#[test]
fn one_frame_is_concatenated_without_a_copy() {
    let frame = Frame::text("one");
    let same = Frame::concat([frame.clone()]);
    assert_eq!(same.as_bytes().as_ptr(), frame.as_bytes().as_ptr());
    assert!(Frame::concat([]).is_empty());
}
