use super::{FIN, LIMITS, RSV1, client_frame, inflate, inflate_in_pieces};
use crate::close_code::CloseCode;
use crate::websocket::{DecodeError, Decoder, DeflateFigures, Inflater, Message};
use flate2::{Compress, Compression, FlushCompress};
use std::sync::Arc;

const FIRST: u8 = RSV1 | 1;
const WHOLE: u8 = FIN | FIRST;

fn text(text: &str) -> Message {
    Message::Text(text.into())
}

/// A client's compressed payload.
fn deflated(plain: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(plain.len() + 1_000);
    Compress::new(Compression::best(), false)
        .compress_vec(plain, &mut output, FlushCompress::Sync)
        .unwrap();
    output.truncate(output.len() - 4);
    output
}

#[test]
fn the_samples_of_the_rfc_are_read() {
    for (section, payload) in [
        ("7.2.3.1", &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..]),
        ("7.2.3.3", b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"),
        ("7.2.3.4", b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
        ("7.2.3.5", b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
    ] {
        let expected = (vec![text("Hello")], Ok(()));
        assert_eq!(inflate(&client_frame(WHOLE, payload)), expected, "{section}");
        let (head, tail) = payload.split_at(3);
        let fragments = [client_frame(FIRST, head), client_frame(FIN, tail)].concat();
        assert_eq!(inflate(&fragments), expected, "{section}, fragmented");
    }
    // Section 7.2.3.6, whole and behind an empty first fragment.
    let empty = [
        client_frame(WHOLE, b"\0"),
        client_frame(FIRST, b""),
        client_frame(FIN, b"\0"),
    ];
    assert_eq!(inflate(&empty.concat()), (vec![text(""); 2], Ok(())));
}

#[test]
fn plain_messages_and_control_frames_stand_between_compressed_ones() {
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    let input = [
        client_frame(WHOLE, hello),
        client_frame(FIN | 1, b"plain"),
        client_frame(FIRST, &hello[..2]),
        client_frame(FIN | 9, b"ping"),
        client_frame(0, b""),
        client_frame(FIN, &hello[2..]),
        client_frame(FIN | RSV1 | 2, hello),
    ]
    .concat();
    let expected = vec![
        text("Hello"),
        text("plain"),
        Message::Ping("ping".into()),
        text("Hello"),
        Message::Binary("Hello".into()),
    ];
    assert_eq!(inflate(&input), (expected, Ok(())));
}

#[test]
fn what_cannot_be_inflated_is_a_protocol_error() {
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    let long = deflated(&(0..2_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>());
    let table: [(&str, &[u8]); 11] = [
        ("nothing", b""),
        ("reserved block type", b"\x07"),
        ("stops in a block", &hello[..3]),
        ("stops before the empty block", &hello[..5]),
        ("stops in a long block", &long[..long.len() / 2]),
        (
            "keeps the tail",
            b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\x01",
        ),
        ("a stored block without its end", b"\x00\x05\x00\xfa\xff\x48\x65"),
        (
            "a stored block of no length",
            b"\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00",
        ),
        ("refers to the message before", b"\xf2\x00\x11\x00\x00"),
        (
            "another stream behind the first",
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00",
        ),
        ("a zlib header", b"\x78\x9c\xf2\x48\xcd\xc9\xc9\x07\x00"),
    ];
    for (name, payload) in table {
        // A good one before shows that the bad one leaves nothing behind, and is not helped by it.
        let input = [client_frame(WHOLE, hello), client_frame(WHOLE, payload)].concat();
        let expected = (vec![text("Hello")], Err(DecodeError::InvalidDeflate));
        assert_eq!(inflate(&input), expected, "{name}");
    }
    assert_eq!(DecodeError::InvalidDeflate.close_code(), CloseCode::ProtocolError);
    assert_eq!(inflate(&client_frame(WHOLE, hello)).1, Ok(()));
}

#[test]
fn a_final_block_may_go_without_its_last_byte() {
    let input = client_frame(WHOLE, b"\xf3\x48\xcd\xc9\xc9\x07\x00");
    assert_eq!(inflate(&input), (vec![text("Hello")], Ok(())));
}

#[test]
fn rsv1_belongs_on_the_first_frame_of_a_message_alone() {
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    for (name, input) in [
        (
            "continuation",
            [
                client_frame(FIRST, &hello[..2]),
                client_frame(FIN | RSV1, &hello[2..]),
            ]
            .concat(),
        ),
        (
            "plain message's continuation",
            [client_frame(1, b"a"), client_frame(FIN | RSV1, hello)].concat(),
        ),
        ("ping", client_frame(FIN | RSV1 | 9, b"")),
        ("close", client_frame(FIN | RSV1 | 8, b"")),
        ("rsv2", client_frame(WHOLE | 0x20, hello)),
        ("rsv3", client_frame(WHOLE | 0x10, hello)),
        ("reserved opcode", client_frame(FIN | RSV1 | 3, hello)),
    ] {
        assert_eq!(
            inflate(&input),
            (vec![], Err(DecodeError::ReservedBits)),
            "{name}"
        );
    }
}

#[test]
fn inflated_text_is_utf8() {
    for invalid in [&b"\xff"[..], b"ok \xed\xa0\x80", b"cut \xe2\x82"] {
        let input = client_frame(WHOLE, &deflated(invalid));
        assert_eq!(
            inflate(&input),
            (vec![], Err(DecodeError::InvalidUtf8)),
            "{invalid:02x?}"
        );
    }
    // Only the whole is text: a character may lie across fragments.
    let payload = deflated("grüße €".as_bytes());
    for at in 0..payload.len() {
        let input = [
            client_frame(FIRST, &payload[..at]),
            client_frame(FIN, &payload[at..]),
        ]
        .concat();
        assert_eq!(inflate(&input), (vec![text("grüße €")], Ok(())));
    }
}

#[test]
fn the_limit_counts_what_was_inflated() {
    let limit = LIMITS.message_bytes_max as usize;
    let whole = FIN | RSV1 | 2;
    let just = vec![7; limit];
    let input = client_frame(whole, &deflated(&just));
    let expected = (vec![Message::Binary(just.into())], Ok(()));
    assert_eq!(inflate_in_pieces(&input, input.len()), expected);

    let bomb = deflated(&vec![0; 64 * 1024 * 1024]);
    assert!(bomb.len() < LIMITS.frame_bytes_max as usize);
    for payload in [deflated(&vec![7; limit + 1]), bomb] {
        let input = client_frame(whole, &payload);
        let expected = (vec![], Err(DecodeError::MessageTooBig));
        assert_eq!(inflate_in_pieces(&input, input.len()), expected);
    }
}

#[test]
fn what_does_not_compress_may_exceed_the_limit_on_the_wire() {
    // Stored blocks of 100 bytes, five bytes more each.
    let stored = |count: usize| {
        let mut payload = [&[0, 100, 0, !100, 0xFF][..], &[9; 100]].concat().repeat(count);
        payload.push(0);
        payload
    };
    let most = stored(1_000);
    assert!(most.len() > LIMITS.message_bytes_max as usize);
    let frames = |payload: &[u8]| {
        let (head, tail) = payload.split_at(60_000);
        [client_frame(RSV1 | 2, head), client_frame(FIN, tail)].concat()
    };
    let input = frames(&most);
    let expected = (vec![Message::Binary(vec![9; 100_000].into())], Ok(()));
    assert_eq!(inflate_in_pieces(&input, input.len()), expected);
    let input = frames(&stored(1_100));
    let expected = (vec![], Err(DecodeError::MessageTooBig));
    assert_eq!(inflate_in_pieces(&input, input.len()), expected);
}

#[test]
fn what_was_inflated_is_counted() {
    let inflater = Arc::new(Inflater::default());
    let mut decoder = Decoder::new(LIMITS).with_inflater(Some(inflater.clone()));
    let mut input = client_frame(WHOLE, b"\xf2\x48\xcd\xc9\xc9\x07\x00").repeat(3);
    input.extend(client_frame(FIN | 1, b"plain"));
    decoder.decode(&mut input, &mut Vec::new()).unwrap();
    let expected = DeflateFigures {
        messages: 3,
        plain_bytes: 15,
        deflated_bytes: 21,
    };
    assert_eq!(inflater.figures(), expected);
}
