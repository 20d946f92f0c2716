//! What Socket.IO and plain WebSocket clients have in common: names and the first event.

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_store::TenantId;
use tidings_transport::words;
use tidings_wire::time::Timestamp;
use utoipa::ToSchema;

/// The event that a connection gets first.
pub(crate) const EVENT: &str = "connected";
/// The event by which a client sends a command.
pub(crate) const COMMAND: &str = "execute_voice_command";
/// The event that answers it.
pub(crate) const RESPONSE: &str = "voice_command_response";

words! {
    /// What [`Welcome`] says.
    WelcomeText = "Connected to TekUp Events Gateway";
}

/// The data of `connected`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TenantConnected)]
pub(crate) struct Welcome<'a> {
    #[schema(inline)]
    message: WelcomeText,
    /// The tenant whose events come.
    tenant_id: &'a TenantId,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

/// The data of `connected`.
pub(crate) fn data(tenant_id: &TenantId, timestamp: Timestamp) -> Box<RawValue> {
    serde_json::value::to_raw_value(&Welcome {
        message: WelcomeText,
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
