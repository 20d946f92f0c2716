//! The head of a packet, from left to right: `<type>[<attachments>-][<namespace>,][<ack id>]`.

use super::Error;
use super::packet::{Kind, Limits};

/// What is still to be read of a packet's text.
pub(super) struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self(text)
    }

    pub(super) fn kind(&mut self) -> Result<Kind, Error> {
        let mut characters = self.0.chars();
        let kind = match characters.next().ok_or(Error::Empty)? {
            '0' => Kind::Connect,
            '1' => Kind::Disconnect,
            '2' => Kind::Event,
            '3' => Kind::Ack,
            '4' => Kind::ConnectError,
            '5' => Kind::BinaryEvent,
            '6' => Kind::BinaryAck,
            _ => return Err(Error::UnknownType),
        };
        self.0 = characters.as_str();
        Ok(kind)
    }

    pub(super) fn attachments(&mut self, limits: &Limits) -> Result<usize, Error> {
        let digits = self.digits();
        self.0 = self.0.strip_prefix('-').ok_or(Error::InvalidAttachmentCount)?;
        if digits.is_empty() {
            return Err(Error::InvalidAttachmentCount);
        }
        // Digits that do not fit a number are too many in any case.
        let count = digits.parse().unwrap_or(usize::MAX);
        if count == 0 {
            // Without attachments a packet has another type.
            Err(Error::InvalidAttachmentCount)
        } else if count > limits.attachments_max {
            Err(Error::TooManyAttachments)
        } else {
            Ok(count)
        }
    }

    /// The namespace is compared whole, a query part is not cut off. The comma may be missing if nothing follows.
    pub(super) fn namespace(&mut self, limits: &Limits) -> Result<&'a str, Error> {
        if !self.0.starts_with('/') {
            return Ok("/");
        }
        let (namespace, rest) = self.0.split_once(',').unwrap_or((self.0, ""));
        if namespace.len() > limits.namespace_bytes_max || namespace.chars().any(char::is_control) {
            return Err(Error::InvalidNamespace);
        }
        self.0 = rest;
        Ok(namespace)
    }

    pub(super) fn ack_id(&mut self) -> Result<Option<u64>, Error> {
        match self.digits() {
            "" => Ok(None),
            digits => digits.parse().map(Some).map_err(|_| Error::InvalidAckId),
        }
    }

    /// The JSON text after the head, if there is any.
    pub(super) fn payload(self) -> Option<&'a str> {
        (!self.0.is_empty()).then_some(self.0)
    }

    fn digits(&mut self) -> &'a str {
        let end = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        digits
    }
}
