//! Packets and the binary messages that follow them.

use bytes::Bytes;

use super::Error;
use super::packet::{Limits, Packet};

/// Puts a connection's packets and attachments together. Holds nothing while no attachment is due.
#[derive(Debug, Default)]
pub struct Assembler {
    pending: Option<Box<Pending>>,
}

#[derive(Debug)]
struct Pending {
    packet: Packet,
    attachments: Vec<Bytes>,
    attachment_bytes: usize,
}

impl Assembler {
    /// Takes an Engine.IO text message without its `4`. `None`: the packet waits for its attachments.
    pub fn text(&mut self, text: &str, limits: &Limits) -> Result<Option<(Packet, Vec<Bytes>)>, Error> {
        if self.pending.is_some() {
            return Err(Error::MissingAttachment);
        }
        let packet = Packet::decode(text, limits)?;
        if packet.attachments == 0 {
            return Ok(Some((packet, Vec::new())));
        }
        self.pending = Some(Box::new(Pending {
            packet,
            attachments: Vec::new(),
            attachment_bytes: 0,
        }));
        Ok(None)
    }

    /// Takes an Engine.IO binary message; gives the packet with its last attachment.
    pub fn binary(&mut self, bytes: Bytes, limits: &Limits) -> Result<Option<(Packet, Vec<Bytes>)>, Error> {
        let mut pending = self.pending.take().ok_or(Error::UnexpectedAttachment)?;
        pending.attachment_bytes = pending.attachment_bytes.saturating_add(bytes.len());
        if pending.attachment_bytes > limits.attachment_bytes_max {
            return Err(Error::AttachmentsTooBig);
        }
        pending.attachments.push(bytes);
        if pending.attachments.len() == pending.packet.attachments {
            let Pending {
                packet, attachments, ..
            } = *pending;
            return Ok(Some((packet, attachments)));
        }
        self.pending = Some(pending);
        Ok(None)
    }

    /// Whether a packet waits for attachments.
    pub const fn is_waiting(&self) -> bool {
        self.pending.is_some()
    }
}
