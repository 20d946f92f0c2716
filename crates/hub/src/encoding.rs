//! How members want a room's events.

use crate::Event;
use std::sync::Arc;
use tidings_wire::websocket::Frame;

/// Turns an event into the frame that one kind of member gets. Called once per event, however many members there are.
pub trait Encoding: Send + Sync + 'static {
    /// The finished frame, or `None` when members of this kind do not get the event.
    fn frame(&self, event: &Event) -> Option<Frame>;
}

/// A registered [`Encoding`]; see [`crate::HubBuilder::encoding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodingId(pub(crate) u8);

/// The encodings of one hub, fixed at its start.
#[derive(Clone)]
pub(crate) struct Encodings(pub(crate) Arc<[Arc<dyn Encoding>]>);
