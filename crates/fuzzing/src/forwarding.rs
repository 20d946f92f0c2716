//! `Forwarded` and `X-Forwarded-For`: nobody behind an untrusted address is believed, and the addresses that proxies
//! write are read as those.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tidings_wire::forwarding::{Form, HOPS_MAX, client};

use crate::pieces::{address, byte};

/// The first byte is the header's form; the rest are its lines.
pub(crate) fn run(mut input: &[u8]) {
    let form = if byte(&mut input) & 1 == 0 {
        Form::XForwardedFor
    } else {
        Form::Forwarded
    };
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 4_711));
    let lines = || input.split(|byte| *byte == b'\n');
    let found = |trusted: fn(IpAddr) -> bool| client(form, lines(), peer, trusted);
    // Without a trusted one the rightmost entry is all that counts, whatever stands left of it.
    let rightmost = found(|_| false);
    let line = lines()
        .rfind(|line| line.iter().any(|byte| !b" \t,".contains(byte)))
        .unwrap_or_default();
    assert_eq!(client(form, [line].into_iter(), peer, |_| false), rightmost);
    // Whoever is found is either untrusted, or there was nobody further to be believed.
    let trusts_private = |ip: IpAddr| matches!(ip, IpAddr::V4(ip) if ip.is_private() || ip.is_loopback());
    let believed = found(trusts_private);
    if !trusts_private(rightmost.ip()) && rightmost != peer {
        assert_eq!(believed, rightmost);
    }
    let _ = found(|_| true);
    as_proxies_write(input, form, peer);
}

/// Who came through so many proxies: without their trust the last of them, with it the first that is looked at.
fn as_proxies_write(mut input: &[u8], form: Form, peer: SocketAddr) {
    let mut hops = Vec::new();
    let mut header = String::new();
    while !input.is_empty() {
        let kind = byte(&mut input);
        let hop = address(&mut input, kind & 1 != 0);
        if !hops.is_empty() {
            header.push_str([", ", ",", "\n", ",,\t"][usize::from(kind >> 1 & 3)]);
        }
        hops.push(hop);
        let entry = match form {
            Form::XForwardedFor => hop.to_string(),
            Form::Forwarded if kind & 8 == 0 => format!("for=\"{hop}\""),
            Form::Forwarded => format!("proto=https;For=\"{hop}\";by=\"a\\\"b,c\""),
        };
        header.push_str(&entry);
    }
    let found =
        |trusted: fn(IpAddr) -> bool| client(form, header.split('\n').map(str::as_bytes), peer, trusted);
    assert_eq!(found(|_| false), hops.last().copied().unwrap_or(peer), "{header}");
    let first = hops.len().saturating_sub(HOPS_MAX);
    assert_eq!(
        found(|_| true),
        hops.get(first).copied().unwrap_or(peer),
        "{header}"
    );
}
