//! What was compressed or inflated.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Written once per message that is compressed or inflated, which costs far more than this.
#[derive(Debug, Default)]
pub(super) struct Counts {
    messages: AtomicU64,
    plain_bytes: AtomicU64,
    deflated_bytes: AtomicU64,
}

/// Messages that were compressed (or inflated) since the start, and their payloads' bytes in both forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeflateFigures {
    /// How many messages.
    pub messages: u64,
    /// Their payloads as the application has them, in bytes.
    pub plain_bytes: u64,
    /// Their payloads as they are on the wire, in bytes.
    pub deflated_bytes: u64,
}

impl Counts {
    pub(super) fn add(&self, plain_bytes: usize, deflated_bytes: usize) {
        self.messages.fetch_add(1, Relaxed);
        self.plain_bytes.fetch_add(plain_bytes as u64, Relaxed);
        self.deflated_bytes.fetch_add(deflated_bytes as u64, Relaxed);
    }

    pub(super) fn figures(&self) -> DeflateFigures {
        DeflateFigures {
            messages: self.messages.load(Relaxed),
            plain_bytes: self.plain_bytes.load(Relaxed),
            deflated_bytes: self.deflated_bytes.load(Relaxed),
        }
    }
}
