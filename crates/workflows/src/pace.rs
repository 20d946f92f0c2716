//! What becomes of a connection whose user sends too fast: told so, and closed if it goes on.

use std::time::Duration;

use tokio::time::Instant;

/// How long after it was told a connection may still be too fast: what it sent before it knew.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long after its last excess a connection is told anew.
const CALM: Duration = Duration::from_secs(10);

/// The excess of one connection.
#[derive(Debug)]
pub(crate) struct Pace {
    told_at: Instant,
    last_at: Instant,
}

/// What to do about a message that is too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    /// It is not handled, and the client is told.
    Told,
    /// The connection is closed.
    Closed,
}

impl Pace {
    /// Judges a message that is too many, by those that were before it.
    pub(crate) fn exceeded(pace: &mut Option<Box<Pace>>, now: Instant) -> Excess {
        match pace {
            Some(pace) if now.saturating_duration_since(pace.last_at) < CALM => {
                pace.last_at = now;
                if now.saturating_duration_since(pace.told_at) < PATIENCE {
                    Excess::Told
                } else {
                    Excess::Closed
                }
            }
            _ => {
                *pace = Some(Box::new(Pace {
                    told_at: now,
                    last_at: now,
                }));
                Excess::Told
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_first_and_closed_if_it_goes_on() {
        use Excess::{Closed, Told};
        let table: [(&[(u64, Excess)], &str); 4] = [
            (
                &[(0, Told), (0, Told), (999, Told)],
                "what it sent before it knew",
            ),
            (&[(0, Told), (999, Told), (1_000, Closed)], "without a pause"),
            (&[(0, Told), (9_999, Closed)], "after a short pause"),
            (
                &[(0, Told), (10_000, Told), (10_999, Told), (11_000, Closed)],
                "after a calm time",
            ),
        ];
        let start = Instant::now();
        for (excesses, name) in table {
            let mut pace = None;
            for (at_ms, expected) in excesses {
                let found = Pace::exceeded(&mut pace, start + Duration::from_millis(*at_ms));
                assert_eq!(found, *expected, "{name}: {at_ms}");
            }
        }
    }
}
