//! Walking server frames by their headers.

/// A text frame.
pub const TEXT: u8 = 0x1;
/// A binary frame.
pub const BINARY: u8 = 0x2;
/// A close frame.
pub const CLOSE: u8 = 0x8;
/// A ping frame.
pub const PING: u8 = 0x9;
/// A pong frame.
pub const PONG: u8 = 0xA;

/// One unmasked frame as it lies in a read buffer.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The four bits of the opcode.
    pub opcode: u8,
    /// What follows the header.
    pub payload: &'a [u8],
    /// Header and payload together.
    pub length: usize,
}

/// The first frame of `input`, or `None` while it is not whole.
pub fn first(input: &[u8]) -> Option<Frame<'_>> {
    let [start, length, ..] = input else { return None };
    let (header, payload_length) = match length & 0x7f {
        126 => (
            4,
            usize::from(u16::from_be_bytes(*input.get(2..)?.first_chunk()?)),
        ),
        127 => (
            10,
            usize::try_from(u64::from_be_bytes(*input.get(2..)?.first_chunk()?)).ok()?,
        ),
        short => (2, usize::from(short)),
    };
    let end = payload_length.checked_add(header)?;
    let payload = input.get(header..end)?;
    Some(Frame {
        opcode: start & 0x0f,
        payload,
        length: end,
    })
}

/// A finished text frame as a server sends it.
pub fn text(payload: &[u8]) -> Vec<u8> {
    let mut frame = header(TEXT, payload.len(), 0);
    frame.extend_from_slice(payload);
    frame
}

/// A finished frame as a client sends it. The mask is zero: legal, and nothing here hides from a proxy.
pub fn client(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(opcode, payload.len(), 0x80);
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// A pong as a client sends it.
pub fn client_pong(payload: &[u8]) -> Vec<u8> {
    client(PONG, &payload[..payload.len().min(125)])
}

fn header(opcode: u8, length: usize, masked: u8) -> Vec<u8> {
    let mut frame = Vec::with_capacity(length + 14);
    frame.push(0x80 | opcode);
    match length {
        short @ 0..=125 => frame.push(masked + short as u8),
        middle @ 126..=0xffff => {
            frame.push(masked + 126);
            frame.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            frame.push(masked + 127);
            frame.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_form_is_read_back() {
        for length in [0, 1, 125, 126, 140, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut bytes = text(&payload);
            let whole = bytes.len();
            bytes.extend_from_slice(b"next");
            let frame = first(&bytes).unwrap();
            assert_eq!(
                (frame.opcode, frame.payload.len(), frame.length),
                (TEXT, length, whole)
            );
        }
    }

    #[test]
    fn a_client_masks_with_zero() {
        assert_eq!(client(BINARY, b"ab"), [0x82, 0x82, 0, 0, 0, 0, b'a', b'b']);
        assert_eq!(client(TEXT, &[b'x'; 300])[..4], [0x81, 0x80 + 126, 1, 44]);
        assert_eq!(client_pong(&[b'x'; 200]).len(), 131);
    }

    #[test]
    fn a_frame_cut_anywhere_is_not_a_frame() {
        let bytes = text(&[b'x'; 140]);
        for cut in 0..bytes.len() {
            assert_eq!(first(&bytes[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn a_length_beyond_memory_is_no_frame() {
        assert_eq!(
            first(&[0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255, 0]),
            None
        );
    }
}
