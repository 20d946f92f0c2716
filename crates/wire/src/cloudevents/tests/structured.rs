use super::{describe, extension};
use crate::cloudevents::{BATCH_EVENTS_MAX, CloudEvent, Error};

/// An event with the required attributes and `more`, which begins with a comma if it is not empty.
fn event(more: &str) -> Result<CloudEvent<'static>, Error> {
    let json = format!(r#"{{"specversion":"1.0","id":"A1","source":"/s","type":"t"{more}}}"#);
    CloudEvent::from_structured(json.leak().as_bytes())
}

#[test]
fn an_event_as_dapr_delivers_it() {
    let json = br#"{
        "data": {"task_id": 7, "user_id": "u1", "price": 1.50},
        "datacontenttype": "application/json",
        "id": "5929aaac-a5e2-4ca1-859c-edfe73f11565",
        "pubsubname": "kafka-pubsub",
        "source": "task-service",
        "specversion": "1.0",
        "time": "2026-02-07T13:00:00+01:00",
        "topic": "task-updates",
        "traceid": "00-113ad9c4e42b27583ae98ba698d54255-e3743e35ff56f219-01",
        "tracestate": "",
        "type": "com.dapr.event.sent"
    }"#;
    let event = CloudEvent::from_structured(json).expect("an event");
    assert_eq!(
        event.identity(),
        ("task-service", "5929aaac-a5e2-4ca1-859c-edfe73f11565")
    );
    assert_eq!(event.kind, "com.dapr.event.sent");
    assert_eq!(
        event.time.map(|time| time.to_string()).as_deref(),
        Some("2026-02-07T12:00:00.000Z")
    );
    assert_eq!(event.datacontenttype.as_deref(), Some("application/json"));
    assert_eq!(
        describe(&event),
        r#"json {"task_id": 7, "user_id": "u1", "price": 1.50}"#
    );
    let names: Vec<_> = event.extensions.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["pubsubname", "topic", "traceid", "tracestate"]);
    assert_eq!(extension(&event, "topic"), "text task-updates");
    assert_eq!((event.subject, event.dataschema), (None, None));
}

#[test]
fn data_by_content_type() {
    let table = [
        ("", "none"),
        (r#","data":null"#, "json null"),
        (r#","data":{"a":1}"#, "json {\"a\":1}"),
        (r#","data":"{\"a\":1}""#, r#"json "{\"a\":1}""#),
        (r#","datacontenttype":null,"data":"x""#, "json \"x\""),
        (
            r#","datacontenttype":"application/json; charset=utf-8","data":"x""#,
            "json \"x\"",
        ),
        (
            r#","datacontenttype":"Application/Vnd.Api+JSON","data":[1.0]"#,
            "json [1.0]",
        ),
        (r#","datacontenttype":"text/json","data":[1]"#, "json [1]"),
        (r#","datacontenttype":"text/plain","data":"a\nb""#, "text a\nb"),
        (
            r#","data":"<a/>","datacontenttype":"application/xml""#,
            "text <a/>",
        ),
        (
            r#","datacontenttype":"text/plain","data":{"a":1}"#,
            "json {\"a\":1}",
        ),
        (r#","data_base64":"AQID""#, "binary [1, 2, 3]"),
        (
            r#","data_base64":"AQID","datacontenttype":"application/json""#,
            "binary [1, 2, 3]",
        ),
        (r#","data_base64":"","datacontenttype":"text/plain""#, "binary []"),
        (r#","data_base64":null"#, "none"),
        (r#","data":1,"data_base64":null"#, "json 1"),
        (r#","data":null,"data_base64":"AQ==""#, "binary [1]"),
    ];
    for (more, data) in table {
        assert_eq!(describe(&event(more).expect(more)), data, "{more}");
    }
}

#[test]
fn extensions_are_carried() {
    let more =
        r#","a1":"x","b":true,"c":-7,"d":null,"e":{"deep":1},"f":1.5,"subject":"","g":99999999999999999999"#;
    let event = event(more).expect("an event");
    let table = [
        ("a1", "text x"),
        ("b", "boolean true"),
        ("c", "integer -7"),
        ("d", "absent"),
        ("e", "other {\"deep\":1}"),
        ("f", "other 1.5"),
        ("g", "other 99999999999999999999"),
    ];
    for (name, value) in table {
        assert_eq!(extension(&event, name), value, "{name}");
    }
    assert_eq!(event.subject, None);
}

#[test]
fn what_is_wrong_is_said() {
    let owned = str::to_owned;
    let table = [
        (r#","id":"A2""#, Error::Duplicate(owned("id"))),
        (r#","x":1,"x":1"#, Error::Duplicate(owned("x"))),
        (r#","data":1,"data":1"#, Error::Duplicate(owned("data"))),
        (r#","subject":7"#, Error::InvalidValue(owned("subject"))),
        (r#","time":"yesterday""#, Error::InvalidValue(owned("time"))),
        (
            r#","time":"2026-02-07 12:00:00""#,
            Error::InvalidValue(owned("time")),
        ),
        (r#","x":"\ud800""#, Error::InvalidValue(owned("x"))),
        (r#","data":1,"data_base64":"AQ==""#, Error::DataTwice),
        (r#","data_base64":"AQ""#, Error::InvalidBase64),
        (r#","data_base64":7"#, Error::InvalidBase64),
        (",", Error::NotAnObject),
    ];
    for (more, error) in table {
        assert_eq!(event(more).expect_err(more), error, "{more}");
    }
    assert_eq!(
        event(&format!(r#","{}":"\ud800""#, "a".repeat(65)))
            .expect_err("long")
            .to_string(),
        format!("attribute `{}` has an invalid value", "a".repeat(64))
    );
}

#[test]
fn names_that_no_attribute_can_have_are_passed_over() {
    for more in [
        r#","event_type":"task.created""#,
        r#","traceId":{},"traceId":[]"#,
        r#","":"x""#,
        r#","ID":"A2""#,
        r#","data_":"\ud800""#,
    ] {
        let event = event(more).expect(more);
        assert_eq!((&*event.id, event.extensions.len()), ("A1", 0), "{more}");
    }
    let json = br#"{"specversion":"1.0","ID":"A1","source":"/s","type":"t"}"#;
    assert_eq!(
        CloudEvent::from_structured(json).expect_err("no id"),
        Error::Missing("id")
    );
}

#[test]
fn required_attributes() {
    let complete = r#"{"id":"A1","source":"/s","specversion":"1.0","type":"t"}"#;
    CloudEvent::from_structured(complete.as_bytes()).expect("complete");
    let members = [
        ("id", r#""id":"A1""#),
        ("source", r#""source":"/s""#),
        ("specversion", r#""specversion":"1.0""#),
        ("type", r#""type":"t""#),
    ];
    for (name, member) in members {
        for instead in [
            r#""x":1"#.to_owned(),
            format!("\"{name}\":null"),
            format!("\"{name}\":\"\""),
        ] {
            let json = complete.replace(member, &instead);
            let error = CloudEvent::from_structured(json.as_bytes()).expect_err(&json);
            assert_eq!(error, Error::Missing(name), "{json}");
        }
    }
    let table: [(&[u8], Error); 6] = [
        (
            br#"{"id":"A1","source":"/s","specversion":"0.3","type":"t"}"#,
            Error::UnsupportedVersion,
        ),
        (
            br#"{"id":1,"source":"/s","specversion":"1.0","type":"t"}"#,
            Error::InvalidValue("id".to_owned()),
        ),
        (b"", Error::NotAnObject),
        (b"[]", Error::NotAnObject),
        (b"hello", Error::NotAnObject),
        (b"{\"id\":\"\xff\"}", Error::NotAnObject),
    ];
    for (json, error) in table {
        assert_eq!(CloudEvent::from_structured(json).expect_err("refused"), error);
    }
}

#[test]
fn attributes_are_limited() {
    let more: Vec<_> = (0..200).map(|index| format!(r#","x{index}":1"#)).collect();
    assert_eq!(
        event(&more.concat()).expect_err("200 extensions"),
        Error::TooManyAttributes
    );
}

#[test]
fn each_event_of_a_batch_is_judged_on_its_own() {
    let good = r#"{"specversion":"1.0","id":"A1","source":"/s","type":"t"}"#;
    let batch = format!("[{good}, {{}}, 7, {good}]");
    let events = CloudEvent::from_batch(batch.as_bytes()).expect("a batch");
    let errors: Vec<_> = events.into_iter().map(Result::err).collect();
    assert_eq!(
        errors,
        [
            None,
            Some(Error::Missing("specversion")),
            Some(Error::NotAnObject),
            None
        ]
    );

    assert!(CloudEvent::from_batch(b"[]").expect("an empty batch").is_empty());
    assert_eq!(
        CloudEvent::from_batch(b"{}").expect_err("an object"),
        Error::NotAnArray
    );
    assert_eq!(
        CloudEvent::from_batch(b"\xff").expect_err("no text"),
        Error::NotAnArray
    );
    let many = format!("[{}]", vec!["1"; BATCH_EVENTS_MAX + 1].join(","));
    assert_eq!(
        CloudEvent::from_batch(many.as_bytes()).expect_err("too many"),
        Error::TooManyEvents
    );
}
