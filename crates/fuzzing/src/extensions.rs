//! `Sec-WebSocket-Extensions`: where a header keeps to the grammar, the first offer that can be accepted is, as by a
//! reader who follows RFC 7692 to the letter; and an answer is an offer of the same.

use tidings_wire::websocket::negotiate;

/// The input is the headers' lines.
pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let lines: Vec<&str> = text.split('\n').collect();
    let found = negotiate(lines.iter().copied());
    assert_eq!(
        lines.iter().find_map(|line| negotiate([*line])),
        found,
        "by lines"
    );
    let others = [
        "other; a=\"b, permessage-deflate\"",
        "permessage-deflate; unknown",
    ];
    assert_eq!(negotiate(others.into_iter().chain(lines.iter().copied())), found);
    let plain = negotiate(["permessage-deflate"]);
    let with_plain = negotiate(lines.iter().copied().chain(["permessage-deflate"]));
    assert_eq!(with_plain, found.or(plain));
    if let Some(agreement) = found {
        assert_eq!(negotiate([&*agreement.to_string()]), Some(agreement));
    }
    if let Some(offers) = lines.iter().map(|line| offers(line)).collect::<Option<Vec<_>>>() {
        let expected = offers.iter().flatten().find_map(accepted);
        let window = found.map(|agreement| agreement.window().bits());
        assert_eq!(window, expected, "{offers:?}");
    }
}

/// An extension's name and its parameters.
type Offer = (String, Vec<(String, Option<String>)>);

/// RFC 7692, section 7.1: the window of the server's messages, if all is well.
fn accepted((name, parameters): &Offer) -> Option<u8> {
    let is_unique = parameters
        .iter()
        .all(|(name, _)| parameters.iter().filter(|(other, _)| other == name).count() == 1);
    if name != "permessage-deflate" || !is_unique {
        return None;
    }
    let mut window = 15;
    for (name, value) in parameters {
        let bits = value
            .as_ref()
            .map(|value| (8..16).find(|bits: &u8| bits.to_string() == *value));
        match (&**name, bits) {
            ("server_no_context_takeover" | "client_no_context_takeover", None)
            | ("client_max_window_bits", None | Some(Some(_))) => {}
            // 8 bits are more than zlib can promise.
            ("server_max_window_bits", Some(Some(bits @ 9..))) => window = bits,
            _ => return None,
        }
    }
    Some(window)
}

/// RFC 6455, section 9.1, with white space as in RFC 9110; `None` if the line is not by that grammar, or escapes
/// characters, which no value needs.
fn offers(line: &str) -> Option<Vec<Offer>> {
    let mut rest = line;
    let mut offers = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let name = token(&mut rest)?;
        let mut parameters = Vec::new();
        rest = rest.trim_start_matches([' ', '\t']);
        while let Some(after) = rest.strip_prefix(';') {
            rest = after.trim_start_matches([' ', '\t']);
            let name = token(&mut rest)?;
            let value = match rest.strip_prefix('=') {
                None => None,
                Some(after) => {
                    rest = after;
                    Some(value(&mut rest)?)
                }
            };
            parameters.push((name, value));
            rest = rest.trim_start_matches([' ', '\t']);
        }
        offers.push((name, parameters));
        if rest.is_empty() {
            return Some(offers);
        }
        rest = rest.strip_prefix(',')?;
    }
}

fn token(rest: &mut &str) -> Option<String> {
    let is_token =
        |character: char| character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character);
    let end = rest.find(|character| !is_token(character)).unwrap_or(rest.len());
    let (token, after) = rest.split_at(end);
    *rest = after;
    (!token.is_empty()).then(|| token.to_owned())
}

fn value(rest: &mut &str) -> Option<String> {
    let Some(quoted) = rest.strip_prefix('"') else {
        return token(rest);
    };
    let (value, after) = quoted.split_once('"')?;
    *rest = after;
    (!value.contains('\\')).then(|| value.to_owned())
}
