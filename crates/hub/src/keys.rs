//! Numbers for the keys of events, of which a waiting frame carries its own.

use crate::backlog::Fate;
use crate::{Event, RoomName};
use std::collections::HashMap;

/// Keys that one shard knows. With more than these alive at a time, some older events are not superseded.
const KEYS_MAX: usize = 16_384;

/// A shard's numbers of the keys it has met, each key in its room.
///
/// Invariant: a number is not given twice while a frame that carries it can still wait.
#[derive(Default)]
pub(crate) struct Keys {
    numbers: HashMap<Box<str>, u32>,
    next: u32,
}

impl Keys {
    /// The fate of an event in a room whose members get the latest only: to be superseded by the next of its key.
    pub(crate) fn fate(&mut self, room: &RoomName, event: &Event) -> Fate {
        // Neither room names nor keys have control characters.
        let key = match &event.key {
            Some(key) => format!("{room}\0{key}"),
            None => format!("{room}\0\0{}", event.kind),
        };
        if let Some(number) = self.numbers.get(key.as_str()) {
            return Fate::latest(*number);
        }
        if self.numbers.len() >= KEYS_MAX {
            // What waits by an old number keeps its place: its connection gets one event more than the latest.
            self.numbers.clear();
        }
        let number = self.next;
        self.next = (number + 1) & Fate::NUMBER_MAX;
        self.numbers.insert(key.into(), number);
        Fate::latest(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventId, Gateways};
    use serde_json::value::RawValue;
    use tidings_wire::time::Timestamp;

    fn event(kind: &str, key: Option<&str>) -> Event {
        Event {
            id: EventId::generate(),
            rooms: Vec::new(),
            kind: kind.into(),
            name: None,
            key: key.map(Into::into),
            data: RawValue::NULL.to_owned(),
            time: Timestamp::from_millis(0),
            gateways: Gateways::ALL,
            exclude: Vec::new(),
            source: "test".into(),
        }
    }

    #[test]
    fn a_key_belongs_to_its_room_and_defaults_to_the_kind() {
        let (a, b) = (RoomName::new("a").unwrap(), RoomName::new("b").unwrap());
        let mut keys = Keys::default();
        let first = keys.fate(&a, &event("move", Some("ada")));
        assert_eq!(
            keys.fate(&a, &event("click", Some("ada"))),
            first,
            "whatever the kind"
        );
        assert_ne!(keys.fate(&b, &event("move", Some("ada"))), first);
        let kind = keys.fate(&a, &event("move", None));
        assert_eq!(keys.fate(&a, &event("move", None)), kind);
        assert_ne!(keys.fate(&a, &event("click", None)), kind);
        assert_ne!(
            keys.fate(&a, &event("click", Some("move"))),
            kind,
            "a key is no kind"
        );
    }

    #[test]
    fn forgotten_keys_get_new_numbers() {
        let room = RoomName::new("r").unwrap();
        let mut keys = Keys::default();
        let first = keys.fate(&room, &event("k", Some("0")));
        for number in 1..=KEYS_MAX {
            assert_ne!(keys.fate(&room, &event("k", Some(&number.to_string()))), first);
        }
        assert!(keys.numbers.len() <= KEYS_MAX);
        assert_ne!(keys.fate(&room, &event("k", Some("0"))), first);
    }
}
