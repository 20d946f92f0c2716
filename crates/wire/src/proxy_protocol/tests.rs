use proptest::collection::vec;
use proptest::prelude::*;
use std::net::{IpAddr, SocketAddr};

use super::{Decoded, Error, HEADER_BYTES_MAX, SIGNATURE, decode};

#[expect(clippy::unnecessary_wraps, reason = "a column of the tables")]
fn complete(bytes: usize, source: Option<&str>) -> Result<Decoded, Error> {
    let source = source.map(|source| source.parse().unwrap());
    Ok(Decoded::Complete { bytes, source })
}

/// A header of version 2 with the bytes behind the fixed part, and what it declares of them.
fn binary_with(command: u8, family: u8, length: usize, rest: &[u8]) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    header.extend([command, family]);
    header.extend(u16::try_from(length).unwrap().to_be_bytes());
    header.extend(rest);
    header
}

fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    binary_with(command, family, rest.len(), rest)
}

/// The header a proxy writes for a connection.
fn header_of(source: SocketAddr, remarks: &[u8]) -> Vec<u8> {
    let (family, mut rest) = match source.ip() {
        IpAddr::V4(ip) => (0x11, [ip.octets(), [192, 0, 2, 1]].concat()),
        IpAddr::V6(ip) => (0x21, [ip.octets(), [0xFD; 16]].concat()),
    };
    rest.extend(source.port().to_be_bytes());
    rest.extend(443_u16.to_be_bytes());
    rest.extend(remarks);
    binary(0x21, family, &rest)
}

#[test]
fn lines() {
    let longest =
        "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535".to_owned() + &" ".repeat(48) + "\r\n";
    assert_eq!(longest.len(), 107);
    let too_long = longest.replace("\r\n", " \r\n");
    let table = [
        (
            "PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n",
            complete(41, Some("192.0.2.7:56324")),
        ),
        (
            "PROXY TCP4 192.0.2.7 10.0.0.1 0 65535\r\nGET /",
            complete(39, Some("192.0.2.7:0")),
        ),
        (
            "PROXY TCP6 2001:db8::7 ::1 1 2\r\n",
            complete(32, Some("[2001:db8::7]:1")),
        ),
        ("PROXY UNKNOWN\r\n", complete(15, None)),
        ("PROXY UNKNOWN whatever it says\r\n", complete(32, None)),
        (&longest, complete(107, None)),
        (&too_long, Err(Error::MalformedLine)),
        ("PROXY TCP4 192.0.2.7 10.0.0.1 56324 443", Ok(Decoded::Incomplete)),
        (
            "PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r",
            Ok(Decoded::Incomplete),
        ),
        ("P", Ok(Decoded::Incomplete)),
        ("", Ok(Decoded::Incomplete)),
        (
            "PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\n",
            Err(Error::MalformedLine),
        ),
        (
            "PROXY TCP4 192.0.2.7 10.0.0.1 56324\r\n",
            Err(Error::MalformedLine),
        ),
        (
            "PROXY TCP4 192.0.2.7 10.0.0.1 56324 443 1\r\n",
            Err(Error::MalformedLine),
        ),
        (
            "PROXY TCP4  192.0.2.7 10.0.0.1 56324 443\r\n",
            Err(Error::MalformedLine),
        ),
        (
            "PROXY TCP4 192.0.2.7 10.0.0.1 65536 443\r\n",
            Err(Error::MalformedLine),
        ),
        (
            "PROXY TCP4 192.0.2.7 10.0.0.1 +1 443\r\n",
            Err(Error::MalformedLine),
        ),
        (
            "PROXY TCP4 192.0.2.7 10.0.0.1 01 443\r\n",
            Err(Error::MalformedLine),
        ),
        ("PROXY TCP4 ::1 ::1 1 2\r\n", Err(Error::MalformedLine)),
        ("PROXY TCP6 192.0.2.7 10.0.0.1 1 2\r\n", Err(Error::MalformedLine)),
        ("PROXY TCP5 192.0.2.7 10.0.0.1 1 2\r\n", Err(Error::MalformedLine)),
        ("PROXYTCP4 192.0.2.7 10.0.0.1 1 2\r\n", Err(Error::MalformedLine)),
        ("PROXY\r\n", Err(Error::MalformedLine)),
        ("GET / HTTP/1.1\r\n", Err(Error::NoHeader)),
        ("PROX ", Err(Error::NoHeader)),
        ("\u{16}\u{3}\u{1}", Err(Error::NoHeader)),
    ];
    for (input, expected) in table {
        assert_eq!(decode(input.as_bytes()), expected, "{input:?}");
    }
    assert_eq!(decode(b"PROXY UNKNOWN \xFF\r\n"), Err(Error::MalformedLine));
}

#[test]
fn binary_headers() {
    let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 0xDC, 0x04, 1, 0xBB];
    let v6 = [
        &[0x20, 1, 0x0D, 0xB8],
        &[0; 11][..],
        &[7],
        &[0; 15],
        &[1],
        &[0, 9, 0, 10],
    ]
    .concat();
    let longest = [&v4[..], &vec![0; HEADER_BYTES_MAX - 16 - 12]].concat();
    let table = [
        (binary(0x21, 0x11, &v4), complete(28, Some("192.0.2.7:56324"))),
        (binary(0x21, 0x21, &v6), complete(52, Some("[2001:db8::7]:9"))),
        (
            binary(0x21, 0x11, &longest),
            complete(HEADER_BYTES_MAX, Some("192.0.2.7:56324")),
        ),
        (
            binary_with(0x21, 0x11, 12, &[&v4[..], b"GET /"].concat()),
            complete(28, Some("192.0.2.7:56324")),
        ),
        (binary(0x20, 0x00, &[]), complete(16, None)),
        (binary(0x20, 0x11, &v4), complete(28, None)),
        (binary(0x20, 0x11, &[]), complete(16, None)),
        (binary(0x21, 0x00, &[]), complete(16, None)),
        (binary(0x21, 0x12, &v4), complete(28, None)),
        (binary(0x21, 0x31, &[0; 216]), complete(232, None)),
        (binary_with(0x21, 0x11, 12, &v4[..11]), Ok(Decoded::Incomplete)),
        (SIGNATURE[..5].to_vec(), Ok(Decoded::Incomplete)),
        (binary(0x21, 0x11, &[])[..15].to_vec(), Ok(Decoded::Incomplete)),
        (binary(0x21, 0x11, &v4[..11]), Err(Error::MissingAddresses)),
        (binary(0x21, 0x21, &v4), Err(Error::MissingAddresses)),
        (binary(0x21, 0x31, &[0; 215]), Err(Error::MissingAddresses)),
        (binary(0x11, 0x11, &v4), Err(Error::Unknown)),
        (binary(0x22, 0x11, &v4), Err(Error::Unknown)),
        (binary(0x21, 0x41, &v4), Err(Error::Unknown)),
        (binary(0x21, 0x13, &v4), Err(Error::Unknown)),
        (
            binary_with(0x21, 0x11, HEADER_BYTES_MAX - 15, &[]),
            Err(Error::TooLong),
        ),
        (binary_with(0x21, 0x11, 0xFFFF, &[]), Err(Error::TooLong)),
    ];
    for (input, expected) in table {
        assert_eq!(decode(&input), expected, "{input:02x?}");
    }
}

proptest! {
    #[test]
    fn what_a_proxy_writes_reads_back_and_every_part_of_it_is_incomplete(
        ip: IpAddr,
        port: u16,
        remarks in vec(any::<u8>(), 0..100),
        behind in vec(any::<u8>(), 0..50),
    ) {
        let source = SocketAddr::new(ip, port);
        let family = if ip.is_ipv4() { "TCP4" } else { "TCP6" };
        let line = format!("PROXY {family} {ip} {ip} {port} 443\r\n").into_bytes();
        for header in [header_of(source, &remarks), line] {
            let whole = Ok(Decoded::Complete { bytes: header.len(), source: Some(source) });
            prop_assert_eq!(decode(&[&header[..], &behind].concat()), whole);
            for end in 0..header.len() {
                prop_assert_eq!(decode(&header[..end]), Ok(Decoded::Incomplete));
            }
        }
    }

    #[test]
    fn no_input_panics_or_asks_for_more_than_the_longest_header(input in vec(any::<u8>(), 0..300), which in 0_usize..3) {
        let signature: &[u8] = [&SIGNATURE, b"PROXY ".as_slice(), b""][which];
        let mut input = [signature, &input].concat();
        // Must not panic.
        let _ = decode(&input);
        input.resize(HEADER_BYTES_MAX, b'x');
        prop_assert_ne!(decode(&input), Ok(Decoded::Incomplete));
    }
}
