//! `X-Forwarded-For` and `Forwarded` (RFC 7239): whom a proxy says it speaks for.
//!
//! Each proxy appends the address it was called from, so that the list reads from the client to the last proxy, and
//! only its right end was written by somebody known.

mod rfc7239;

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// Entries that are looked at, from the right. Nobody has so many proxies.
pub const HOPS_MAX: usize = 64;

/// Which of the two headers is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `X-Forwarded-For: 192.0.2.7, 10.0.0.1`
    XForwardedFor,
    /// `Forwarded: for=192.0.2.7;proto=https, for="[2001:db8::7]:4711"`
    Forwarded,
}

impl Form {
    /// The header's name, lower case.
    pub const fn header(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

/// The client of a request that came from `peer`, a trusted proxy: the rightmost address that is not trusted itself.
/// `lines` are the header's values in the order they came.
///
/// An entry that names no address (`unknown`, an obfuscated name, anything malformed) ends the search, because nothing
/// left of it can be believed: then it is the last trusted proxy that counts as the client. So it is if all are trusted.
pub fn client<'a>(
    form: Form,
    lines: impl DoubleEndedIterator<Item = &'a [u8]>,
    peer: SocketAddr,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> SocketAddr {
    let mut known = peer;
    let mut hops = 0;
    for line in lines.rev() {
        let Some(entries) = std::str::from_utf8(line)
            .ok()
            .and_then(|line| entries(form, line))
        else {
            return known;
        };
        for entry in entries.iter().rev() {
            let Some(address) = entry.filter(|_| hops < HOPS_MAX) else {
                return known;
            };
            hops += 1;
            known = address;
            if !is_trusted(address.ip()) {
                return known;
            }
        }
    }
    known
}

/// The addresses of one line, `None` for an entry without one. The line as a whole is `None` if it is malformed in a
/// way that leaves open where its entries end.
fn entries(form: Form, line: &str) -> Option<Vec<Option<SocketAddr>>> {
    match form {
        // Empty elements of a list are no elements (RFC 9110, section 5.6.1).
        Form::XForwardedFor => Some(
            line.split(',')
                .map(|entry| entry.trim_matches([' ', '\t']))
                .filter(|entry| !entry.is_empty())
                .map(node)
                .collect(),
        ),
        Form::Forwarded => rfc7239::entries(line),
    }
}

/// An address with or without a port, IPv6 with or without brackets. Without a port, it is 0.
fn node(text: &str) -> Option<SocketAddr> {
    let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    if let Some(ip) = bracketed {
        return ip.parse().ok().map(|ip| SocketAddr::new(IpAddr::V6(ip), 0));
    }
    let with_port = || match text.parse().ok()? {
        // A zone means something on the machine that wrote it only.
        SocketAddr::V6(address) => Some(SocketAddrV6::new(*address.ip(), address.port(), 0, 0).into()),
        address @ SocketAddr::V4(_) => Some(address),
    };
    text.parse()
        .ok()
        .map(|ip| SocketAddr::new(ip, 0))
        .or_else(with_port)
}

#[cfg(test)]
mod tests;
