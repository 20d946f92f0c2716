//! `Forwarded` (RFC 7239, section 4): elements between commas, pairs between semicolons, values as tokens or quoted.

use std::borrow::Cow;
use std::net::SocketAddr;

/// What is left of a line.
struct Cursor<'a>(&'a str);

/// The `for` of each element; the line is `None` as a whole if it breaks the grammar anywhere, because a quote out of
/// place could hide elements or invent some.
pub(super) fn entries(line: &str) -> Option<Vec<Option<SocketAddr>>> {
    let mut cursor = Cursor(line);
    let mut entries = Vec::new();
    loop {
        cursor.skip_blanks();
        if !cursor.is_at_end_of_element() {
            entries.push(element(&mut cursor)?);
        }
        if cursor.0.is_empty() {
            return Some(entries);
        }
        cursor.expect(',')?;
    }
}

/// One element; the inner `None` is one whose `for` is missing or names no address.
#[expect(
    clippy::option_option,
    reason = "whether it is well-formed, and whether it names somebody"
)]
fn element(cursor: &mut Cursor<'_>) -> Option<Option<SocketAddr>> {
    let mut address = None;
    let mut has_for = false;
    loop {
        if !matches!(cursor.0.chars().next(), Some(';' | ',') | None) {
            let name = cursor.token()?;
            cursor.expect('=')?;
            let value = cursor.value()?;
            if name.eq_ignore_ascii_case("for") {
                // Each parameter once (section 4).
                if std::mem::replace(&mut has_for, true) {
                    return None;
                }
                address = node(&value);
            }
        }
        if cursor.expect(';').is_none() {
            cursor.skip_blanks();
            return cursor.is_at_end_of_element().then_some(address);
        }
    }
}

/// An IPv6 address must be in brackets here (section 6).
fn node(value: &str) -> Option<SocketAddr> {
    super::node(value).filter(|address| address.is_ipv4() || value.starts_with('['))
}

impl<'a> Cursor<'a> {
    fn skip_blanks(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn is_at_end_of_element(&self) -> bool {
        self.0.is_empty() || self.0.starts_with(',')
    }

    fn expect(&mut self, character: char) -> Option<()> {
        self.0 = self.0.strip_prefix(character)?;
        Some(())
    }

    fn token(&mut self) -> Option<&'a str> {
        let end = self
            .0
            .find(|character| !is_token(character))
            .unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    fn value(&mut self) -> Option<Cow<'a, str>> {
        if self.expect('"').is_none() {
            return self.token().map(Cow::Borrowed);
        }
        let end = self.0.find(['"', '\\'])?;
        if self.0[end..].starts_with('"') {
            let value = &self.0[..end];
            self.0 = &self.0[end + 1..];
            return Some(Cow::Borrowed(value));
        }
        self.escaped().map(Cow::Owned)
    }

    /// The rest of a quoted text with backslashes in it.
    fn escaped(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut characters = self.0.chars();
        loop {
            match characters.next()? {
                '"' => {
                    self.0 = characters.as_str();
                    return Some(value);
                }
                '\\' => value.push(characters.next()?),
                character => value.push(character),
            }
        }
    }
}

/// RFC 9110, section 5.6.2; and the colon, which proxies write without quoting.
fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:".contains(character)
}
