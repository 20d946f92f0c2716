//! Fields of bodies that are ids, words of a list, or counts.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Number;

/// Reads a text and takes it apart; the error says what the text should have been.
pub(super) fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

/// The same for a field that may be missing or null.
pub(super) fn parsed_if_given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = Option::<Cow<'de, str>>::deserialize(deserializer)?;
    text.map(|text| text.parse())
        .transpose()
        .map_err(D::Error::custom)
}

/// A count that may be missing or null. `3.0` is 3: JSON has one kind of numbers, and some writers spell them all alike.
pub(super) fn count_if_given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let number = Option::<Number>::deserialize(deserializer)?;
    number
        .map(|number| {
            whole(&number).ok_or_else(|| {
                D::Error::custom(format_args!(
                    "expected an integer from 0 to {}, found {number}",
                    u32::MAX
                ))
            })
        })
        .transpose()
}

fn whole(number: &Number) -> Option<u32> {
    if let Some(whole) = number.as_u64() {
        return u32::try_from(whole).ok();
    }
    let number = number.as_f64()?;
    let is_count = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    #[allow(clippy::cast_sign_loss)] // it is none of a negative number
    is_count.then_some(number as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_is_spelled_with_a_fraction_is_a_count() {
        for (json, expected) in [
            ("3", Some(Some(3))),
            ("3.0", Some(Some(3))),
            ("4.2e1", Some(Some(42))),
            ("0", Some(Some(0))),
            ("-0.0", Some(Some(0))),
            ("4294967295.0", Some(Some(u32::MAX))),
            ("null", Some(None)),
            ("4294967296", None),
            ("4294967296.0", None),
            ("1e300", None),
            ("3.5", None),
            ("-1", None),
            ("-1.0", None),
            ("\"3\"", None),
            ("[3]", None),
        ] {
            let read = count_if_given(&mut serde_json::Deserializer::from_str(json));
            assert_eq!(read.ok(), expected, "{json}");
        }
    }
}
