//! Strings, numbers and white space of JSON, by RFC 8259: where they end. Strings are looked at sixteen bytes at a time, which is all
//! that most of them have.

use wide::u8x16;

const STEP: usize = 16;

/// A string as it is spelled.
pub(super) struct Spelled {
    /// The place behind the quote that ends it.
    pub(super) end: usize,
    pub(super) has_escapes: bool,
}

/// The string that begins at `index`, behind its quote. `None` if it is none: without an end, with a control character, or with
/// an escape that does not exist. Half a surrogate pair passes.
pub(super) fn string(bytes: &[u8], index: usize) -> Option<Spelled> {
    let end = plain_end(bytes, index);
    if bytes.get(end) != Some(&b'"') {
        return escaped_string(bytes, end);
    }
    Some(Spelled {
        end: end + 1,
        has_escapes: false,
    })
}

/// The string in which something at `index` is not plain.
#[cold]
fn escaped_string(bytes: &[u8], mut index: usize) -> Option<Spelled> {
    loop {
        match bytes.get(index)? {
            b'"' => {
                return Some(Spelled {
                    end: index + 1,
                    has_escapes: true,
                });
            }
            b'\\' => index = plain_end(bytes, escape_end(bytes, index + 1)?),
            _ => return None,
        }
    }
}

/// The first quote, backslash or control character from `index` on, or the end.
#[inline]
fn plain_end(bytes: &[u8], index: usize) -> usize {
    first(bytes, index, |step| {
        let is_control = step.min(u8x16::splat(0x1F)).simd_eq(step);
        step.simd_eq(u8x16::splat(b'"')) | step.simd_eq(u8x16::splat(b'\\')) | is_control
    })
}

fn escape_end(bytes: &[u8], index: usize) -> Option<usize> {
    match bytes.get(index)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(index + 1),
        b'u' => {
            let digits = bytes.get(index + 1..index + 5)?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(index + 5)
        }
        _ => None,
    }
}

/// The same for a string that is known to be one: the place behind the quote that ends it.
pub(super) fn string_end(bytes: &[u8], mut index: usize) -> usize {
    loop {
        index = first(bytes, index, |step| {
            step.simd_eq(u8x16::splat(b'"')) | step.simd_eq(u8x16::splat(b'\\'))
        });
        match bytes.get(index) {
            Some(b'"') => return index + 1,
            Some(_) => index += 2,
            None => return bytes.len(),
        }
    }
}

/// The end of the number or literal that begins at `index`; `None` if it is neither.
pub(super) fn scalar_end(bytes: &[u8], index: usize) -> Option<usize> {
    let rest = bytes.get(index..)?;
    for literal in [&b"null"[..], b"true", b"false"] {
        if rest.starts_with(literal) {
            return Some(index + literal.len());
        }
    }
    let mut end = index + usize::from(rest.first() == Some(&b'-'));
    end = match bytes.get(end)? {
        b'0' => end + 1,
        _ => digits_end(bytes, end)?,
    };
    if bytes.get(end) == Some(&b'.') {
        end = digits_end(bytes, end + 1)?;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let has_sign = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
        end = digits_end(bytes, end + 1 + usize::from(has_sign))?;
    }
    Some(end)
}

/// Behind at least one digit.
fn digits_end(bytes: &[u8], index: usize) -> Option<usize> {
    let digits = bytes
        .get(index..)?
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let count = digits.count();
    (count > 0).then_some(index + count)
}

/// The first byte from `index` on that is no white space.
#[inline]
pub(super) fn skip_white_space(bytes: &[u8], index: usize) -> usize {
    match bytes.get(index) {
        Some(byte) if *byte <= b' ' => white_space_end(bytes, index),
        _ => index,
    }
}

#[cold]
fn white_space_end(bytes: &[u8], index: usize) -> usize {
    let is_white_space = |byte: &&u8| matches!(**byte, b' ' | b'\t' | b'\n' | b'\r');
    index + bytes[index..].iter().take_while(is_white_space).count()
}

/// The first byte from `index` on whose lane is set, or the end.
#[inline]
fn first(bytes: &[u8], mut index: usize, is_wanted: impl Fn(u8x16) -> u8x16) -> usize {
    while let Some(step) = bytes.get(index..).and_then(<[u8]>::first_chunk::<STEP>) {
        let hits = is_wanted(u8x16::new(*step)).to_bitmask();
        if hits != 0 {
            return index + hits.trailing_zeros() as usize;
        }
        index += STEP;
    }
    let rest = bytes.get(index..).unwrap_or_default();
    let mut step = [0; STEP];
    step[..rest.len()].copy_from_slice(rest);
    let hits = is_wanted(u8x16::new(step)).to_bitmask();
    index + rest.len().min(hits.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::{string, string_end};

    /// Every length around the steps, with every byte that is not plain at every place, and with as much behind.
    #[test]
    fn strings_end_where_they_end() {
        for length in 0..50 {
            for behind in [0, 1, 15, 16, 40] {
                let text = |at: usize, found: &str| {
                    let rest = "é".repeat(behind);
                    format!("\"{}{found}{}\"{rest}", "p".repeat(at), "p".repeat(length - at))
                };
                let plain = text(0, "");
                let found = string(plain.as_bytes(), 1).map(|found| (found.end, found.has_escapes));
                assert_eq!(found, Some((length + 2, false)));
                assert_eq!(string_end(plain.as_bytes(), 1), length + 2);
                assert!(string(&plain.as_bytes()[..=length], 1).is_none());
                for at in 0..=length {
                    for escape in ["\\\"", "\\\\", "\\n", "\\u00e4"] {
                        let escaped = text(at, escape);
                        let found = string(escaped.as_bytes(), 1).map(|found| (found.end, found.has_escapes));
                        assert_eq!(found, Some((length + escape.len() + 2, true)), "{escaped}");
                        assert_eq!(
                            string_end(escaped.as_bytes(), 1),
                            length + escape.len() + 2,
                            "{escaped}"
                        );
                    }
                    for refused in ["\0", "\n", "\u{1f}", "\\x", "\\u00g0"] {
                        assert!(
                            string(text(at, refused).as_bytes(), 1).is_none(),
                            "{refused:?} at {at} of {length}"
                        );
                    }
                    for taken in [" ", "!", "#", "[", "]", "\u{7f}", "\u{80}", "ÿ", "𝄞"] {
                        let end = string(text(at, taken).as_bytes(), 1).map(|found| found.end);
                        assert_eq!(
                            end,
                            Some(length + taken.len() + 2),
                            "{taken:?} at {at} of {length}"
                        );
                    }
                }
            }
        }
    }
}
