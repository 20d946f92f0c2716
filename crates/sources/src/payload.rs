//! An event's data as the JSON object that clients get.

use crate::DropReason;
use serde_json::value::RawValue;
use std::borrow::Cow;
use tidings_wire::cloudevents::Data;
use tidings_wire::json::{Json, text};

/// The object in `data`, minified; an empty one for none. A text or bytes whose content is a JSON object is that object: older publishers
/// send it so.
pub(crate) fn object(data: Data<'_>) -> Result<Cow<'_, RawValue>, DropReason> {
    match data {
        Data::None => parse("{}".as_bytes().into()),
        Data::Json(json) => match text(json.raw()) {
            Some(text) => parse(into_bytes(text)),
            None => minified(json),
        },
        Data::Text(text) => parse(into_bytes(text)),
        Data::Binary(bytes) => parse(bytes),
    }
}

fn parse(json: Cow<'_, [u8]>) -> Result<Cow<'_, RawValue>, DropReason> {
    match json {
        Cow::Borrowed(json) => read(json),
        Cow::Owned(json) => Ok(Cow::Owned(read(&json)?.into_owned())),
    }
}

fn read(json: &[u8]) -> Result<Cow<'_, RawValue>, DropReason> {
    minified(Json::from_slice(json).ok_or(DropReason::NotJson)?)
}

fn into_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn minified(json: Json<'_>) -> Result<Cow<'_, RawValue>, DropReason> {
    if json.raw().get().starts_with('{') {
        Ok(json.minified())
    } else {
        Err(DropReason::NotJson)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Data<'_> {
        Data::Json(Json::from_slice(text.as_bytes()).unwrap())
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
            (Data::Text(" {\"a\": [1 , 2]}\n".into()), Ok(r#"{"a":[1,2]}"#)),
            (Data::Binary(b"{\"a\": \"\xc3\xa4\"}".into()), Ok(r#"{"a":"ä"}"#)),
            (Data::Binary(b"{\"a\":\"\xff\"}".into()), Err(DropReason::NotJson)),
            (json(r#""\"{}\"""#), Err(DropReason::NotJson)),
            (json(r#""plain""#), Err(DropReason::NotJson)),
            (json("[{}]"), Err(DropReason::NotJson)),
            (json("null"), Err(DropReason::NotJson)),
            (Data::Text("{} x".into()), Err(DropReason::NotJson)),
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
