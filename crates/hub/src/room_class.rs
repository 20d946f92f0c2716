//! What becomes of events that a member of a room is too slow for, by the room's name.

use crate::RoomName;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use thiserror::Error;

/// The longest prefix, in bytes: that of a room name.
const BYTES_MAX: usize = 256;

/// What a room does to a member that does not keep up.
///
/// From the one that loses least to the one that loses most: an event that reaches a connection by several rooms is
/// treated as the first of these classes among them says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomClass {
    /// Nothing is left out; a connection that falls too far behind is closed with 4508 and recovers.
    Close,
    /// The oldest waiting events go, and a gap marker stands where they stood.
    DropOldest,
    /// A newer event takes the place of an older one of the same key that still waits.
    Latest,
}

/// What the names of some rooms begin with: 1 to 256 bytes of text without control characters, such as `presence:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomPrefix(Box<str>);

/// A text that is no prefix of a room name.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a prefix of room names is text of 1 to {BYTES_MAX} bytes without control characters")]
pub struct RoomPrefixError;

/// Which rooms are of which class. The longest prefix that a room's name begins with decides; a room that none fits
/// is of the class [`RoomClass::Close`].
#[derive(Clone, Debug, Default)]
pub struct RoomClasses(
    /// The longest prefix first.
    Arc<[(RoomPrefix, RoomClass)]>,
);

/// One prefix stands for two classes.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the prefix {:?} stands for two classes", .0.as_str())]
pub struct TwoClasses(pub RoomPrefix);

impl RoomPrefix {
    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoomPrefix {
    type Err = RoomPrefixError;

    fn from_str(text: &str) -> Result<RoomPrefix, RoomPrefixError> {
        if (1..=BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control) {
            Ok(RoomPrefix(text.into()))
        } else {
            Err(RoomPrefixError)
        }
    }
}

impl fmt::Display for RoomPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RoomClasses {
    /// The classes of rooms whose names begin so.
    pub fn new(latest: &[RoomPrefix], drop_oldest: &[RoomPrefix]) -> Result<RoomClasses, TwoClasses> {
        if let Some(prefix) = drop_oldest.iter().find(|prefix| latest.contains(prefix)) {
            return Err(TwoClasses(prefix.clone()));
        }
        let latest = latest.iter().map(|prefix| (prefix.clone(), RoomClass::Latest));
        let drop_oldest = drop_oldest
            .iter()
            .map(|prefix| (prefix.clone(), RoomClass::DropOldest));
        let mut classes: Vec<_> = latest.chain(drop_oldest).collect();
        classes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.0.len()));
        Ok(RoomClasses(classes.into()))
    }

    pub(crate) fn of(&self, room: &RoomName) -> RoomClass {
        self.0
            .iter()
            .find(|(prefix, _)| room.as_str().starts_with(prefix.as_str()))
            .map_or(RoomClass::Close, |(_, class)| *class)
    }

    /// The classes that rooms can have, the one that loses least first.
    pub(crate) fn in_use(&self) -> &'static [RoomClass] {
        if self.0.is_empty() {
            &[RoomClass::Close]
        } else {
            &[RoomClass::Close, RoomClass::DropOldest, RoomClass::Latest]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes(texts: &[&str]) -> Vec<RoomPrefix> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_longest_prefix_wins() {
        let classes = RoomClasses::new(
            &prefixes(&["presence:", "log:now:"]),
            &prefixes(&["log:", "presence:audit:"]),
        )
        .unwrap();
        for (room, class) in [
            ("presence:ada", RoomClass::Latest),
            ("presence:audit:ada", RoomClass::DropOldest),
            ("log:1", RoomClass::DropOldest),
            ("log:now:1", RoomClass::Latest),
            ("log:", RoomClass::DropOldest),
            ("log", RoomClass::Close),
            ("user:log:1", RoomClass::Close),
        ] {
            assert_eq!(classes.of(&RoomName::new(room).unwrap()), class, "{room}");
        }
        let none = RoomClasses::default();
        assert_eq!(none.of(&RoomName::new("log:1").unwrap()), RoomClass::Close);
        assert_eq!(none.in_use(), [RoomClass::Close]);
    }

    #[test]
    fn a_prefix_has_one_class() {
        let error = RoomClasses::new(&prefixes(&["a:", "b:"]), &prefixes(&["b:"])).unwrap_err();
        assert_eq!(error, TwoClasses("b:".parse().unwrap()));
        assert_eq!(error.to_string(), "the prefix \"b:\" stands for two classes");
    }

    #[test]
    fn prefixes_are_bounded_and_printable() {
        assert_eq!("".parse::<RoomPrefix>(), Err(RoomPrefixError));
        assert_eq!("a\n".parse::<RoomPrefix>(), Err(RoomPrefixError));
        assert!("p".repeat(256).parse::<RoomPrefix>().is_ok());
        assert_eq!("p".repeat(257).parse::<RoomPrefix>(), Err(RoomPrefixError));
    }
}
