//! PROXY headers: what is decided about the beginning of an input is not decided otherwise when more of it has come.

use tidings_wire::proxy_protocol::{Decoded, HEADER_BYTES_MAX, decode};

pub(crate) fn run(input: &[u8]) {
    let whole = decode(input);
    if let Ok(Decoded::Complete { bytes, .. }) = whole {
        assert!(bytes <= input.len() && bytes <= HEADER_BYTES_MAX);
    }
    for end in 0..input.len().min(HEADER_BYTES_MAX) {
        match decode(&input[..end]) {
            Ok(Decoded::Incomplete) => {}
            decided => {
                assert_eq!(decided, whole, "decided after {end} bytes");
                break;
            }
        }
    }
    if input.len() >= HEADER_BYTES_MAX {
        assert_ne!(whole, Ok(Decoded::Incomplete), "waits beyond its limit");
    }
}
