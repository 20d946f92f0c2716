//! The line of output.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::attacker::Kind;

/// What became of the attackers.
#[derive(Default, Serialize)]
pub(crate) struct Report {
    pub(crate) addresses: u32,
    pub(crate) seconds: f64,
    pub(crate) half_open: Fate,
    pub(crate) flooding: Fate,
    pub(crate) deaf: Fate,
}

/// Of one kind of them.
#[derive(Default, Serialize)]
pub(crate) struct Fate {
    /// How many there are.
    pub(crate) attackers: usize,
    /// Sockets opened, again and again.
    pub(crate) sockets: u64,
    /// Handshakes by the status they were answered with.
    pub(crate) answers: BTreeMap<u16, u64>,
    /// Messages sent.
    pub(crate) messages: u64,
    /// Close frames by code.
    pub(crate) closed: BTreeMap<u16, u64>,
    /// Sockets that ended without a close frame.
    pub(crate) cut: u64,
    /// Sockets open at the end, and the most at one time.
    pub(crate) open_at_end: usize,
    pub(crate) open_max: usize,
}

impl Report {
    pub(crate) fn of(&mut self, kind: Kind) -> &mut Fate {
        match kind {
            Kind::Silent | Kind::Dribbling => &mut self.half_open,
            Kind::Flooding => &mut self.flooding,
            Kind::Deaf => &mut self.deaf,
        }
    }
}
