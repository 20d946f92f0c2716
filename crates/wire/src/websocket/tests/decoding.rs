use bytes::Bytes;

use super::{FIN, LIMITS, client_frame, decode};
use crate::websocket::{Decoder, Message};

fn text(text: &str) -> Message {
    Message::Text(text.into())
}

fn binary(bytes: &[u8]) -> Message {
    Message::Binary(Bytes::copy_from_slice(bytes))
}

#[test]
fn an_idle_decoder_is_small() {
    assert!(size_of::<Decoder>() <= 48, "{}", size_of::<Decoder>());
}

#[test]
fn the_masked_hello_of_the_rfc() {
    let input = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(decode(&input), (vec![text("Hello")], Ok(())));
}

#[test]
fn payloads_of_every_length_class() {
    for length in [0, 1, 7, 8, 9, 125, 126, 127, 128, 65_535, 65_536, 65_537] {
        let payload: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        assert_eq!(
            decode(&client_frame(FIN | 2, &payload)),
            (vec![binary(&payload)], Ok(())),
            "{length}"
        );
        let letters = "*".repeat(length);
        assert_eq!(
            decode(&client_frame(FIN | 1, letters.as_bytes())),
            (vec![text(&letters)], Ok(())),
            "{length}"
        );
    }
}

#[test]
fn fragments_with_control_frames_between_them() {
    let input = [
        client_frame(1, b"frag"),
        client_frame(FIN | 9, b"are you there"),
        client_frame(0, b""),
        client_frame(FIN | 0xA, b""),
        client_frame(0, b"me"),
        client_frame(FIN, b"nt"),
        client_frame(2, &[1, 2]),
        client_frame(FIN, &[3]),
        client_frame(FIN | 1, b"next"),
    ];
    let expected = vec![
        Message::Ping(Bytes::from_static(b"are you there")),
        Message::Pong(Bytes::new()),
        text("fragment"),
        binary(&[1, 2, 3]),
        text("next"),
    ];
    assert_eq!(decode(&input.concat()), (expected, Ok(())));
}

#[test]
fn characters_may_be_split_between_fragments() {
    let word = "κόσμε𝄞";
    for split in 0..=word.len() {
        let (head, tail) = word.as_bytes().split_at(split);
        let input = [client_frame(1, head), client_frame(FIN, tail)].concat();
        assert_eq!(decode(&input), (vec![text(word)], Ok(())), "{split}");
    }
}

#[test]
fn nothing_is_decoded_after_a_close() {
    let input = [
        client_frame(FIN | 8, b"\x03\xe8bye"),
        client_frame(FIN | 1, b"late"),
        vec![0xFF; 4],
    ]
    .concat();
    assert_eq!(
        decode(&input),
        (vec![Message::Close(Some(1000), "bye".to_owned())], Ok(()))
    );
}

#[test]
fn close_codes_that_may_be_sent() {
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999_u16,
    ] {
        let input = client_frame(FIN | 8, &code.to_be_bytes());
        assert_eq!(
            decode(&input),
            (vec![Message::Close(Some(code), String::new())], Ok(())),
            "{code}"
        );
    }
    assert_eq!(
        decode(&client_frame(FIN | 8, b"")),
        (vec![Message::Close(None, String::new())], Ok(()))
    );
}

#[test]
fn messages_before_an_error_are_delivered_and_input_after_it_is_ignored() {
    let mut decoder = Decoder::new(LIMITS);
    let mut out = Vec::new();
    let mut input = [client_frame(FIN | 1, b"good"), client_frame(FIN | 3, b"bad")].concat();
    decoder
        .decode(&mut input, &mut out)
        .expect_err("a reserved opcode");
    assert_eq!(out, [text("good")]);
    assert!(decoder.is_finished());
    assert_eq!(
        decoder.decode(&mut client_frame(FIN | 1, b"more"), &mut out),
        Ok(())
    );
    assert_eq!(out.len(), 1);
}

#[test]
fn a_message_of_the_limits_passes() {
    let half = vec![5; 50_000];
    let input = [client_frame(2, &half), client_frame(FIN, &half)].concat();
    assert_eq!(decode(&input), (vec![binary(&vec![5; 100_000])], Ok(())));
}
