//! Strings, numbers and white space of JSON, by RFC 8259: where they end. Strings are looked at eight bytes at a time.

/// Bytes of a string looked at eight at a time; what is longer is searched with the processor's widest registers.
const SHORT_STRING_BYTES: usize = 64;
const ONES: u64 = u64::MAX / 255;
const HIGH_BITS: u64 = ONES * 128;

/// A string as it is spelled.
pub(super) struct Spelled {
    /// The place behind the quote that ends it.
    pub(super) end: usize,
    pub(super) has_escapes: bool,
}

/// The string that begins at `index`, behind its quote. `None` if it is none: without an end, with a control character, or with
/// an escape that does not exist. Half a surrogate pair passes.
pub(super) fn string(bytes: &[u8], mut index: usize) -> Option<Spelled> {
    let mut has_escapes = false;
    loop {
        index = plain_end(bytes, index);
        match bytes.get(index)? {
            b'"' => {
                let end = index + 1;
                return Some(Spelled { end, has_escapes });
            }
            b'\\' => {
                has_escapes = true;
                index = escape_end(bytes, index + 1)?;
            }
            _ => return None,
        }
    }
}

/// The first quote, backslash or control character from `index` on.
fn plain_end(bytes: &[u8], mut index: usize) -> usize {
    while let Some(word) = word(bytes, index) {
        let hits = is_byte(word, b'"') | is_byte(word, b'\\') | is_less(word, b' ');
        if hits != 0 {
            return index + first(hits);
        }
        index += 8;
    }
    let is_plain = |byte: &&u8| !matches!(**byte, b'"' | b'\\' | 0..=0x1F);
    index + bytes[index..].iter().take_while(is_plain).count()
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
    let short_end = index + SHORT_STRING_BYTES;
    while index < short_end
        && let Some(word) = word(bytes, index)
    {
        let hits = is_byte(word, b'"') | is_byte(word, b'\\');
        if hits == 0 {
            index += 8;
            continue;
        }
        index += first(hits);
        if bytes[index] == b'"' {
            return index + 1;
        }
        index += 2;
    }
    while let Some(found) = bytes
        .get(index..)
        .and_then(|rest| memchr::memchr2(b'"', b'\\', rest))
    {
        index += found;
        if bytes[index] == b'"' {
            return index + 1;
        }
        index += 2;
    }
    bytes.len()
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
pub(super) fn skip_white_space(bytes: &[u8], mut index: usize) -> usize {
    while matches!(bytes.get(index), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        index += 1;
    }
    index
}

fn word(bytes: &[u8], index: usize) -> Option<u64> {
    let word = bytes.get(index..)?.first_chunk()?;
    Some(u64::from_le_bytes(*word))
}

/// The high bit of each byte that is `byte`. Above the first hit there may be bits too many.
fn is_byte(word: u64, byte: u8) -> u64 {
    let difference = word ^ (ONES * u64::from(byte));
    difference.wrapping_sub(ONES) & !difference & HIGH_BITS
}

/// The high bit of each byte below `bound`, which is at most 128. Above the first hit there may be bits too many.
fn is_less(word: u64, bound: u8) -> u64 {
    word.wrapping_sub(ONES * u64::from(bound)) & !word & HIGH_BITS
}

fn first(hits: u64) -> usize {
    (hits.trailing_zeros() / 8) as usize
}
