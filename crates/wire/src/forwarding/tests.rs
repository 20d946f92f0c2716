use proptest::collection::vec;
use proptest::prelude::*;
use std::net::{IpAddr, SocketAddr};

use super::{Form, HOPS_MAX, client, entries};

const PEER: &str = "10.0.0.1:5000";

/// The client by these lines, where `10.0.0.0/8` and `fd00::/8` are trusted.
fn by(form: Form, lines: &[&str]) -> String {
    let trusted = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets()[0] == 10,
        IpAddr::V6(ip) => ip.octets()[0] == 0xFD,
    };
    let lines = lines.iter().map(|line| line.as_bytes());
    client(form, lines, PEER.parse().unwrap(), trusted).to_string()
}

#[test]
fn the_rightmost_untrusted_address_is_the_client() {
    let table: &[(&[&str], &str)] = &[
        (&[], PEER),
        (&[""], PEER),
        (&["192.0.2.7"], "192.0.2.7:0"),
        (&["192.0.2.7:4711"], "192.0.2.7:4711"),
        (&["2001:db8::7"], "[2001:db8::7]:0"),
        (&["[2001:db8::7]"], "[2001:db8::7]:0"),
        (&["[2001:db8::7]:4711"], "[2001:db8::7]:4711"),
        (&["198.51.100.9, 192.0.2.7"], "192.0.2.7:0"),
        (&["198.51.100.9, 192.0.2.7, 10.0.0.2,10.0.0.3"], "192.0.2.7:0"),
        (&["198.51.100.9", "192.0.2.7", "10.0.0.2"], "192.0.2.7:0"),
        (&["192.0.2.7\t, fd00::1 ,, "], "192.0.2.7:0"),
        // All are trusted: the outermost is as far as it goes.
        (&["10.0.0.4, 10.0.0.3"], "10.0.0.4:0"),
        // What is no address ends what can be believed.
        (&["192.0.2.7, unknown"], PEER),
        (&["192.0.2.7, unknown, 10.0.0.2"], "10.0.0.2:0"),
        (&["192.0.2.7, 1.2.3"], PEER),
        (&["192.0.2.7, 10.0.0.2\", 10.0.0.3"], "10.0.0.3:0"),
        (&["192.0.2.7 10.0.0.2"], PEER),
        (&["192.0.2.7:65536"], PEER),
        (&["fe80::1%eth0"], PEER),
        (&["[2001:db8::7"], PEER),
    ];
    for (lines, expected) in table {
        assert_eq!(by(Form::XForwardedFor, lines), *expected, "{lines:?}");
    }
}

#[test]
fn forwarded_has_a_grammar() {
    let table: &[(&[&str], &str)] = &[
        (&["for=192.0.2.7"], "192.0.2.7:0"),
        (
            &["For=\"192.0.2.7:4711\";proto=https;by=203.0.113.1"],
            "192.0.2.7:4711",
        ),
        (&["proto=https;for=\"[2001:db8::7]:4711\""], "[2001:db8::7]:4711"),
        (&["for=\"\\1\\92.0.2.7\""], "192.0.2.7:0"),
        (
            &["for=198.51.100.9, for=192.0.2.7;proto=http ,for=10.0.0.2"],
            "192.0.2.7:0",
        ),
        (&["for=192.0.2.7", "for=10.0.0.2"], "192.0.2.7:0"),
        (&["for=192.0.2.7;by=\"a, b; \\\"c\", for=10.0.0.2"], "192.0.2.7:0"),
        (&["for=192.0.2.7;;host=x;"], "192.0.2.7:0"),
        (&["for=192.0.2.7:80"], "192.0.2.7:80"),
        (&[",, for=192.0.2.7 ,"], "192.0.2.7:0"),
        // No address.
        (&["for=192.0.2.7, proto=https"], PEER),
        (&["for=192.0.2.7, for=unknown, for=10.0.0.2"], "10.0.0.2:0"),
        (&["for=192.0.2.7, for=_hidden"], PEER),
        (&["for=\"2001:db8::7\""], PEER),
        // Not well-formed: the whole line says nothing, those behind it do.
        (&["for=192.0.2.7, for"], PEER),
        (&["for =192.0.2.7"], PEER),
        (&["for=192.0.2.7 x"], PEER),
        (&["for=192.0.2.7;for=192.0.2.8"], PEER),
        (&["for=\"192.0.2.7"], PEER),
        (&["for=\"192.0.2.7\\"], PEER),
        (&["for=\", for=\"[2001:db8::7]\""], PEER),
        (&["for=\"", "for=192.0.2.7, for=10.0.0.2"], "192.0.2.7:0"),
    ];
    for (lines, expected) in table {
        assert_eq!(by(Form::Forwarded, lines), *expected, "{lines:?}");
    }
}

#[test]
fn a_long_list_is_not_followed_to_its_end() {
    let trusted = |count| vec!["10.0.0.9"; count].join(",");
    assert_eq!(
        by(Form::XForwardedFor, &["192.0.2.7", &trusted(HOPS_MAX - 1)]),
        "192.0.2.7:0"
    );
    assert_eq!(
        by(Form::XForwardedFor, &["192.0.2.7", &trusted(HOPS_MAX)]),
        "10.0.0.9:0"
    );
}

#[test]
fn bytes_that_are_no_text_are_no_address() {
    let peer = PEER.parse().unwrap();
    assert_eq!(
        client(
            Form::XForwardedFor,
            [b"192.0.2.7\xFF".as_slice()].into_iter(),
            peer,
            |_| true
        ),
        peer
    );
}

proptest! {
    #[test]
    fn what_a_client_writes_does_not_hide_what_the_proxy_appends(
        theirs in vec("[ -~]{0,40}", 0..4),
        address: SocketAddr,
        form in prop_oneof![Just(Form::XForwardedFor), Just(Form::Forwarded)],
    ) {
        let address = match address {
            SocketAddr::V6(v6) => SocketAddr::new((*v6.ip()).into(), v6.port()),
            v4 @ SocketAddr::V4(_) => v4,
        };
        let ours = match form {
            Form::XForwardedFor => address.to_string(),
            Form::Forwarded => format!("for=\"{address}\";proto=https"),
        };
        let lines: Vec<&[u8]> = theirs.iter().chain([&ours]).map(String::as_bytes).collect();
        let found = client(form, lines.into_iter(), PEER.parse().unwrap(), |ip| ip != address.ip());
        prop_assert_eq!(found, address);
    }

    #[test]
    fn no_line_panics(line in "(?:for=|[\"\\\\,;:.=\\[\\] a-z0-9€]){0,60}") {
        for form in [Form::XForwardedFor, Form::Forwarded] {
            // Must not panic, and finds no more entries than there are characters.
            prop_assert!(entries(form, &line).unwrap_or_default().len() <= line.len());
        }
    }
}
