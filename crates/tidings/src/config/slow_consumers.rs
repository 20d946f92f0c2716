//! What happens when a member of a room does not keep up.

use tidings_hub::{RoomClasses, RoomPrefix, TwoClasses};

use super::section::section;
use super::setting::{Setting, parsed, quoted};
use super::value::{Mismatch, Value};

section! {
    /// What happens when a member of a room does not keep up, by what the room's name begins with. The longest
    /// prefix decides, and one stands in one list only. Members of all other rooms are closed with 4508.
    ["slow_consumers"] SlowConsumers(base) {
        /// Rooms, such as `presence:`, of which the latest is enough: while an event waits, a newer one of the same
        /// `key` takes its place.
        latest: Vec<RoomPrefix> = Vec::new();
        /// Rooms, such as `log:`, whose oldest waiting events go when a connection reaches a bound of `[limits]`. A
        /// gap marker says how many.
        drop_oldest: Vec<RoomPrefix> = Vec::new();
    }
}

impl SlowConsumers {
    /// The classes of rooms, as the hub takes them.
    pub(crate) fn classes(&self) -> Result<RoomClasses, TwoClasses> {
        RoomClasses::new(&self.latest, &self.drop_oldest)
    }
}

impl Setting for RoomPrefix {
    fn expected() -> String {
        "the beginning of room names: 1 to 256 bytes without control characters".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        parsed(value)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(self.as_str()))
    }
}
