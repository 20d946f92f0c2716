//! The name of a user, as tokens and sources give it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// The longest user id, in bytes.
pub const USER_ID_BYTES_MAX: usize = 200;

/// A user's id: 1 to 200 bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(Arc<str>);

/// Why a text is no user id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UserIdError {
    /// It is empty.
    #[error("user id is empty")]
    Empty,
    /// It is longer than [`USER_ID_BYTES_MAX`].
    #[error("user id is longer than {USER_ID_BYTES_MAX} bytes")]
    TooLong,
    /// It contains a control character.
    #[error("user id contains a control character")]
    ControlCharacter,
}

impl UserId {
    /// Checks a text and takes it as a user id.
    pub fn new(text: &str) -> Result<UserId, UserIdError> {
        if text.is_empty() {
            return Err(UserIdError::Empty);
        }
        if text.len() > USER_ID_BYTES_MAX {
            return Err(UserIdError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(UserIdError::ControlCharacter);
        }
        Ok(UserId(text.into()))
    }

    /// The id of a user known by a number, in canonical decimal.
    pub fn from_integer(number: impl Into<i128>) -> UserId {
        UserId(number.into().to_string().into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for UserId {
    type Err = UserIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        UserId::new(text)
    }
}

impl Serialize for UserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        let longest = "u".repeat(USER_ID_BYTES_MAX);
        let cases = [
            ("", Err(UserIdError::Empty)),
            ("u", Ok("u")),
            ("user@example.com", Ok("user@example.com")),
            ("Jørgen Å", Ok("Jørgen Å")),
            (longest.as_str(), Ok(longest.as_str())),
            (&format!("{longest}u"), Err(UserIdError::TooLong)),
            ("a\nb", Err(UserIdError::ControlCharacter)),
            ("a\u{0}", Err(UserIdError::ControlCharacter)),
            ("a\u{85}b", Err(UserIdError::ControlCharacter)),
        ];
        for (text, expected) in cases {
            assert_eq!(
                UserId::new(text)
                    .as_ref()
                    .map(UserId::as_str)
                    .map_err(|error| *error),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn numbers_are_canonical_decimals() {
        assert_eq!(UserId::from_integer(42).as_str(), "42");
        assert_eq!(UserId::from_integer(-7).as_str(), "-7");
        assert_eq!(UserId::from_integer(u64::MAX).as_str(), "18446744073709551615");
    }
}
