//! How members want a room's events.

use crate::{Event, Gateway};
use std::sync::Arc;
use std::time::SystemTime;
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::{Deflater, Frame, WindowBits};

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

/// The form in which a member gets a room's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) encoding: EncodingId,
    /// Set when the connection agreed on compression.
    pub(crate) window: Option<WindowBits>,
}

/// The encodings of one hub, fixed at its start.
#[derive(Clone)]
pub(crate) struct Encodings(Arc<Inner>);

struct Inner {
    encodings: Vec<(Gateway, Arc<dyn Encoding>)>,
    deflater: Option<Arc<Deflater>>,
}

impl Encodings {
    pub(crate) fn new(
        encodings: Vec<(Gateway, Arc<dyn Encoding>)>,
        deflater: Option<Arc<Deflater>>,
    ) -> Encodings {
        Encodings(Arc::new(Inner { encodings, deflater }))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.encodings.len()
    }

    /// What compresses frames, if the hub does so at all.
    pub(crate) fn deflater(&self) -> Option<&Arc<Deflater>> {
        self.0.deflater.as_ref()
    }

    /// The frame, if the event is for the encoding's gateway and the encoding has one for it.
    pub(crate) fn frame(&self, encoding: EncodingId, event: &Event) -> Option<Frame> {
        let (gateway, encoding) = &self.0.encodings[usize::from(encoding.0)];
        if event.gateways.contains(*gateway) {
            encoding.frame(event)
        } else {
            None
        }
    }

    /// The marker of a gap, at this moment.
    pub(crate) fn gap(&self, encoding: EncodingId, dropped: u32) -> Frame {
        let (_, encoding) = &self.0.encodings[usize::from(encoding.0)];
        encoding.gap(dropped, SystemTime::now().into())
    }
}
