mod binary;
mod properties;
mod structured;

use super::{CloudEvent, Data, ExtensionValue};

/// The data on one line.
fn describe(event: &CloudEvent<'_>) -> String {
    match &event.data {
        Data::None => "none".to_owned(),
        Data::Json(json) => format!("json {}", json.raw()),
        Data::Text(text) => format!("text {text}"),
        Data::Binary(bytes) => format!("binary {bytes:?}"),
    }
}

fn extension(event: &CloudEvent<'_>, name: &str) -> String {
    match event.extension(name) {
        None => "absent".to_owned(),
        Some(ExtensionValue::Text(text)) => format!("text {text}"),
        Some(ExtensionValue::Boolean(value)) => format!("boolean {value}"),
        Some(ExtensionValue::Integer(value)) => format!("integer {value}"),
        Some(ExtensionValue::Other(json)) => format!("other {json}"),
    }
}
