//! Bodies of requests: what was read is, written anew, read the same.

use serde_json::Value;
use serde_json::value::RawValue;
use tidings_flow::fuzzing as flow;
use tidings_store::LeadPayload;
use tidings_workflows::fuzzing as workflows;

use crate::members::Members;
use crate::publish;

pub(crate) fn run(input: &[u8]) {
    publish::run(input);
    for result in workflows::bodies(input) {
        let code = result.err().map(|problem| problem.code().as_str());
        assert!(matches!(code, None | Some("invalid_body")), "{code:?}");
    }
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    lead(text);
    if let Ok(json) = serde_json::from_str(text) {
        form(json, Members::read(input).as_ref());
    }
}

fn lead(text: &str) {
    if let Some(payload) = flow::lead(text) {
        let payload = payload.expect("the fields' limits are within that of a payload");
        let again = flow::lead(payload.as_raw().get());
        assert_eq!(again, Some(Ok(payload)));
    }
    let Ok(payload) = LeadPayload::parse(text) else {
        return;
    };
    assert_eq!(LeadPayload::parse(payload.as_raw().get()).as_ref(), Ok(&payload));
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        assert_eq!(serde_json::from_str(payload.as_raw().get()).ok(), Some(value));
    }
}

fn form(json: &RawValue, members: Option<&Members>) {
    let Ok((source, payload)) = flow::form(json) else {
        return;
    };
    let Some(members) = members else { return };
    let expected = members.given("source").map_or(Some("form"), Value::as_str);
    assert_eq!(Some(source.as_str()), expected);
    let payload = serde_json::from_str(payload.as_raw().get()).ok();
    assert_eq!(payload.as_ref(), members.get("payload"));
}
