//! Key ids that an issuer was asked for a short time ago and did not have.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// How long an id is not asked for again.
const MEMORY: Duration = Duration::from_secs(30);
/// The most ids remembered. Beyond it new ones are not, and are waited for each time.
const IDS_MAX: usize = 1_024;
/// The longest id remembered, in bytes.
const ID_BYTES_MAX: usize = 256;

/// The ids, each with the time until which it is remembered; `None` stands for tokens that name no key.
#[derive(Debug, Default)]
pub(super) struct UnknownKeys(HashMap<Option<Box<str>>, Instant>);

impl UnknownKeys {
    pub(super) fn has(&self, id: Option<&str>, now: Instant) -> bool {
        // Looked up without a copy of the id only where there is something to find.
        !self.0.is_empty() && self.0.get(&id.map(Box::from)).is_some_and(|until| *until > now)
    }

    pub(super) fn insert(&mut self, id: Option<&str>, now: Instant) {
        if id.is_some_and(|id| id.len() > ID_BYTES_MAX) {
            return;
        }
        if self.0.len() >= IDS_MAX {
            self.0.retain(|_, until| *until > now);
        }
        if self.0.len() < IDS_MAX {
            self.0.insert(id.map(Box::from), now + MEMORY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ids_are_remembered_for_a_while_and_in_bounds() {
        let mut unknown = UnknownKeys::default();
        let start = Instant::now();
        unknown.insert(Some("a"), start);
        unknown.insert(None, start);
        unknown.insert(Some(&"l".repeat(ID_BYTES_MAX + 1)), start);
        for (id, after_s, expected) in [
            (Some("a"), 0, true),
            (Some("a"), 29, true),
            (Some("a"), 30, false),
            (Some("b"), 0, false),
            (None, 29, true),
            (None, 30, false),
        ] {
            let found = unknown.has(id, start + Duration::from_secs(after_s));
            assert_eq!(found, expected, "{id:?} after {after_s} s");
        }
        for number in 0..2 * IDS_MAX {
            unknown.insert(Some(&number.to_string()), start);
        }
        assert_eq!(unknown.0.len(), IDS_MAX);
        unknown.insert(Some("later"), start + MEMORY);
        assert_eq!(unknown.0.len(), 1);
    }
}
