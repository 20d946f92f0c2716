//! The hub: connections, rooms, outboxes and the fan-out between them.
//!
//! A publish travels in a straight line: [`Hub::publish`] puts it, under the sequencer stripe of its room, into the
//! mailbox of every shard that has members; each shard appends the finished frame to its members' outboxes and
//! writes the sockets itself. A frame is encoded once per event and [`Encoding`] and shared by reference.
//!
//! The hub knows no HTTP, no SQL and no gateway: it moves events and frames.
//!
//! Invariant: a shard is the only owner of its slots, rooms and outboxes and the only writer of its sockets; no lock
//! is taken per delivery and nothing is awaited per connection.
//! Invariant: all members of a room see its events in one order, the order of the room's sequencer stripe.

mod backlog;
mod clock;
mod command;
mod connection;
mod connection_id;
mod counters;
mod encoding;
mod event;
mod hub;
mod keys;
mod limits;
mod mailbox;
mod outbox;
mod parcel;
mod publication;
mod relay;
mod room;
mod room_class;
mod sequencer;
mod shard;
mod wheel;

pub use connection::{Connection, Heartbeat, Registration};
pub use connection_id::{ConnectionId, ConnectionIdError};
pub use counters::{ClosedCounts, Figures, LATENCY_BOUNDS_SECONDS};
pub use encoding::{Encoding, EncodingId};
pub use event::{Event, EventId, EventIdError, Gateway, Gateways, UnknownGateway};
pub use hub::{Hub, HubBuilder, Overloaded, RoomCensus};
pub use limits::HubLimits;
pub use relay::{Farewell, Relay, RelayFrames};
pub use room::{RoomName, RoomNameError};
pub use room_class::{RoomClass, RoomClasses, RoomPrefix, RoomPrefixError, TwoClasses};
