use bytes::Bytes;

use super::describe;
use crate::socketio::{Assembler, Error, Limits};

const HEADER: &str = r#"52-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;

fn limits() -> Limits {
    Limits {
        attachment_bytes_max: 8,
        ..Limits::default()
    }
}

#[test]
fn attachments_complete_their_packet_in_order() {
    let mut assembler = Assembler::default();
    for round in 0..2 {
        let first = Bytes::from_static(&[1, 2, 3]);
        let second = Bytes::from(vec![round]);
        assert!(assembler.text(HEADER, &limits()).expect("a header").is_none());
        assert!(assembler.is_waiting());
        assert!(
            assembler
                .binary(first.clone(), &limits())
                .expect("the first")
                .is_none()
        );
        let (packet, attachments) = assembler
            .binary(second.clone(), &limits())
            .expect("the second")
            .expect("complete");
        assert_eq!(attachments, [first, second]);
        assert!(describe(&packet.payload).starts_with("event message {"));
        assert!(!assembler.is_waiting());
    }
}

#[test]
fn packets_without_attachments_pass_at_once() {
    let mut assembler = Assembler::default();
    for text in ["2[\"a\"]", "0"] {
        let (_, attachments) = assembler.text(text, &limits()).expect(text).expect("complete");
        assert!(attachments.is_empty());
    }
}

#[test]
fn nothing_may_come_between() {
    let mut assembler = Assembler::default();
    assert_eq!(
        assembler.binary(Bytes::new(), &limits()).expect_err("no header"),
        Error::UnexpectedAttachment
    );
    assembler.text(HEADER, &limits()).expect("a header");
    assert_eq!(
        assembler.text("2[\"a\"]", &limits()).expect_err("text"),
        Error::MissingAttachment
    );
}

#[test]
fn attachments_are_limited_together() {
    let mut assembler = Assembler::default();
    assembler.text(HEADER, &limits()).expect("a header");
    assembler
        .binary(Bytes::from_static(&[0; 8]), &limits())
        .expect("within the limit");
    let over = assembler.binary(Bytes::from_static(&[0]), &limits());
    assert_eq!(over.expect_err("over the limit"), Error::AttachmentsTooBig);
    assert!(!assembler.is_waiting());
}

#[test]
fn an_idle_assembler_is_a_pointer() {
    assert_eq!(size_of::<Assembler>(), size_of::<usize>());
}
