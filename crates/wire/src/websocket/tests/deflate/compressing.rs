use super::{FIN, RSV1, reference};
use crate::close_code::CloseCode;
use crate::websocket::{DeflateFigures, Deflater, Deflation, Frame, Opcode, WindowBits};

fn deflater(threshold_bytes: usize) -> Deflater {
    Deflater::new(Deflation {
        threshold_bytes,
        ..Deflation::default()
    })
}

/// Text that repeats itself at distances from 300 to 50,000 bytes.
fn repeating() -> String {
    let words: Vec<String> = (0..6_000_u32)
        .map(|n| format!("{:08x}", n.wrapping_mul(2_654_435_761)))
        .collect();
    let sizes = std::iter::successors(Some(40), |size| Some(size * 5 / 4)).take_while(|size| *size < 6_000);
    sizes.map(|size| words[..size].join(" ").repeat(3)).collect()
}

#[test]
fn every_window_is_kept_to_at_every_level() {
    let text = repeating();
    // Out of order, so that states of other levels are found in their place.
    for level in [1, 9, 2, 5, 3, 8, 4, 7, 6, 0, 255] {
        for bits in 9..=15 {
            let deflater = Deflater::new(Deflation {
                threshold_bytes: 0,
                level,
            });
            let frame = deflater.deflate(&Frame::text(&text), WindowBits::new(bits).unwrap());
            assert_eq!(frame.as_bytes()[0], FIN | RSV1 | 1);
            let (opcode, payload) = frame.messages().next().unwrap();
            assert_eq!(opcode, Opcode::Text);
            let (inflated, farthest) = reference::inflate(&payload);
            assert!(inflated == text.as_bytes(), "level {level}, {bits} bits");
            // Near the window, and not beyond.
            let window = 1 << bits;
            assert!(
                (window / 4..=window).contains(&farthest),
                "level {level}, {bits} bits: {farthest}"
            );
        }
    }
}

/// The compressor's state that a message leaves half written must not be the next one's: it panicked in the end.
#[test]
fn what_does_not_shrink_leaves_nothing_to_the_next_message() {
    let deflater = deflater(0);
    let mut state = 1_u64;
    let mut noise = |size| {
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        std::iter::repeat_with(next).take(size).collect::<Vec<_>>()
    };
    let text = repeating();
    for bits in 9..=15 {
        let window = WindowBits::new(bits).unwrap();
        for size in [8_192, 20_000] {
            for _ in 0..20 {
                let incompressible = Frame::binary(&noise(size));
                assert_eq!(deflater.deflate(&incompressible, window), incompressible);
            }
            let frame = deflater.deflate(&Frame::text(&text), window);
            let (_, payload) = frame.messages().next().unwrap();
            assert!(
                reference::inflate(&payload).0 == text.as_bytes(),
                "{bits} bits after {size} bytes"
            );
        }
    }
}

#[test]
fn short_messages_stay_plain() {
    let deflater = deflater(1_024);
    let window = WindowBits::default();
    for (size, deflated) in [
        (0, false),
        (1, false),
        (1_023, false),
        (1_024, true),
        (70_000, true),
    ] {
        let plain = Frame::text(&"a".repeat(size));
        let frame = deflater.deflate(&plain, window);
        assert_eq!(frame != plain, deflated, "{size}");
        assert_eq!(frame.as_bytes()[0] & RSV1 != 0, deflated, "{size}");
    }
    assert!(!deflater.may_shrink(&Frame::text("a")));
    assert_eq!(deflater.figures().messages, 2);
    assert_eq!(deflater.figures().plain_bytes, 71_024);
}

#[test]
fn what_does_not_shrink_stays_plain() {
    let deflater = deflater(0);
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(100_000)
    .collect();
    for plain in [Frame::text(""), Frame::text("a"), Frame::binary(&noise)] {
        assert_eq!(deflater.deflate(&plain, WindowBits::default()), plain);
    }
    assert_eq!(deflater.figures(), DeflateFigures::default());
}

#[test]
fn control_frames_stay_plain() {
    let payload = [b'a'; 125];
    for plain in [
        Frame::ping(&payload),
        Frame::pong(&payload),
        Frame::close(CloseCode::ShuttingDown),
        Frame::concat([]),
    ] {
        assert_eq!(deflater(0).deflate(&plain, WindowBits::default()), plain);
    }
}

#[test]
fn of_several_messages_each_is_judged_alone() {
    let (long, short) = ("long ".repeat(1_000), "short");
    let parts = [
        Frame::text(&long),
        Frame::binary(short.as_bytes()),
        Frame::ping(b"x"),
        Frame::binary(long.as_bytes()),
    ];
    let frame = deflater(1_024).deflate(&Frame::concat(parts), WindowBits::default());
    let firsts: Vec<(Opcode, bool)> = frame
        .parts()
        .map(|part| (part.opcode, part.whole.as_bytes()[0] & RSV1 != 0))
        .collect();
    assert_eq!(
        firsts,
        [
            (Opcode::Text, true),
            (Opcode::Binary, false),
            (Opcode::Ping, false),
            (Opcode::Binary, true)
        ]
    );
    let payloads: Vec<_> = frame.messages().map(|(_, payload)| payload).collect();
    assert_eq!(reference::inflate(&payloads[0]).0, long.as_bytes());
    assert_eq!(payloads[1], short);
    assert_eq!(reference::inflate(&payloads[3]).0, long.as_bytes());
}

#[test]
fn a_compressed_frame_holds_no_more_memory_than_it_is_long() {
    let frame = deflater(0).deflate(&Frame::text(&"a".repeat(1 << 20)), WindowBits::default());
    let bytes = frame.into_bytes().try_into_mut().unwrap();
    assert!(bytes.capacity() < 4_096, "{}", bytes.capacity());
}
