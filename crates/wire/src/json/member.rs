//! One member of an object, found without reading the rest as anything.

use serde_json::value::RawValue;

use super::scan::{skip_white_space, string_end};
use super::text;

/// The value of `key`, the last one if it comes twice, as `JSON.parse` has it. `None` if there is none, or `json` is no object.
pub fn member<'a>(json: &'a RawValue, key: &str) -> Option<&'a RawValue> {
    let json = json.get();
    let bytes = json.as_bytes();
    let mut index = json.starts_with('{').then_some(1)?;
    let mut found = None;
    loop {
        index = skip_white_space(bytes, index);
        match bytes.get(index)? {
            b'"' => {}
            b',' => {
                index += 1;
                continue;
            }
            // The end: behind a value nothing else can stand.
            _ => break,
        }
        let key_end = string_end(bytes, index + 1);
        let is_wanted = means(&json[index..key_end], key);
        let colon = skip_white_space(bytes, key_end);
        let value = skip_white_space(bytes, colon + 1);
        index = value_end(bytes, value);
        if is_wanted {
            found = Some(&json[value..index]);
        }
    }
    serde_json::from_str(found?).ok()
}

/// Whether a key as it is spelled means `key`.
fn means(spelled: &str, key: &str) -> bool {
    let inner = &spelled.as_bytes()[1..spelled.len() - 1];
    if memchr::memchr(b'\\', inner).is_none() {
        return inner == key.as_bytes();
    }
    let spelled: Option<&RawValue> = serde_json::from_str(spelled).ok();
    spelled.and_then(text).is_some_and(|meant| meant == key)
}

fn value_end(bytes: &[u8], mut index: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(byte) = bytes.get(index) {
        match byte {
            b'"' => {
                index = string_end(bytes, index + 1);
                if depth == 0 {
                    return index;
                }
                continue;
            }
            b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return index,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return index + 1;
                }
            }
            _ => {}
        }
        index += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::member;

    fn found<'a>(json: &'a str, key: &str) -> Option<&'a str> {
        let json: &RawValue = serde_json::from_str(json).expect(json);
        member(json, key).map(RawValue::get)
    }

    #[test]
    fn members_are_found_by_their_meaning() {
        let table = [
            (r#"{"a":1}"#, Some("1")),
            (r#" { "b" : {"a":2} , "a" : [ 1.0 ] } "#, Some("[ 1.0 ]")),
            (r#"{"a":{"b":[{}, "]}"]} , "c":1}"#, Some(r#"{"b":[{}, "]}"]}"#)),
            (r#"{"a":1,"a":2}"#, Some("2")),
            (r#"{"a":"x\\","b":"\"a"}"#, Some(r#""x\\""#)),
            (r#"{"\u0061":"x"}"#, Some(r#""x""#)),
            (r#"{"\ud800":1,"a":2}"#, Some("2")),
            (r#"{"b":{"a":1}}"#, None),
            (r#"{"b":"a","c":-1e3}"#, None),
            ("{ }", None),
            ("[\"a\",1]", None),
            ("\"a\"", None),
            ("1", None),
        ];
        for (json, expected) in table {
            assert_eq!(found(json, "a"), expected, "{json}");
        }
        assert_eq!(found(r#"{"\n":1}"#, "\\n"), None);
        assert_eq!(found(r#"{"\\n":1}"#, "\\n"), Some("1"));
    }

    #[test]
    fn depth_does_not_matter() {
        let deep = format!("{{\"x\":{}{},\"a\":1}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(found(&deep, "a"), Some("1"));
    }

    proptest! {
        #[test]
        fn it_finds_what_a_parser_finds(
            members in proptest::collection::vec((any::<String>(), any::<String>(), any::<i64>()), 0..6),
            is_pretty in any::<bool>(),
        ) {
            let object: serde_json::Map<_, _> = members
                .iter()
                .map(|(key, text, number)| (key.clone(), serde_json::json!({ "t": [text, number], "n": number })))
                .collect();
            let json = if is_pretty {
                serde_json::to_string_pretty(&object)
            } else {
                serde_json::to_string(&object)
            };
            let json = json.expect("JSON");
            for (key, value) in &object {
                let found: serde_json::Value = serde_json::from_str(found(&json, key).expect("a member")).expect("JSON");
                prop_assert_eq!(&found, value);
            }
        }
    }
}
