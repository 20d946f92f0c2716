//! Work on JSON text.

use serde_json::Value;
use serde_json::value::RawValue;
use tidings_wire::json::{Json, minify, push_minified, push_string};

pub(crate) fn run(input: &[u8]) {
    let scanned = Json::from_slice(input);
    let parsed: Option<&RawValue> = serde_json::from_slice(input).ok();
    assert_eq!(scanned.map(|json| json.raw().get()), parsed.map(RawValue::get));
    if let Some(json) = scanned {
        assert_eq!(json.minified().get(), minify(json.raw()));
    }

    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let mut written = Vec::new();
    push_string(&mut written, text);
    assert_eq!(written, serde_json::to_vec(text).expect("a string is JSON"));

    let Ok(json) = serde_json::from_str::<&RawValue>(text) else {
        return;
    };
    let minified = minify(json);
    let mut pushed = Vec::new();
    push_minified(&mut pushed, json);
    assert_eq!(pushed, minified.as_bytes());
    assert_eq!(minified, without_white_space(json.get()));
    let again: &RawValue = serde_json::from_str(&minified).expect("minified JSON is JSON");
    assert_eq!(minify(again), minified);
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        assert_eq!(serde_json::from_str::<Value>(&minified).ok(), Some(value));
    }
}

/// The same by another way: strings are read to their ends by serde.
fn without_white_space(json: &str) -> String {
    let mut output = String::new();
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let length = if first == '"' {
            let mut strings = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
            strings
                .next()
                .and_then(Result::ok)
                .map_or(rest.len(), |string| string.get().len())
        } else {
            first.len_utf8()
        };
        if !matches!(first, ' ' | '\t' | '\n' | '\r') {
            output.push_str(&rest[..length]);
        }
        rest = &rest[length..];
    }
    output
}
