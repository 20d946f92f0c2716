//! Deliveries of the Dapr source: what is let through is an object on one line, for the user who stands in it.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use serde_json::value::RawValue;
use tidings_sources::fuzzing::dapr;
use tidings_wire::json::minify;

/// Lines of headers, an empty line, the body.
pub(crate) fn run(input: &[u8]) {
    let mut headers = HeaderMap::new();
    let mut rest = input;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let mut halves = line.splitn(2, |byte| *byte == b':');
        let name = halves.next().and_then(|name| HeaderName::try_from(name).ok());
        match (name, halves.next().map(HeaderValue::from_bytes)) {
            (Some(name), Some(Ok(value))) => headers.append(name, value),
            _ => break,
        };
    }
    let events = dapr(&headers, rest);
    assert!(events.len() <= 1_000);
    for (rooms, data) in events.into_iter().flatten() {
        assert_eq!(rooms.len(), 1);
        let json: &RawValue = serde_json::from_str(&data).expect("data is JSON");
        assert!(data.starts_with('{') && minify(json) == data, "{data}");
        let user = rooms[0].as_str().strip_prefix("user:").expect("a user's room");
        assert!((1..=200).contains(&user.len()));
        if let Ok(value) = serde_json::from_str::<Value>(&data) {
            check_user(&value, user);
        }
    }
}

fn check_user(data: &Value, user: &str) {
    let paths = ["/user_id", "/data/user_id", "/payload/user_id"];
    let mut found = paths.iter().filter_map(|path| data.pointer(path));
    match found.find(|value| !value.is_null()) {
        Some(Value::String(name)) => assert_eq!(user, name),
        // Larger integers this reader takes for fractions.
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => {
            assert_eq!(user, number.to_string());
        }
        Some(Value::Number(_)) => {}
        other => panic!("{user:?} from {other:?}"),
    }
}
