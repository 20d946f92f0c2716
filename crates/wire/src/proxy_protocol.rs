//! The PROXY protocol, versions 1 and 2: what a proxy writes in front of a connection to say whose it is.
//!
//! Source: "The PROXY protocol, versions 1 & 2", Willy Tarreau, revision of 2020/03/05 (sections 2.1 and 2.2).

mod text;

use std::net::{IpAddr, SocketAddr};

/// The longest header that is taken, in bytes. Version 2 could declare 65,551; the addresses need 52, the rest are a
/// proxy's remarks (TLVs), which are passed over.
pub const HEADER_BYTES_MAX: usize = 4_096;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const FIXED_BYTES: usize = 16;

/// A header, or as much of one as there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// What has come is the beginning of a header.
    Incomplete,
    /// The first `bytes` are the header.
    Complete {
        /// Its length.
        bytes: usize,
        /// Whose connection it is. `None`: the proxy speaks for itself (LOCAL) or does not say (UNKNOWN, or addresses
        /// of no internet family), and the socket's address counts.
        source: Option<SocketAddr>,
    },
}

/// The bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// They begin with neither version's signature.
    #[error("no PROXY protocol header")]
    NoHeader,
    /// A line of version 1 that is not as it must be.
    #[error("a malformed PROXY protocol line")]
    MalformedLine,
    /// A version, command, family or protocol that version 2 does not have.
    #[error("a PROXY protocol header with an unknown version, command or family")]
    Unknown,
    /// A header of version 2 too short for the addresses it announces.
    #[error("a PROXY protocol header without its addresses")]
    MissingAddresses,
    /// A header longer than [`HEADER_BYTES_MAX`].
    #[error("a PROXY protocol header that is too long")]
    TooLong,
}

/// Reads the header that `input` begins with. What is wrong is told as soon as it shows.
pub fn decode(input: &[u8]) -> Result<Decoded, Error> {
    if is_begun(input, &SIGNATURE) {
        binary(input)
    } else if is_begun(input, text::PREFIX) {
        text::decode(input)
    } else {
        Err(Error::NoHeader)
    }
}

/// Whether one of them begins with the other.
fn is_begun(input: &[u8], signature: &[u8]) -> bool {
    let length = input.len().min(signature.len());
    input[..length] == signature[..length]
}

fn binary(input: &[u8]) -> Result<Decoded, Error> {
    let Some((fixed, rest)) = input.split_first_chunk::<FIXED_BYTES>() else {
        return Ok(Decoded::Incomplete);
    };
    let [version_and_command, family, high, low] = [fixed[12], fixed[13], fixed[14], fixed[15]];
    let is_local = match version_and_command {
        0x20 => true,
        0x21 => false,
        _ => return Err(Error::Unknown),
    };
    let addresses_bytes = match family {
        0x00 => 0,
        0x11 | 0x12 => 12,
        0x21 | 0x22 => 36,
        0x31 | 0x32 => 216,
        _ => return Err(Error::Unknown),
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    // A proxy that speaks for itself may leave the addresses out.
    if length < addresses_bytes && !is_local {
        return Err(Error::MissingAddresses);
    }
    let bytes = FIXED_BYTES + length;
    if bytes > HEADER_BYTES_MAX {
        return Err(Error::TooLong);
    }
    if rest.len() < length {
        return Ok(Decoded::Incomplete);
    }
    let source = match family {
        _ if is_local => None,
        0x11 => rest.first_chunk().map(|ip: &[u8; 4]| (IpAddr::from(*ip), 8)),
        0x21 => rest.first_chunk().map(|ip: &[u8; 16]| (IpAddr::from(*ip), 32)),
        // What came to the proxy over no TCP has no address that could be compared with others.
        _ => None,
    };
    let source =
        source.map(|(ip, port)| SocketAddr::new(ip, u16::from_be_bytes([rest[port], rest[port + 1]])));
    Ok(Decoded::Complete { bytes, source })
}

#[cfg(test)]
mod tests;
