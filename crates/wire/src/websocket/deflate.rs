//! Compressed messages: permessage-deflate (RFC 7692), without context takeover in either direction.
//!
//! Every message is compressed by itself. That is what lets one compressed frame be shared by all connections that
//! agreed on the same window, and lets a connection keep no compression state: the states stand in pools, one per
//! thread and window, and are reset for each message.

mod counts;
mod deflater;
mod inflater;
mod negotiation;

pub use counts::DeflateFigures;
pub use deflater::{Deflater, Deflation};
pub use inflater::Inflater;
pub use negotiation::{Agreement, negotiate};

use std::num::NonZeroU8;

/// What ends a flushed DEFLATE stream, and is left out on the wire (RFC 7692, section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// How far back a compressed message may refer: the base-2 logarithm of a number of bytes, 9 to 15. RFC 7692 knows 8
/// too, which zlib cannot keep to in raw DEFLATE streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(NonZeroU8);

impl WindowBits {
    const BITS_MIN: u8 = 9;
    const BITS_MAX: u8 = 15;

    /// How many different ones there are.
    pub const COUNT: usize = (Self::BITS_MAX - Self::BITS_MIN) as usize + 1;

    /// The window of so many bits, if it is one that we can keep to.
    pub fn new(bits: u8) -> Option<Self> {
        NonZeroU8::new(bits)
            .filter(|bits| (Self::BITS_MIN..=Self::BITS_MAX).contains(&bits.get()))
            .map(Self)
    }

    /// The number of bits.
    pub const fn bits(self) -> u8 {
        self.0.get()
    }

    /// A place for each window, from 0 to [`Self::COUNT`] less 1.
    pub const fn place(self) -> usize {
        (self.bits() - Self::BITS_MIN) as usize
    }
}

impl Default for WindowBits {
    /// The largest window, which holds where nothing is said.
    fn default() -> Self {
        Self(NonZeroU8::MIN.saturating_add(Self::BITS_MAX - 1))
    }
}
