use crate::websocket::negotiate;

const ANSWER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

fn answer(lines: &[&str]) -> Option<String> {
    negotiate(lines.iter().copied()).map(|agreement| agreement.to_string())
}

#[test]
fn offers_are_accepted() {
    let ten = format!("{ANSWER}; server_max_window_bits=10");
    for (offer, expected) in [
        ("permessage-deflate", ANSWER),
        // What browsers send.
        ("permessage-deflate; client_max_window_bits", ANSWER),
        ("  permessage-deflate ;client_max_window_bits\t", ANSWER),
        ("permessage-deflate; client_max_window_bits=8", ANSWER),
        ("permessage-deflate; client_max_window_bits=15", ANSWER),
        ("permessage-deflate; server_no_context_takeover", ANSWER),
        (
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
            ANSWER,
        ),
        ("permessage-deflate; server_max_window_bits=10", &ten),
        ("permessage-deflate; server_max_window_bits=\"10\"", &ten),
        ("permessage-deflate; server_max_window_bits = 10", &ten),
        // RFC 7692, section 7.1.3: the first one wins.
        (
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate; client_max_window_bits",
            &ten,
        ),
    ] {
        assert_eq!(answer(&[offer]).as_deref(), Some(expected), "{offer}");
    }
}

#[test]
fn every_window_that_zlib_has_is_honoured() {
    for bits in 9..=15 {
        let agreement =
            negotiate([format!("permessage-deflate; server_max_window_bits={bits}").as_str()]).unwrap();
        assert_eq!(agreement.window().bits(), bits);
        assert_eq!(
            agreement.to_string(),
            format!("{ANSWER}; server_max_window_bits={bits}")
        );
    }
    assert_eq!(negotiate(["permessage-deflate"]).unwrap().window().bits(), 15);
}

#[test]
fn offers_are_declined() {
    for offer in [
        "",
        ",",
        "permessage-bzip2",
        "x-permessage-deflate",
        "permessage-deflate2; server_no_context_takeover",
        "permessage-deflate;",
        "permessage-deflate; unknown",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=\"\"",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=",
        // Legal, and more than zlib can do.
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=010",
        "permessage-deflate; server_max_window_bits=1",
        "permessage-deflate; server_max_window_bits=150",
        "permessage-deflate; server_max_window_bits=ten",
        "permessage-deflate; server_max_window_bits=\"10",
        "permessage-deflate; server_max_window_bits=10\"",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=09",
    ] {
        assert_eq!(answer(&[offer]), None, "{offer}");
    }
}

#[test]
fn what_is_declined_gives_way_to_the_next_offer() {
    let nine = format!("{ANSWER}; server_max_window_bits=9");
    for lines in [
        &["permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9"][..],
        &["x-webkit-deflate-frame, permessage-deflate;server_max_window_bits=9;client_max_window_bits"],
        &[
            "permessage-deflate; unknown",
            "permessage-deflate; server_max_window_bits=9",
        ],
        // A separator in a quoted string separates nothing.
        &[
            "x; a=\"permessage-deflate, permessage-deflate; b=\\\"\", permessage-deflate; server_max_window_bits=9",
        ],
    ] {
        assert_eq!(answer(lines).as_deref(), Some(nine.as_str()), "{lines:?}");
    }
    assert_eq!(answer(&["x; a=\"permessage-deflate, permessage-deflate"]), None);
}
