//! Room names.

use serde::{Serialize, Serializer};
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

/// The longest room name, in bytes.
const BYTES_MAX: usize = 256;

/// The name of a room: 1 to 256 bytes of text without control characters, such as `tenant:demo1` or `user:17`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName(Arc<str>);

/// Why a text is no room name.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RoomNameError {
    /// No text at all.
    #[error("a room name must not be empty")]
    Empty,
    /// Longer than 256 bytes.
    #[error("a room name has at most {BYTES_MAX} bytes")]
    TooLong,
    /// A control character.
    #[error("a room name has no control characters")]
    ControlCharacter,
}

impl RoomName {
    /// Checks `name` and takes a copy of it.
    pub fn new(name: &str) -> Result<RoomName, RoomNameError> {
        if name.is_empty() {
            return Err(RoomNameError::Empty);
        }
        if name.len() > BYTES_MAX {
            return Err(RoomNameError::TooLong);
        }
        if name.chars().any(char::is_control) {
            return Err(RoomNameError::ControlCharacter);
        }
        Ok(RoomName(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for RoomName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_printable() {
        assert!(RoomName::new("tenant:demo1").is_ok());
        assert_eq!(RoomName::new(""), Err(RoomNameError::Empty));
        assert!(RoomName::new(&"r".repeat(256)).is_ok());
        assert_eq!(RoomName::new(&"r".repeat(257)), Err(RoomNameError::TooLong));
        assert_eq!(RoomName::new("user:a\nb"), Err(RoomNameError::ControlCharacter));
    }
}
