//! Session ids.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const BYTES: usize = 15;

/// A session's id: 120 random bits, 20 characters of base64url. Who knows it owns the session.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Sid([u8; BYTES]);

impl Sid {
    /// A new id. Fails only where the operating system has no random numbers.
    pub(super) fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The id that `text` spells. Anything else names no session.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (length == BYTES).then_some(Self(bytes))
    }

    pub(crate) fn text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// A number that is as random as the id.
    pub(super) fn stripe(self) -> usize {
        usize::from(self.0[0])
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sid(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Sid;

    #[test]
    fn ids_read_back_and_nothing_else_does() {
        let sid = Sid::generate().unwrap();
        assert_eq!(sid.text().len(), 20);
        assert_eq!(Sid::parse(&sid.text()), Some(sid));
        for text in [
            "",
            "abc",
            "AAAAAAAAAAAAAAAAAAA=",
            "AAAAAAAAAAAAAAAAAAA+",
            "AAAAAAAAAAAAAAAAAAAAAAAA",
            "é",
        ] {
            assert_eq!(Sid::parse(text), None, "{text}");
        }
        assert_ne!(Sid::generate().unwrap(), sid);
        assert!(!format!("{sid:?}").contains(&sid.text()));
    }
}
