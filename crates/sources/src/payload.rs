//! An event's data as the JSON object that clients get.

use crate::DropReason;
use serde_json::value::RawValue;
use tidings_wire::cloudevents::Data;
use tidings_wire::json::{is_minified, minify};

/// The object in `data`, minified; an empty one for none. A text or bytes whose content is a JSON object is that object: older publishers
/// send it so.
pub(crate) fn object(data: Data) -> Result<Box<RawValue>, DropReason> {
    match data {
        Data::None => parse(b"{}"),
        Data::Json(json) if json.get().starts_with('"') => {
            let text: String = serde_json::from_str(json.get()).map_err(|_| DropReason::NotJson)?;
            parse(text.as_bytes())
        }
        Data::Json(json) => minified(json),
        Data::Text(text) => parse(text.as_bytes()),
        Data::Binary(bytes) => parse(&bytes),
    }
}

/// The object that `json` is, minified.
pub(crate) fn parse(json: &[u8]) -> Result<Box<RawValue>, DropReason> {
    minified(serde_json::from_slice(json).map_err(|_| DropReason::NotJson)?)
}

fn minified(json: Box<RawValue>) -> Result<Box<RawValue>, DropReason> {
    if !json.get().starts_with('{') {
        return Err(DropReason::NotJson);
    }
    if is_minified(&json) {
        return Ok(json);
    }
    RawValue::from_string(minify(&json)).map_err(|_| DropReason::NotJson)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Data {
        Data::Json(RawValue::from_string(text.to_owned()).unwrap())
    }

    #[test]
    fn keys_order_and_numbers_stay() {
        let table = [
            (
                json(r#"{ "b" : 1.50e+3, "a" : "x  y" }"#),
                Ok(r#"{"b":1.50e+3,"a":"x  y"}"#),
            ),
            (json(r#"{"b":1,"a":2}"#), Ok(r#"{"b":1,"a":2}"#)),
            (json(r#""{\"b\": 1, \"a\": 2}""#), Ok(r#"{"b":1,"a":2}"#)),
            (Data::Text(" {\"a\": [1 , 2]}\n".to_owned()), Ok(r#"{"a":[1,2]}"#)),
            (
                Data::Binary(b"{\"a\": \"\xc3\xa4\"}".to_vec()),
                Ok(r#"{"a":"ä"}"#),
            ),
            (
                Data::Binary(b"{\"a\":\"\xff\"}".to_vec()),
                Err(DropReason::NotJson),
            ),
            (json(r#""\"{}\"""#), Err(DropReason::NotJson)),
            (json(r#""plain""#), Err(DropReason::NotJson)),
            (json("[{}]"), Err(DropReason::NotJson)),
            (json("null"), Err(DropReason::NotJson)),
            (Data::Text("{} x".to_owned()), Err(DropReason::NotJson)),
            (Data::None, Ok("{}")),
        ];
        for (data, expected) in table {
            let shown = format!("{data:?}");
            assert_eq!(
                object(data)
                    .as_ref()
                    .map(|json| json.get())
                    .map_err(|reason| *reason),
                expected,
                "{shown}"
            );
        }
    }
}
