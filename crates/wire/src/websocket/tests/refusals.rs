use super::{FIN, client_frame, decode};
use crate::close_code::CloseCode;
use crate::websocket::{DecodeError, Decoder, Limits};

fn cut(mut frame: Vec<u8>, length: usize) -> Vec<u8> {
    frame.truncate(length);
    frame
}

#[test]
fn broken_frames_are_refused() {
    let table = [
        ("unmasked", b"\x81\x05Hello".to_vec(), DecodeError::Unmasked),
        (
            "unmasked, header only",
            b"\x81\x05".to_vec(),
            DecodeError::Unmasked,
        ),
        ("rsv1", client_frame(FIN | 0x41, b"x"), DecodeError::ReservedBits),
        ("rsv2", client_frame(FIN | 0x21, b"x"), DecodeError::ReservedBits),
        ("rsv3", client_frame(FIN | 0x11, b"x"), DecodeError::ReservedBits),
        (
            "rsv1 on a ping",
            client_frame(FIN | 0x49, b"x"),
            DecodeError::ReservedBits,
        ),
        (
            "opcode 3",
            client_frame(FIN | 3, b""),
            DecodeError::ReservedOpcode,
        ),
        (
            "opcode 7",
            client_frame(FIN | 7, b"x"),
            DecodeError::ReservedOpcode,
        ),
        (
            "opcode 11",
            client_frame(FIN | 0xB, b""),
            DecodeError::ReservedOpcode,
        ),
        (
            "opcode 15",
            client_frame(FIN | 0xF, b"x"),
            DecodeError::ReservedOpcode,
        ),
        (
            "fragmented ping",
            client_frame(9, b"x"),
            DecodeError::FragmentedControl,
        ),
        (
            "fragmented close",
            client_frame(8, b""),
            DecodeError::FragmentedControl,
        ),
        (
            "ping of 126",
            cut(client_frame(FIN | 9, &[0; 126]), 2),
            DecodeError::ControlTooLong,
        ),
        (
            "close of 126",
            client_frame(FIN | 8, &[0; 126]),
            DecodeError::ControlTooLong,
        ),
        (
            "continuation first",
            client_frame(FIN, b"x"),
            DecodeError::UnexpectedContinuation,
        ),
        (
            "continuation first, open",
            client_frame(0, b"x"),
            DecodeError::UnexpectedContinuation,
        ),
        (
            "close of one byte",
            client_frame(FIN | 8, b"\x03"),
            DecodeError::TruncatedCloseCode,
        ),
    ];
    for (name, input, error) in table {
        assert_eq!(decode(&input), (vec![], Err(error)), "{name}");
    }
}

#[test]
fn lengths_are_refused() {
    let table = [
        (
            "125 in 16 bits",
            b"\x82\xfe\x00\x7d".to_vec(),
            DecodeError::LengthNotMinimal,
        ),
        (
            "0xffff in 64 bits",
            b"\x82\xff\0\0\0\0\0\0\xff\xff".to_vec(),
            DecodeError::LengthNotMinimal,
        ),
        (
            "top bit",
            b"\x82\xff\x80\0\0\0\0\x01\0\0".to_vec(),
            DecodeError::LengthTopBit,
        ),
        (
            "frame limit",
            cut(client_frame(FIN | 2, &vec![0; 70_001]), 14),
            DecodeError::FrameTooBig,
        ),
        (
            "frame limit, 2^62",
            b"\x82\xff\x40\0\0\0\0\0\0\0mask".to_vec(),
            DecodeError::FrameTooBig,
        ),
    ];
    for (name, input, error) in table {
        assert_eq!(decode(&input), (vec![], Err(error)), "{name}");
    }
}

#[test]
fn messages_inside_messages_are_refused() {
    for first in [1, FIN | 1, 2, FIN | 2] {
        let input = [client_frame(1, b"a"), client_frame(first, b"b")].concat();
        assert_eq!(
            decode(&input),
            (vec![], Err(DecodeError::ExpectedContinuation)),
            "{first}"
        );
    }
    let after_the_end = [
        client_frame(1, b"a"),
        client_frame(FIN, b"b"),
        client_frame(FIN, b"c"),
    ]
    .concat();
    assert_eq!(decode(&after_the_end).1, Err(DecodeError::UnexpectedContinuation));
}

#[test]
fn close_codes_that_must_not_be_sent() {
    for code in [
        0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535_u16,
    ] {
        let input = client_frame(FIN | 8, &code.to_be_bytes());
        assert_eq!(
            decode(&input),
            (vec![], Err(DecodeError::InvalidCloseCode(code))),
            "{code}"
        );
    }
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    let table: [&[u8]; 12] = [
        b"\xff",
        b"\x80",
        b"\xc0\xaf",
        b"\xc3",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
        b"\xed\xbf\xbf",
        b"\xe0\x80\x80",
        b"\xf0\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"ok\xe2\x82",
    ];
    for payload in table {
        let refused = (vec![], Err(DecodeError::InvalidUtf8));
        assert_eq!(decode(&client_frame(FIN | 1, payload)), refused, "{payload:02x?}");
        let fragments = [client_frame(1, payload), client_frame(FIN, b"")].concat();
        assert_eq!(decode(&fragments), refused, "{payload:02x?} in fragments");
        let reason = client_frame(FIN | 8, &[b"\x03\xe8", payload].concat());
        assert_eq!(decode(&reason), refused, "{payload:02x?} as a reason");
    }
}

/// The connection fails when the bad byte arrives, not when its frame or message ends.
#[test]
fn utf8_fails_fast() {
    let good = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4";
    let bad = b"\x90\x80\x80edited";
    let in_one_frame = client_frame(FIN | 1, &[&good[..], bad].concat());
    let up_to_bad = in_one_frame.len() - bad.len() + 1;
    let fragments = [client_frame(1, good), client_frame(0, bad)].concat();
    let up_to_bad_fragment = fragments.len() - bad.len() + 1;
    for (input, length) in [(in_one_frame, up_to_bad), (fragments, up_to_bad_fragment)] {
        assert_eq!(decode(&input[..length - 1]), (vec![], Ok(())));
        assert_eq!(decode(&input[..length]), (vec![], Err(DecodeError::InvalidUtf8)));
    }
}

#[test]
fn messages_over_the_limits_are_refused_by_their_header() {
    let opening = client_frame(2, &vec![0; 60_000]);
    let mut header = client_frame(FIN, &vec![0; 40_001]);
    header.truncate(8);
    let input = [opening, header].concat();
    assert_eq!(decode(&input), (vec![], Err(DecodeError::MessageTooBig)));

    let fragments: Vec<u8> = (0..9)
        .flat_map(|index| client_frame(if index == 0 { 2 } else { 0 }, b""))
        .collect();
    assert_eq!(decode(&fragments), (vec![], Err(DecodeError::TooManyFragments)));
    assert_eq!(decode(&fragments[..fragments.len() - 6]), (vec![], Ok(())));
}

#[test]
fn a_declared_length_alone_allocates_little() {
    let limits = Limits {
        frame_bytes_max: u32::MAX,
        message_bytes_max: u32::MAX,
        fragments_max: 2,
    };
    let mut decoder = Decoder::new(limits);
    let mut out = Vec::new();
    let mut input = b"\x82\xff\0\0\0\0\xff\0\0\0mask one".to_vec();
    assert_eq!(decoder.decode(&mut input, &mut out), Ok(()));
    assert!(
        decoder.buffered_capacity() <= 64 * 1024,
        "{}",
        decoder.buffered_capacity()
    );
}

#[test]
fn every_error_has_its_close_code() {
    assert_eq!(DecodeError::Unmasked.close_code(), CloseCode::ProtocolError);
    assert_eq!(
        DecodeError::InvalidCloseCode(1005).close_code(),
        CloseCode::ProtocolError
    );
    assert_eq!(DecodeError::InvalidUtf8.close_code(), CloseCode::InvalidUtf8);
    assert_eq!(DecodeError::FrameTooBig.close_code(), CloseCode::MessageTooBig);
    assert_eq!(DecodeError::MessageTooBig.close_code(), CloseCode::MessageTooBig);
    assert_eq!(
        DecodeError::TooManyFragments.close_code(),
        CloseCode::MessageTooBig
    );
}
