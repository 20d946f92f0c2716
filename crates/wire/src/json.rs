//! JSON as text: written byte by byte, and taken apart without spelling anew what is in it.

mod extent;
mod items;
mod members;
mod raw;
mod scan;

use std::borrow::Cow;

use scan::string_end;
use serde_json::value::RawValue;

pub(crate) use items::array_items;
pub use items::first_items;
pub(crate) use members::{Value, each_member};
pub use members::{member, members};
pub use raw::Json;

/// Why there is nothing to collect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CollectError {
    /// No JSON, more than one value, or another kind of value.
    Mismatch,
    /// More entries than wanted.
    TooMany,
}

/// Appends `text` as a JSON string, quotes included.
pub fn push_string(output: &mut Vec<u8>, text: &str) {
    output.push(b'"');
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (index, byte) in bytes.iter().enumerate() {
        let Some(escape) = escape(*byte) else { continue };
        output.extend_from_slice(&bytes[copied..index]);
        output.extend_from_slice(&escape.0[..escape.1]);
        copied = index + 1;
    }
    output.extend_from_slice(&bytes[copied..]);
    output.push(b'"');
}

/// The escape sequence of a byte that may not stand in a string as it is, and the sequence's length.
fn escape(byte: u8) -> Option<([u8; 6], usize)> {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0C => b'f',
        b'\r' => b'r',
        0x00..=0x1F => {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xF)]);
            return Some(([b'\\', b'u', b'0', b'0', high, low], 6));
        }
        _ => return None,
    };
    Some(([b'\\', letter, 0, 0, 0, 0], 2))
}

/// The text that a JSON string is; `None` for another value, and for one with half a surrogate pair, which no Rust string can hold.
pub fn text(json: &RawValue) -> Option<Cow<'_, str>> {
    let json = json.get();
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    // Without escapes, which it hardly ever has, it is spelled as it reads.
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(json).ok().map(Cow::Owned)
}

/// The same JSON without insignificant white space; keys, their order and the spelling of numbers stay.
pub fn minify(json: &RawValue) -> String {
    let text = json.get();
    let mut output = String::with_capacity(text.len());
    for piece in significant(text) {
        output.push_str(piece);
    }
    output
}

/// Appends what [`minify`] returns.
pub fn push_minified(output: &mut Vec<u8>, json: &RawValue) {
    for piece in significant(json.get()) {
        output.extend_from_slice(piece.as_bytes());
    }
}

/// The longest runs of `text` without white space outside of strings.
fn significant(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(is_white_space);
        let (piece, after) = rest.split_at(run_length(rest));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fn is_white_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

fn run_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        match byte {
            b'"' => index = string_end(bytes, index + 1),
            b' ' | b'\t' | b'\n' | b'\r' => return index,
            _ => index += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::{minify, push_minified, push_string};

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).expect(text)
    }

    #[test]
    fn only_insignificant_white_space_goes() {
        let table = [
            ("1.50e+3", "1.50e+3"),
            (
                "{ \"b\" : 1 ,\r\n\t\"a\" : [ 1.0 , -0 ] }",
                "{\"b\":1,\"a\":[1.0,-0]}",
            ),
            (
                r#"{"a b" : "x \" y\\" , "c" : "\\" }"#,
                r#"{"a b":"x \" y\\","c":"\\"}"#,
            ),
            (r#"{"a":1,"a":2}"#, r#"{"a":1,"a":2}"#),
            ("\"\u{a0} \u{2003}\"", "\"\u{a0} \u{2003}\""),
            (
                r#"[ "\u00e4" , 12345678901234567890123 ]"#,
                r#"["\u00e4",12345678901234567890123]"#,
            ),
        ];
        for (input, output) in table {
            assert_eq!(minify(raw(input)), output);
        }
    }

    #[test]
    fn strings_are_escaped_as_serde_json_does() {
        let every_ascii: String = (0..=127_u8).map(char::from).collect();
        for text in ["", "plain", "\"\\/", "\u{1e}\u{7f}", "𝄞 ä", &every_ascii] {
            let mut output = Vec::new();
            push_string(&mut output, text);
            assert_eq!(
                String::from_utf8(output).expect("text"),
                serde_json::to_string(text).expect("a string")
            );
        }
    }

    proptest! {
        #[test]
        fn minified_json_means_the_same(strings in proptest::collection::vec(any::<String>(), 0..5), number in any::<i64>()) {
            let value = serde_json::json!({ "s": strings, "n": number, "o": { "x": [null, true, {}] } });
            let pretty = serde_json::to_string_pretty(&value).expect("JSON");
            let compact = serde_json::to_string(&value).expect("JSON");
            prop_assert_eq!(minify(raw(&pretty)), compact.clone());
            let mut pushed = Vec::new();
            push_minified(&mut pushed, raw(&pretty));
            prop_assert_eq!(pushed, compact.into_bytes());
        }

        #[test]
        fn any_string_reads_back(text in any::<String>()) {
            let mut output = Vec::new();
            push_string(&mut output, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&output).expect("JSON"), text);
        }
    }
}
