//! Version 1: one line of text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::{Decoded, Error};

pub(super) const PREFIX: &[u8] = b"PROXY";

/// The line, its CR and LF included.
const LINE_BYTES_MAX: usize = 107;

pub(super) fn decode(input: &[u8]) -> Result<Decoded, Error> {
    let seen = &input[..input.len().min(LINE_BYTES_MAX)];
    let Some(end) = seen.iter().position(|byte| *byte == b'\n') else {
        return if seen.len() == LINE_BYTES_MAX {
            Err(Error::MalformedLine)
        } else {
            Ok(Decoded::Incomplete)
        };
    };
    let line = seen[..end]
        .strip_suffix(b"\r")
        .and_then(|line| std::str::from_utf8(line).ok())
        .ok_or(Error::MalformedLine)?;
    let source = source(line).ok_or(Error::MalformedLine)?;
    Ok(Decoded::Complete {
        bytes: end + 1,
        source,
    })
}

#[expect(
    clippy::option_option,
    reason = "whether the line is good, and whether it names somebody"
)]
fn source(line: &str) -> Option<Option<SocketAddr>> {
    let mut words = line.split(' ');
    if words.next() != Some("PROXY") {
        return None;
    }
    let ends: fn(&str) -> Option<IpAddr> = match words.next()? {
        // Whatever else stands on the line is to be ignored.
        "UNKNOWN" => return Some(None),
        "TCP4" => ip::<Ipv4Addr>,
        "TCP6" => ip::<Ipv6Addr>,
        _ => return None,
    };
    let [source, _destination] = [ends(words.next()?)?, ends(words.next()?)?];
    let [port, _destination_port] = [port(words.next()?)?, port(words.next()?)?];
    words
        .next()
        .is_none()
        .then_some(Some(SocketAddr::new(source, port)))
}

fn ip<A: FromStr + Into<IpAddr>>(text: &str) -> Option<IpAddr> {
    text.parse::<A>().ok().map(Into::into)
}

/// Decimal without leading zeros or signs.
fn port(text: &str) -> Option<u16> {
    let is_canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_canonical)
}
