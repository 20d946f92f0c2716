//! `Forwarded` and `X-Forwarded-For`: nobody behind an untrusted address is believed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tidings_wire::forwarding::{Form, client};

use crate::pieces::byte;

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
    let line = lines().next_back().unwrap_or_default();
    assert_eq!(client(form, [line].into_iter(), peer, |_| false), rightmost);
    // Whoever is found is either untrusted, or there was nobody further to be believed.
    let trusts_private = |ip: IpAddr| matches!(ip, IpAddr::V4(ip) if ip.is_private() || ip.is_loopback());
    let believed = found(trusts_private);
    if !trusts_private(rightmost.ip()) && rightmost != peer {
        assert_eq!(believed, rightmost);
    }
    let _ = found(|_| true);
}
