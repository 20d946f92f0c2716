//! Public names of connections.

use std::fmt;
use std::str::FromStr;
use thiserror::Error;
use uuid::Uuid;

/// A connection's public id: 122 random bits. Shown as a UUID, or as 22 characters of base64url where a protocol
/// wants a short id (Socket.IO). It names a connection; it is no credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(Uuid);

/// A text that is neither form of a connection id.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a connection id is a UUID or 22 characters of base64url")]
pub struct ConnectionIdError;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const SHORT_LENGTH: usize = 22;

impl ConnectionId {
    /// A new random id.
    pub fn generate() -> ConnectionId {
        ConnectionId(Uuid::new_v4())
    }

    /// Bits to derive a jitter from.
    pub fn random_bits(self) -> u64 {
        self.0.as_u64_pair().1
    }

    /// The short form, 22 characters of base64url.
    pub fn short(self) -> String {
        let bits = self.0.as_u128();
        (0..SHORT_LENGTH)
            .map(|place| {
                // 22 characters hold 132 bits: the value stands left-aligned, the last four bits are zero.
                let shift = 122_i32 - 6 * i32::try_from(place).unwrap_or(0);
                let sextet = if shift >= 0 { bits >> shift } else { bits << -shift };
                char::from(ALPHABET[(sextet & 63) as usize])
            })
            .collect()
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ConnectionId {
    type Err = ConnectionIdError;

    fn from_str(text: &str) -> Result<ConnectionId, ConnectionIdError> {
        if text.len() != SHORT_LENGTH {
            return Uuid::try_parse(text)
                .map(ConnectionId)
                .map_err(|_| ConnectionIdError);
        }
        let mut bits = 0_u128;
        for (place, byte) in text.bytes().enumerate() {
            let sextet = ALPHABET
                .iter()
                .position(|&letter| letter == byte)
                .ok_or(ConnectionIdError)? as u128;
            if place + 1 < SHORT_LENGTH {
                bits = bits << 6 | sextet;
            } else if sextet.is_multiple_of(16) {
                bits = bits << 2 | sextet >> 4;
            } else {
                // More than 128 bits: a second spelling of an id.
                return Err(ConnectionIdError);
            }
        }
        Ok(ConnectionId(Uuid::from_u128(bits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_read_back() {
        for _ in 0..100 {
            let id = ConnectionId::generate();
            assert_eq!(id.short().len(), SHORT_LENGTH);
            assert_eq!(id.short().parse(), Ok(id));
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert!("nonsense".parse::<ConnectionId>().is_err());
        assert!("!!!!!!!!!!!!!!!!!!!!!!".parse::<ConnectionId>().is_err());
    }

    #[test]
    fn an_id_has_one_short_spelling() {
        assert!("Z-VQRBCxQm-SR4Z-ZexecQ".parse::<ConnectionId>().is_ok());
        for last in ALPHABET.iter().filter(|last| !b"AQgw".contains(last)) {
            let text = format!("Z-VQRBCxQm-SR4Z-Zexec{}", char::from(*last));
            assert_eq!(text.parse::<ConnectionId>(), Err(ConnectionIdError), "{text}");
        }
    }
}
