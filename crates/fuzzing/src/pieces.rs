//! Taking an input apart, and putting together what a client would send.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use flate2::{Compress, Compression, FlushCompress};

/// Takes the first byte off; an empty input gives 0.
pub(crate) fn byte(input: &mut &[u8]) -> u8 {
    let Some((first, rest)) = input.split_first() else {
        return 0;
    };
    *input = rest;
    *first
}

/// Takes at most `count` bytes off.
pub(crate) fn bytes<'a>(input: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(count.min(input.len()));
    *input = rest;
    taken
}

/// Takes an address and a port off.
pub(crate) fn address(input: &mut &[u8], is_ipv6: bool) -> SocketAddr {
    let mut number = |count| {
        bytes(input, count)
            .iter()
            .fold(0, |number, byte| number << 8 | u128::from(*byte))
    };
    let port = number(2) as u16;
    if is_ipv6 {
        SocketAddr::from((Ipv6Addr::from(number(16)), port))
    } else {
        SocketAddr::from((Ipv4Addr::from(number(4) as u32), port))
    }
}

/// A compressed message's payload, as a client makes it (RFC 7692, section 7.2.1).
pub(crate) fn deflated(plain: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(plain.len() + plain.len() / 8 + 64);
    Compress::new(Compression::fast(), false)
        .compress_vec(plain, &mut output, FlushCompress::Sync)
        .expect("there is room for the output");
    output.truncate(output.len() - 4);
    output
}
