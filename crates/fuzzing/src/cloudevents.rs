//! `CloudEvents`: what was read is, written anew, the same event.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use tidings_wire::cloudevents::{CloudEvent, Data, ExtensionValue, Mode, has_required_headers};

use crate::pieces::byte;

/// The first byte picks the form. Binary: lines of headers, an empty line, the body.
pub(crate) fn run(mut input: &[u8]) {
    match byte(&mut input) & 3 {
        0 => {
            if let Ok(event) = CloudEvent::from_structured(input) {
                check(&event);
            }
        }
        1 => {
            for event in CloudEvent::from_batch(input).into_iter().flatten().flatten() {
                check(&event);
            }
        }
        _ => binary(input),
    }
}

fn binary(input: &[u8]) {
    let mut rest = input;
    let mut headers = Vec::new();
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            break;
        };
        let Ok(name) = std::str::from_utf8(&line[..colon]) else {
            return;
        };
        headers.push((name, &line[colon + 1..]));
    }
    let content_type = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        .and_then(|(_, value)| std::str::from_utf8(value).ok());
    let has_required = has_required_headers(headers.iter().map(|(name, _)| *name));
    let _ = Mode::detect(content_type, has_required);
    let event = CloudEvent::from_binary_headers(headers.iter().copied(), content_type, rest);
    if let Ok(event) = event {
        assert!(has_required, "an event without its required headers");
        check(&event);
    }
}

fn check(event: &CloudEvent<'_>) {
    assert!(!event.id.is_empty() && !event.source.is_empty() && !event.kind.is_empty());
    assert_eq!(event.identity(), (&*event.source, &*event.id));
    let expected = describe(event);
    let json = structured(event);
    let again = CloudEvent::from_structured(json.as_bytes());
    let again = again.unwrap_or_else(|error| panic!("{error}: {json}"));
    assert_eq!(describe(&again), expected, "{json}");
    let batch = format!("[{json}]");
    let batch = CloudEvent::from_batch(batch.as_bytes()).expect("a batch of one");
    assert!(matches!(&batch[..], [Ok(event)] if describe(event) == expected));
    binary_again(event);
}

/// The attributes percent-encoded into headers.
fn binary_again(event: &CloudEvent<'_>) {
    let mut headers = Vec::new();
    for (name, value) in attributes(event) {
        if name == "datacontenttype" {
            continue;
        }
        let text = match value {
            ExtensionValue::Text(text) => text.into_owned(),
            ExtensionValue::Boolean(value) => value.to_string(),
            ExtensionValue::Integer(number) => number.to_string(),
            ExtensionValue::Other(json) => json.get().to_owned(),
        };
        headers.push((format!("Ce-{name}"), percent_encoded(&text)));
    }
    let headers = headers.iter().map(|(name, value)| (&**name, value.as_bytes()));
    let again = CloudEvent::from_binary_headers(headers, None, b"").expect("headers of an event");
    assert_eq!(again.identity(), event.identity());
    assert_eq!(
        (&again.kind, &again.subject, &again.time),
        (&event.kind, &event.subject, &event.time)
    );
    assert_eq!(again.extensions.len(), event.extensions.len());
}

fn percent_encoded(text: &str) -> String {
    let mut output = String::new();
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'%') || !byte.is_ascii_graphic() {
            let _ = write!(output, "%{byte:02X}");
        } else {
            output.push(char::from(byte));
        }
    }
    output
}

fn attributes<'a>(event: &'a CloudEvent<'a>) -> Vec<(&'a str, ExtensionValue<'a>)> {
    let text = |value: &'a str| ExtensionValue::Text(Cow::Borrowed(value));
    let mut attributes = vec![
        ("specversion", text("1.0")),
        ("id", text(&event.id)),
        ("source", text(&event.source)),
        ("type", text(&event.kind)),
    ];
    for (name, value) in [
        ("subject", &event.subject),
        ("datacontenttype", &event.datacontenttype),
        ("dataschema", &event.dataschema),
    ] {
        if let Some(value) = value {
            attributes.push((name, text(value)));
        }
    }
    if let Some(time) = event.time {
        attributes.push(("time", ExtensionValue::Text(time.to_string().into())));
    }
    let extensions = event.extensions.iter();
    attributes.extend(extensions.map(|(name, value)| (&**name, value.clone())));
    attributes
}

fn structured(event: &CloudEvent<'_>) -> String {
    let string = |text: &str| serde_json::to_string(text).expect("a string is JSON");
    let mut members = Vec::new();
    for (name, value) in attributes(event) {
        let value = match &value {
            ExtensionValue::Text(text) => string(text),
            ExtensionValue::Boolean(value) => value.to_string(),
            ExtensionValue::Integer(number) => number.to_string(),
            ExtensionValue::Other(json) => json.get().to_owned(),
        };
        members.push(format!("{}:{value}", string(name)));
    }
    match &event.data {
        Data::None => {}
        Data::Json(json) => members.push(format!("\"data\":{}", json.raw().get())),
        Data::Text(text) => members.push(format!("\"data\":{}", string(text))),
        Data::Binary(bytes) => members.push(format!("\"data_base64\":\"{}\"", STANDARD.encode(bytes))),
    }
    format!("{{{}}}", members.join(","))
}

fn describe(event: &CloudEvent<'_>) -> String {
    let raw = |json: &RawValue| json.get().to_owned();
    let data = match &event.data {
        Data::None => "none".to_owned(),
        Data::Json(json) => format!("json {}", raw(json.raw())),
        Data::Text(text) => format!("text {text:?}"),
        Data::Binary(bytes) => format!("binary {bytes:?}"),
    };
    let extensions: Vec<_> = event
        .extensions
        .iter()
        .map(|(name, value)| match value {
            ExtensionValue::Text(text) => format!("{name} text {text:?}"),
            ExtensionValue::Boolean(value) => format!("{name} {value}"),
            ExtensionValue::Integer(number) => format!("{name} {number}"),
            ExtensionValue::Other(json) => format!("{name} other {}", raw(json)),
        })
        .collect();
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {data} {extensions:?}",
        event.identity(),
        event.kind,
        event.subject,
        event.time,
        event.datacontenttype,
        event.dataschema
    )
}
