//! Values of any kind: where they end, and whether anything in them could be left out.

use super::scan::{scalar_end, skip_white_space, string};

/// How far a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// The place behind it.
    pub(super) end: usize,
    /// Whether it has white space outside of strings.
    pub(super) has_white_space: bool,
}

/// The value that begins at `index`, of any depth. `None` if it is none.
pub(super) fn extent(bytes: &[u8], index: usize) -> Option<Extent> {
    let mut scan = Scan {
        bytes,
        index,
        has_white_space: false,
    };
    let mut open = Open::default();
    loop {
        // A value stands here.
        let is_object = match bytes.get(scan.index)? {
            b'{' => Some(true),
            b'[' => Some(false),
            b'"' => {
                scan.index = string(bytes, scan.index + 1)?.end;
                None
            }
            _ => {
                scan.index = scalar_end(bytes, scan.index)?;
                None
            }
        };
        if let Some(is_object) = is_object {
            scan.index += 1;
            open.push(is_object);
            let first = scan.next_byte()?;
            if first != closing(is_object) {
                if is_object {
                    scan.key()?;
                }
                continue;
            }
        }
        // A value ends here, or a bracket is about to be closed: on to the next value, or out of what is open.
        loop {
            let Some(is_object) = open.last() else {
                return Some(Extent {
                    end: scan.index,
                    has_white_space: scan.has_white_space,
                });
            };
            let byte = scan.next_byte()?;
            scan.index += 1;
            if byte == closing(is_object) {
                open.pop();
                continue;
            }
            if byte != b',' {
                return None;
            }
            scan.next_byte()?;
            if is_object {
                scan.key()?;
            }
            break;
        }
    }
}

fn closing(is_object: bool) -> u8 {
    if is_object { b'}' } else { b']' }
}

struct Scan<'a> {
    bytes: &'a [u8],
    index: usize,
    has_white_space: bool,
}

impl Scan<'_> {
    /// The next byte that is no white space, to which it goes.
    fn next_byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.index)?;
        if byte > b' ' {
            return Some(byte);
        }
        let index = skip_white_space(self.bytes, self.index);
        self.has_white_space |= index > self.index;
        self.index = index;
        self.bytes.get(index).copied()
    }

    /// Goes over the key that stands here and its colon.
    fn key(&mut self) -> Option<()> {
        if self.bytes.get(self.index) != Some(&b'"') {
            return None;
        }
        self.index = string(self.bytes, self.index + 1)?.end;
        if self.next_byte()? != b':' {
            return None;
        }
        self.index += 1;
        self.next_byte().map(drop)
    }
}

/// What is open, a bit each: whether it is an object. The innermost 64 stand in one word.
#[derive(Default)]
struct Open {
    inner: u64,
    depth: usize,
    outer: Vec<u64>,
}

impl Open {
    fn push(&mut self, is_object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.inner);
        }
        self.inner = self.inner << 1 | u64::from(is_object);
        self.depth += 1;
    }

    fn last(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.inner & 1 == 1)
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.inner >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.inner = self.outer.pop().unwrap_or_default();
        }
    }
}
