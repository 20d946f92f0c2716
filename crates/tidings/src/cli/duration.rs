//! Durations as people write them: `90s`, `15m`, `1h`, `30d`.

use std::time::Duration;

const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];

/// The longest duration taken, a hundred years: beyond it, sums with the time of day might overflow.
const SECONDS_MAX: u64 = 100 * 366 * 86_400;

/// Reads a duration that is not zero.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    parse_or_zero(text).and_then(|duration| {
        if duration.is_zero() {
            Err(expected())
        } else {
            Ok(duration)
        }
    })
}

/// Reads a duration.
pub(super) fn parse_or_zero(text: &str) -> Result<Duration, String> {
    let seconds = UNITS.iter().find_map(|(unit, seconds)| {
        let count: u64 = text.strip_suffix(*unit)?.parse().ok()?;
        count
            .checked_mul(*seconds)
            .filter(|seconds| *seconds <= SECONDS_MAX)
    });
    seconds.map(Duration::from_secs).ok_or_else(expected)
}

/// The longest pace taken.
const PACE_MAX: Duration = Duration::from_hours(1);

/// Reads how long a step takes: as above, or in milliseconds (`250ms`), at most an hour.
pub(super) fn parse_pace(text: &str) -> Result<Duration, String> {
    let milliseconds = text.strip_suffix("ms").and_then(|count| count.parse().ok());
    let pace = milliseconds
        .map(Duration::from_millis)
        .or_else(|| parse(text).ok());
    pace.filter(|pace| !pace.is_zero() && *pace <= PACE_MAX)
        .ok_or_else(|| "expected 1ms to 1h, such as 250ms or 2s".to_owned())
}

fn expected() -> String {
    "expected a number with a unit, such as 90s, 15m, 1h or 30d".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("1h", 3_600), ("30d", 2_592_000)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "1",
            "h",
            "0s",
            "-1h",
            "1.5h",
            "1 h",
            "1w",
            "99999999999999999999d",
            "40000d",
            "é",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse_or_zero("0s"), Ok(Duration::ZERO));
        assert_eq!(parse_or_zero("1h"), Ok(Duration::from_hours(1)));
        assert!(parse_or_zero("0").is_err());
    }

    #[test]
    fn paces() {
        for (text, milliseconds) in [("250ms", 250), ("2s", 2_000), ("1h", 3_600_000)] {
            assert_eq!(
                parse_pace(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for text in ["", "0ms", "0s", "2h", "3600001ms", "-1ms", "ms", "1"] {
            assert!(parse_pace(text).is_err(), "{text}");
        }
    }
}
