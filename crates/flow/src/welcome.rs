//! What Socket.IO and plain WebSocket clients have in common: names and the first event.

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_store::TenantId;
use tidings_wire::time::Timestamp;

/// The event that a connection gets first.
pub(crate) const EVENT: &str = "connected";
/// The event by which a client sends a command.
pub(crate) const COMMAND: &str = "execute_voice_command";
/// The event that answers it.
pub(crate) const RESPONSE: &str = "voice_command_response";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Welcome<'a> {
    message: &'static str,
    tenant_id: &'a TenantId,
    timestamp: Timestamp,
}

/// The data of `connected`.
pub(crate) fn data(tenant_id: &TenantId, timestamp: Timestamp) -> Box<RawValue> {
    serde_json::value::to_raw_value(&Welcome {
        message: "Connected to TekUp Events Gateway",
        tenant_id,
        timestamp,
    })
    .expect("Invariant: a welcome holds texts only")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_text() {
        assert_eq!(
            data(&TenantId::new("demo1").unwrap(), Timestamp::from_millis(0)).get(),
            r#"{"message":"Connected to TekUp Events Gateway","tenantId":"demo1","timestamp":"1970-01-01T00:00:00.000Z"}"#
        );
    }
}
