//! Events: immutable facts published to rooms.

use crate::{ConnectionId, RoomName};
use parking_lot::Mutex;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;
use thiserror::Error;
use tidings_wire::time::Timestamp;
use uuid::{ContextV7, Uuid};

/// An immutable fact for the members of some rooms.
#[derive(Clone, Debug)]
pub struct Event {
    /// Names this event everywhere: in frames, logs, dead letters.
    pub id: EventId,
    /// Where it goes. A connection that is in several of these rooms gets it once.
    pub rooms: Vec<RoomName>,
    /// What kind of event it is, e.g. `lead_event` or `task_update`.
    pub kind: Arc<str>,
    /// The workflows gateway's `event` member, e.g. `status_changed`.
    pub name: Option<Box<str>>,
    /// In rooms whose members get the latest only: what the event is about. A newer event of the same room and key
    /// supersedes an older one; without a key, one of the same room and kind.
    pub key: Option<Box<str>>,
    /// The payload, JSON text that is never parsed again.
    pub data: Box<RawValue>,
    /// When it happened.
    pub time: Timestamp,
    /// Whose connections may get it.
    pub gateways: Gateways,
    /// Connections that must not get it, usually the one that caused it.
    pub exclude: Vec<ConnectionId>,
    /// Where it came from: `publish`, `dapr`, `flow`, …
    pub source: Cow<'static, str>,
}

impl Event {
    /// An estimate of the memory an event holds, in bytes.
    pub(crate) fn weight_bytes(&self) -> usize {
        let rooms: usize = self.rooms.iter().map(|room| room.as_str().len() + 16).sum();
        let key = self.key.as_ref().map_or(0, |key| key.len());
        256 + self.data.get().len() + self.kind.len() + key + rooms + self.exclude.len() * 16
    }
}

/// The id of an event: `evt_` and a UUID, version 7 when made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventId(Uuid);

/// The order of ids of the same millisecond.
static ORDER: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// A text that is no event id.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("an event id is `evt_` followed by a UUID")]
pub struct EventIdError;

impl EventId {
    /// A new id for an event of this moment.
    pub fn generate() -> EventId {
        EventId::generate_at(SystemTime::now().into())
    }

    /// A new id for an event of `time`, behind all that were made before: a time before that of an earlier id counts as that one's.
    pub fn generate_at(time: Timestamp) -> EventId {
        let millis = u64::try_from(time.as_millis()).unwrap_or_default();
        let nanos = (millis % 1_000) as u32 * 1_000_000;
        let time = uuid::Timestamp::from_unix(&*ORDER.lock(), millis / 1_000, nanos);
        EventId(Uuid::new_v7(time))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "evt_{}", self.0)
    }
}

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<EventId, EventIdError> {
        let uuid = text.strip_prefix("evt_").ok_or(EventIdError)?;
        Uuid::try_parse(uuid).map(EventId).map_err(|_| EventIdError)
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A front door that speaks one documented client protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gateway {
    /// Socket.IO with tenants, voice commands and lead events.
    Flow,
    /// One user's task events.
    Tasks,
    /// Workflow rooms with access control.
    Workflows,
}

/// A text that names no gateway.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a gateway is one of `flow`, `tasks`, `workflows`")]
pub struct UnknownGateway;

impl Gateway {
    /// All gateways.
    pub const ALL: [Gateway; 3] = [Gateway::Flow, Gateway::Tasks, Gateway::Workflows];

    /// The gateway's name in configuration, metrics and the publish API.
    pub fn as_str(self) -> &'static str {
        match self {
            Gateway::Flow => "flow",
            Gateway::Tasks => "tasks",
            Gateway::Workflows => "workflows",
        }
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Gateway {
    type Err = UnknownGateway;

    fn from_str(text: &str) -> Result<Gateway, UnknownGateway> {
        Gateway::ALL
            .into_iter()
            .find(|gateway| gateway.as_str() == text)
            .ok_or(UnknownGateway)
    }
}

/// A set of gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gateways(u8);

impl Gateways {
    /// Every gateway.
    pub const ALL: Gateways = Gateways(u8::MAX);

    /// One gateway alone.
    pub fn only(gateway: Gateway) -> Gateways {
        Gateways(1 << gateway as u8)
    }

    /// Whether `gateway` is in the set.
    pub fn contains(self, gateway: Gateway) -> bool {
        self.0 & (1 << gateway as u8) != 0
    }
}

impl FromIterator<Gateway> for Gateways {
    fn from_iter<I: IntoIterator<Item = Gateway>>(gateways: I) -> Gateways {
        Gateways(
            gateways
                .into_iter()
                .fold(0, |set, gateway| set | Gateways::only(gateway).0),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back() {
        let id = EventId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("evt_17".parse::<EventId>().is_err());
        assert!(id.to_string().starts_with("evt_"));
    }

    #[test]
    fn ids_have_the_time_and_the_order_they_were_made_in() {
        let millis = |id: EventId| id.0.as_u128() >> 80;
        // Later than any other test's: the order is the process's.
        let time = Timestamp::from_millis(4_102_444_800_999);
        let ids: Vec<EventId> = (0..1_000).map(|_| EventId::generate_at(time)).collect();
        assert_eq!(millis(ids[0]), 4_102_444_800_999);
        assert!(ids.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let later = EventId::generate_at(Timestamp::from_millis(4_102_444_801_000));
        assert!(millis(later) == 4_102_444_801_000 && ids[999].0 < later.0);
        let before_1970 = EventId::generate_at(Timestamp::from_millis(-1));
        assert!(millis(before_1970) == 4_102_444_801_000 && later.0 < before_1970.0);
    }

    #[test]
    fn gateway_sets() {
        let set: Gateways = [Gateway::Flow, Gateway::Workflows].into_iter().collect();
        assert!(
            set.contains(Gateway::Flow) && set.contains(Gateway::Workflows) && !set.contains(Gateway::Tasks)
        );
        assert!(
            Gateway::ALL
                .into_iter()
                .all(|gateway| Gateways::ALL.contains(gateway))
        );
    }
}
