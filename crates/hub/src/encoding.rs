//! How members want a room's events.

use crate::{Event, Gateway};
use std::sync::Arc;
use std::time::SystemTime;
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::Frame;

/// Turns an event into the frame that one kind of member gets. Called once per event, however many members there are.
pub trait Encoding: Send + Sync + 'static {
    /// The finished frame, or `None` when members of this kind do not get the event.
    fn frame(&self, event: &Event) -> Option<Frame>;

    /// The marker that stands where `dropped` events of a member that does not keep up would have stood. Called each
    /// time a gap begins or widens, never for a member that keeps up.
    fn gap(&self, dropped: u32, time: Timestamp) -> Frame;
}

/// A registered [`Encoding`]; see [`crate::HubBuilder::encoding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodingId(pub(crate) u8);

/// The encodings of one hub, fixed at its start.
#[derive(Clone)]
pub(crate) struct Encodings(Arc<[(Gateway, Arc<dyn Encoding>)]>);

impl Encodings {
    pub(crate) fn new(encodings: Vec<(Gateway, Arc<dyn Encoding>)>) -> Encodings {
        Encodings(encodings.into())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The frame, if the event is for the encoding's gateway and the encoding has one for it.
    pub(crate) fn frame(&self, encoding: EncodingId, event: &Event) -> Option<Frame> {
        let (gateway, encoding) = &self.0[usize::from(encoding.0)];
        if event.gateways.contains(*gateway) {
            encoding.frame(event)
        } else {
            None
        }
    }

    /// The marker of a gap, at this moment.
    pub(crate) fn gap(&self, encoding: EncodingId, dropped: u32) -> Frame {
        let (_, encoding) = &self.0[usize::from(encoding.0)];
        encoding.gap(dropped, SystemTime::now().into())
    }
}
