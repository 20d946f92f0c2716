//! PROXY headers: what is decided about the beginning of an input is not decided otherwise when more of it has come.

//! What a proxy writes about an address is read as that address.

use std::net::{IpAddr, SocketAddr};

use tidings_wire::proxy_protocol::{Decoded, HEADER_BYTES_MAX, decode};

use crate::pieces::{address, byte, bytes};

/// A header as it stands; and one made of the input's pieces.
pub(crate) fn run(input: &[u8]) {
    as_it_stands(input);
    as_proxies_write(input);
}

fn as_it_stands(input: &[u8]) {
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

fn as_proxies_write(mut input: &[u8]) {
    let kind = byte(&mut input);
    let source = address(&mut input, kind & 1 != 0);
    let destination = address(&mut input, kind & 1 != 0);
    let header = if kind & 2 == 0 {
        let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
        format!(
            "PROXY {family} {} {} {} {}\r\n",
            source.ip(),
            destination.ip(),
            source.port(),
            destination.port()
        )
        .into_bytes()
    } else {
        // Behind the addresses a proxy's remarks, of any length.
        let remarks = bytes(&mut input, usize::from(kind)).repeat(usize::from(kind >> 3));
        version_2(source, destination, &remarks)
    };
    let expected = Decoded::Complete {
        bytes: header.len(),
        source: Some(source),
    };
    let read = decode(&[&header[..], input].concat());
    if header.len() <= HEADER_BYTES_MAX {
        assert_eq!(read, Ok(expected));
    } else {
        assert!(read.is_err());
    }
}

fn version_2(source: SocketAddr, destination: SocketAddr, remarks: &[u8]) -> Vec<u8> {
    let mut addresses = Vec::new();
    for end in [source, destination] {
        match end.ip() {
            IpAddr::V4(ip) => addresses.extend(ip.octets()),
            IpAddr::V6(ip) => addresses.extend(ip.octets()),
        }
    }
    addresses.extend(source.port().to_be_bytes());
    addresses.extend(destination.port().to_be_bytes());
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    header.push(if source.is_ipv4() { 0x11 } else { 0x21 });
    header.extend(((addresses.len() + remarks.len()) as u16).to_be_bytes());
    header.extend(addresses);
    header.extend(remarks);
    header
}
