//! Points in time as every frame spells them: RFC 3339, UTC, milliseconds, `Z`.

mod civil;
mod parse;

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};

use civil::Date;

const MILLIS_PER_DAY: i64 = 86_400_000;
const MILLIS_MIN: i64 = Date {
    year: 0,
    month: 1,
    day: 1,
}
.days_since_epoch()
    * MILLIS_PER_DAY;
const MILLIS_MAX: i64 = Date {
    year: 9999,
    month: 12,
    day: 31,
}
.days_since_epoch()
    * MILLIS_PER_DAY
    + MILLIS_PER_DAY
    - 1;

/// Milliseconds since 1970-01-01T00:00:00Z.
///
/// Invariant: within the years 0000 to 9999, so that the text form is always RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is no RFC 3339 timestamp, or lies outside the years 0000 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 timestamp such as 2026-02-07T12:00:00Z")]
pub struct TimestampError;

impl Timestamp {
    /// Takes milliseconds since the epoch; values outside the years 0000 to 9999 become the nearest inside.
    pub const fn from_millis(millis: i64) -> Self {
        if millis < MILLIS_MIN {
            Self(MILLIS_MIN)
        } else if millis > MILLIS_MAX {
            Self(MILLIS_MAX)
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339 with `Z` or an offset; digits below the millisecond are cut off.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let millis = parse::millis(text.as_bytes()).ok_or(TimestampError)?;
        if (MILLIS_MIN..=MILLIS_MAX).contains(&millis) {
            Ok(Self(millis))
        } else {
            Err(TimestampError)
        }
    }

    /// Appends the text form, for encoders that write frames byte by byte.
    pub fn push_to(self, output: &mut Vec<u8>) {
        output.extend_from_slice(&self.text());
    }

    fn text(self) -> [u8; 24] {
        let date = Date::from_days(self.0.div_euclid(MILLIS_PER_DAY));
        let millis = self.0.rem_euclid(MILLIS_PER_DAY);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        put_digits(&mut text[0..4], date.year);
        put_digits(&mut text[5..7], date.month);
        put_digits(&mut text[8..10], date.day);
        put_digits(&mut text[11..13], millis / 3_600_000);
        put_digits(&mut text[14..16], millis / 60_000 % 60);
        put_digits(&mut text[17..19], millis / 1_000 % 60);
        put_digits(&mut text[20..23], millis % 1_000);
        text
    }
}

fn put_digits(field: &mut [u8], mut number: i64) {
    for digit in field.iter_mut().rev() {
        *digit = b"0123456789"[number.rem_euclid(10) as usize];
        number /= 10;
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        formatter.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        Self::parse(text)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Self::from_millis(millis(after)),
            Err(before) => Self::from_millis(-millis(before.duration())),
        }
    }
}

#[cfg(test)]
mod tests;
