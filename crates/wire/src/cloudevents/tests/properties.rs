use proptest::collection::vec;
use proptest::prelude::*;

use super::{describe, extension};
use crate::cloudevents::CloudEvent;

/// As a sender encodes: space, `"`, `%` and everything outside U+0021 to U+007E.
fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'"' | b'%' | 0..=0x20 | 0x7F.. => format!("%{byte:02X}"),
            byte => char::from(byte).to_string(),
        })
        .collect()
}

proptest! {
    #[test]
    fn structured_and_binary_agree(id in ".{1,20}", source in ".{1,20}", extra in any::<String>(), number in any::<i64>()) {
        let data = serde_json::json!({ "number": number, "text": extra });
        let json = serde_json::json!({
            "id": id, "source": source, "specversion": "1.0", "type": "t", "extra": extra,
            "datacontenttype": "application/json", "data": data,
        });
        let json = json.to_string();
        let structured = CloudEvent::from_structured(json.as_bytes()).expect("an event");

        let values = [&id, &source, &extra].map(|value| percent_encode(value));
        let headers = [
            ("ce-id", values[0].as_bytes()),
            ("ce-source", values[1].as_bytes()),
            ("ce-extra", values[2].as_bytes()),
            ("ce-specversion", b"1.0"),
            ("ce-type", b"t"),
        ];
        let body = data.to_string();
        let binary = CloudEvent::from_binary_headers(headers, Some("application/json"), body.as_bytes()).expect("an event");

        prop_assert_eq!(structured.identity(), (&*source, &*id));
        prop_assert_eq!(structured.identity(), binary.identity());
        prop_assert_eq!(describe(&structured), describe(&binary));
        prop_assert_eq!(extension(&structured, "extra"), format!("text {extra}"));
        prop_assert_eq!(extension(&binary, "extra"), format!("text {extra}"));
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in vec(any::<u8>(), 0..80), name in "(ce-)?\\PC{0,12}", text in "\\PC{0,60}") {
        let _ = CloudEvent::from_structured(&bytes);
        let _ = CloudEvent::from_structured(text.as_bytes());
        let _ = CloudEvent::from_batch(&bytes);
        let _ = CloudEvent::from_binary_headers([(name.as_str(), bytes.as_slice())], Some(&text), &bytes);
    }

    #[test]
    fn any_members_are_read_without_panic(members in vec(("(id|source|type|specversion|time|data|data_base64|datacontenttype|x)", "(1\\.0|null|\"1\\.0\"|\"[a-zA-Z/+=]{0,8}\"|\\{\\}|true)"), 0..9)) {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let json = format!("{{{}}}", members.join(","));
        let _ = CloudEvent::from_structured(json.as_bytes());
        let _ = CloudEvent::from_batch(format!("[{json}]").as_bytes());
    }
}
