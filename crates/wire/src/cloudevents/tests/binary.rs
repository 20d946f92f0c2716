use super::{describe, extension};
use crate::cloudevents::{CloudEvent, Error, Mode, has_required_headers, is_json};
use crate::time::Timestamp;

const REQUIRED: [(&str, &[u8]); 4] = [
    ("ce-specversion", b"1.0"),
    ("ce-type", b"t"),
    ("CE-Source", b"/s"),
    ("Ce-Id", b"A1"),
];

fn event(
    more: &[(&'static str, &'static [u8])],
    content_type: Option<&str>,
    body: &'static [u8],
) -> Result<CloudEvent<'static>, Error> {
    CloudEvent::from_binary_headers(REQUIRED.iter().chain(more).copied(), content_type, body)
}

#[test]
fn attributes_stand_in_headers() {
    let more: [(&str, &[u8]); 4] = [
        ("content-length", b"2"),
        ("ce-time", b"2026-02-07T12:00:00Z"),
        ("ce-TraceParent", b"00-1-1-01"),
        ("ce-subject", b"a%20b"),
    ];
    let event = event(&more, Some("application/json"), b"{}").expect("an event");
    assert_eq!(event.identity(), ("/s", "A1"));
    assert_eq!(event.kind, "t");
    assert_eq!(event.subject.as_deref(), Some("a b"));
    assert_eq!(event.time, Some(Timestamp::from_millis(1_770_465_600_000)));
    assert_eq!(event.datacontenttype.as_deref(), Some("application/json"));
    assert_eq!(extension(&event, "traceparent"), "text 00-1-1-01");
    assert_eq!(event.extensions.len(), 1);
}

#[test]
fn the_body_is_the_data() {
    let table: [(Option<&str>, &[u8], &str); 9] = [
        (
            Some("application/json"),
            b" {\"b\":1.0, \"a\":2} ",
            "json {\"b\":1.0, \"a\":2}",
        ),
        (
            Some("application/problem+json; charset=utf-8"),
            b"\"x\"",
            "json \"x\"",
        ),
        (Some("application/json"), b"null", "json null"),
        (Some("application/json"), b"", "none"),
        (Some("Text/Plain; charset=utf-8"), "ä".as_bytes(), "text ä"),
        (Some("text/plain"), b"\xff", "binary [255]"),
        (Some("application/octet-stream"), b"ab", "binary [97, 98]"),
        (None, b"{}", "binary [123, 125]"),
        (None, b"", "none"),
    ];
    for (content_type, body, data) in table {
        assert_eq!(describe(&event(&[], content_type, body).expect(data)), data);
    }
}

#[test]
fn header_values_are_decoded_once() {
    let table: [(&'static [u8], &str); 13] = [
        (b"Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \u{20ac} \u{1f600}"),
        (b"%e2%82%ac", "\u{20ac}"),
        (b"%41", "A"),
        (b"%2541", "%41"),
        (b"a b", "a b"),
        (b"\"a b\"", "a b"),
        (b"\"a \\\"b\\\\ %20\"", "a \"b\\  "),
        (b"x\"y\"z", "xyz"),
        (b"a\\b", "a\\b"),
        (b"%22x%22", "\"x\""),
        ("ä".as_bytes(), "ä"),
        (b"\"\"", ""),
        (b"", ""),
    ];
    for (value, decoded) in table {
        let event = event(&[("ce-x", value)], None, b"").expect(decoded);
        assert_eq!(extension(&event, "x"), format!("text {decoded}"));
    }
    let refused: [&'static [u8]; 8] = [
        b"%", b"%2", b"%zz", b"%C0%AF", b"%E2%82", b"\xff", b"\"open", b"\"end\\",
    ];
    for value in refused {
        let error = event(&[("ce-x", value)], None, b"").expect_err("refused");
        assert_eq!(error, Error::InvalidValue("x".to_owned()), "{value:?}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let table: [(&'static str, Error); 6] = [
        ("ce-datacontenttype", Error::ContentTypeHeader),
        ("ce-data", Error::InvalidName("data".to_owned())),
        ("ce-", Error::InvalidName(String::new())),
        ("ce-a_b", Error::InvalidName("a_b".to_owned())),
        ("ce-id", Error::Duplicate("id".to_owned())),
        ("ce-time", Error::InvalidValue("time".to_owned())),
    ];
    for (header, error) in table {
        assert_eq!(event(&[(header, b"x")], None, b"").expect_err(header), error);
    }
    assert_eq!(
        event(&[], Some("application/json"), b"{").expect_err("no JSON"),
        Error::InvalidJson
    );
    let without_id = REQUIRED[..3].iter().copied();
    let error = CloudEvent::from_binary_headers(without_id, None, b"").expect_err("no id");
    assert_eq!(error, Error::Missing("id"));
}

#[test]
fn modes() {
    let table = [
        (Some("application/cloudevents+json"), false, Mode::Structured),
        (
            Some("Application/CloudEvents+JSON; charset=utf-8"),
            true,
            Mode::Structured,
        ),
        (Some("application/cloudevents-batch+json"), true, Mode::Batch),
        (Some("APPLICATION/CLOUDEVENTS-BATCH+JSON"), false, Mode::Batch),
        (Some("application/json"), true, Mode::Binary),
        (None, true, Mode::Binary),
        (Some("application/json"), false, Mode::Bare),
        (Some("application/cloud"), false, Mode::Bare),
        (Some("applicätion/cloudevents+json"), false, Mode::Bare),
        (None, false, Mode::Bare),
    ];
    for (content_type, has_headers, mode) in table {
        assert_eq!(Mode::detect(content_type, has_headers), mode, "{content_type:?}");
    }
}

#[test]
fn required_headers() {
    assert!(has_required_headers([
        "ce-type",
        "host",
        "CE-ID",
        "ce-source",
        "Ce-Specversion"
    ]));
    assert!(!has_required_headers([
        "ce-type",
        "ce-type",
        "ce-id",
        "ce-source"
    ]));
    assert!(!has_required_headers([]));
}

#[test]
fn json_media_types() {
    for json in [
        "application/json",
        "TEXT/JSON",
        "application/a+b+json ; x=y",
        "application/cloudevents+json",
    ] {
        assert!(is_json(json), "{json}");
    }
    for other in [
        "",
        "json",
        "application/jsonp",
        "application/json+xml",
        "text/plain; a=application/json",
    ] {
        assert!(!is_json(other), "{other}");
    }
}
