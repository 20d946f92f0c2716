//! A JSON value that was looked at once and need not be looked at again.

use std::borrow::Cow;
use std::iter::once;

use serde::Deserialize;
use serde::de::value::{BorrowedStrDeserializer, Error, MapDeserializer};
use serde_json::value::RawValue;

use super::extent::{Extent, extent};
use super::minify;
use super::scan::skip_white_space;

/// The name by which `serde_json`'s values tell their text. Under another one they are read anew.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// A JSON value as it was spelled.
#[derive(Clone, Copy, Debug)]
pub struct Json<'a> {
    raw: &'a RawValue,
    has_white_space: bool,
}

impl<'a> Json<'a> {
    /// Reads one value with nothing around it but white space; `None` if it is none.
    pub fn from_slice(json: &'a [u8]) -> Option<Json<'a>> {
        let text = std::str::from_utf8(json).ok()?;
        let start = skip_white_space(json, 0);
        let Extent { end, has_white_space } = extent(json, start)?;
        (skip_white_space(json, end) == json.len()).then(|| Json::scanned(&text[start..end], has_white_space))
    }

    /// What the scanner has found to be a value.
    pub(super) fn scanned(json: &'a str, has_white_space: bool) -> Json<'a> {
        Json {
            raw: raw(json),
            has_white_space,
        }
    }

    /// The value as serde has it.
    pub fn raw(self) -> &'a RawValue {
        self.raw
    }

    /// The value without insignificant white space.
    pub fn minified(self) -> Cow<'a, RawValue> {
        if !self.has_white_space {
            return Cow::Borrowed(self.raw);
        }
        Cow::Owned(raw(&minify(self.raw)).to_owned())
    }
}

/// A value that is known to be one. The way through a deserializer is the only one that `serde_json` has to a borrowed value, and
/// from its own it would read the text once more.
pub(super) fn raw(json: &str) -> &RawValue {
    let members = once((RAW_VALUE, BorrowedStrDeserializer::<Error>::new(json)));
    <&RawValue>::deserialize(MapDeserializer::new(members))
        .or_else(|_| serde_json::from_str(json))
        .expect("Invariant: a value that was scanned is JSON")
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::{Json, minify, raw};

    /// That it is read as `serde_json` reads it, and what minified means.
    fn agrees(text: &[u8]) {
        let expected: Option<&RawValue> = serde_json::from_slice(text).ok();
        let found = Json::from_slice(text);
        let shown = String::from_utf8_lossy(text);
        assert_eq!(
            found.map(|json| json.raw().get()),
            expected.map(RawValue::get),
            "{shown}"
        );
        if let Some(json) = found {
            let minified = minify(json.raw());
            let is_minified = minified == json.raw().get();
            let found = json.minified();
            assert_eq!(
                (found.get(), matches!(found, Cow::Borrowed(_))),
                (&*minified, is_minified),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_value_is_what_serde_takes_for_one() {
        let values = [
            "{}",
            "[]",
            "\"\"",
            "0",
            " {\"a\":[{},[],\"x\",-1.5e3,null]} ",
            "{\"a\":1,}",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\" 1}",
            "{a:1}",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[",
            "{",
            "]",
            "}",
            "[}",
            "{]",
            "[{]}",
            "{\"a\":[}",
            "[[]",
            "{} {}",
            "[]]",
            "",
            " ",
            "\"a",
            "\"\\",
            "\"\\u00",
            "{ }",
            "[ ]",
            "{\"a\" : 1}",
            "[1 ,2]",
            "[1, 2]",
            "{\"a b\":\"c d\"}",
            "[\t1]",
            "[\u{b}1]",
            "\"\u{1f}\"",
            "[\"\\ud800\"]",
            "{\"\\u0061\":1}",
            "[01]",
            "[1.]",
            "[-]",
            "[nul]",
            "[truefalse]",
        ];
        for value in values {
            agrees(value.as_bytes());
        }
        agrees(b"\"\xff\"");
        agrees(b"[1]\xff");
    }

    #[test]
    fn depth_is_bounded_by_the_text_alone() {
        for depth in [1, 2, 63, 64, 65, 66, 127, 128, 129, 193, 10_000] {
            let opening: String = (0..depth)
                .map(|level| if level % 3 == 0 { "{\"k\":" } else { "[" })
                .collect();
            let closing: Vec<&str> = (0..depth)
                .rev()
                .map(|level| if level % 3 == 0 { "}" } else { "]" })
                .collect();
            agrees(format!("{opening}1{}", closing.concat()).as_bytes());
            agrees(format!("{opening}1{}", closing[1..].concat()).as_bytes());
            agrees(format!("{opening}1{}]", closing.concat()).as_bytes());
            for wrong in [0, depth / 2, depth - 1] {
                let mut closing = closing.clone();
                closing[wrong] = if closing[wrong] == "}" { "]" } else { "}" };
                agrees(format!("{opening}1{}", closing.concat()).as_bytes());
            }
        }
    }

    #[test]
    fn what_was_scanned_is_not_read_again() {
        // serde_json would refuse it.
        assert_eq!(raw("no JSON").get(), "no JSON");
    }

    proptest! {
        #[test]
        fn any_text_is_judged_as_serde_judges_it(text in "([ \\[\\]{}\"a\\\\u0-9:,.eE\n-]|true|null|\"b\"){0,16}") {
            agrees(text.as_bytes());
            agrees(format!("[{text}]").as_bytes());
            agrees(format!("{{\"a\":{text}}}").as_bytes());
        }

        #[test]
        fn any_value_is_found_whole(
            strings in proptest::collection::vec(any::<String>(), 0..6),
            number in any::<f64>(),
            is_pretty in any::<bool>(),
        ) {
            let value = serde_json::json!({ "s": strings, "n": number, "o": { "x": [null, true, [], {}, { "y": strings }] } });
            let text = if is_pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let text = text.expect("JSON");
            agrees(text.as_bytes());
            agrees(format!(" {text}\n").as_bytes());
            for end in text.char_indices().map(|(index, _)| index) {
                prop_assert!(Json::from_slice(&text.as_bytes()[..end]).is_none());
            }
        }
    }
}
