//! What clients say to the gateways: it is understood as by a reader who builds the whole JSON.

use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;
use tidings_flow::fuzzing as flow;
use tidings_hub::RoomName;
use tidings_tasks::fuzzing as tasks;
use tidings_workflows::fuzzing as workflows;

use crate::members::Members;

pub(crate) fn run(input: &[u8]) {
    let members = Members::read(input);
    ping(input, members.as_ref());
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    room(text, members.as_ref());
    plain(text, members.as_ref());
    if let Ok(json) = serde_json::from_str(text) {
        command(json);
    }
}

fn ping(message: &[u8], members: Option<&Members>) {
    let is_ping = tasks::is_ping(message);
    assert!(!is_ping || serde_json::from_slice::<IgnoredAny>(message).is_ok());
    if let Some(members) = members {
        // Whoever says it twice has not said it.
        let says_so = members.get("type") == Some(&Value::from("ping")) && !members.repeat(&["type"]);
        assert_eq!(is_ping, says_so);
    }
}

fn room(text: &str, members: Option<&Members>) {
    let message = workflows::message(text);
    if let Some((_, Some((sent, name)))) = &message {
        let expected = serde_json::from_str::<String>(sent).ok();
        assert_eq!(*name, expected.and_then(|name| RoomName::new(&name).ok()));
    }
    let Some(members) = members else { return };
    let Some((kind, asked)) = message else {
        assert!(members.repeat(&["type", "room_id"]), "refused {text}");
        return;
    };
    assert!(!members.repeat(&["type", "room_id"]));
    match members.get("type") {
        Some(Value::String(expected)) => assert_eq!(kind, *expected),
        Some(expected) => assert_eq!(serde_json::from_str(&kind).ok().as_ref(), Some(expected)),
        None => assert_eq!(kind, "null"),
    }
    if matches!(&*kind, "subscribe" | "unsubscribe") {
        let asked = asked.and_then(|(sent, _)| serde_json::from_str(sent).ok());
        assert_eq!(asked.as_ref(), members.given("room_id"));
    }
}

fn plain(text: &str, members: Option<&Members>) {
    let plain = flow::plain(text);
    let Some(members) = members else { return };
    let (event, data) = plain.expect("an object");
    assert_eq!(event.as_deref(), members.given("event").and_then(Value::as_str));
    let data = data.and_then(|data| serde_json::from_str(data).ok());
    assert_eq!(data.as_ref(), members.given("data"));
}

/// What was understood is understood again, and the same.
fn command(json: &RawValue) {
    let (name, parameters) = match flow::command(json) {
        Ok(command) => command,
        Err(text) => {
            let texts = [
                "Access denied",
                "Unknown command",
                "Invalid parameters",
                "Service unavailable",
            ];
            return assert!(texts.contains(&text), "{text}");
        }
    };
    let again = format!("{{\"command\":{name:?},\"parameters\":{parameters}}}");
    let again: &RawValue = serde_json::from_str(&again).expect("what is written is JSON");
    assert_eq!(flow::command(again), Ok((name, parameters)));
}
