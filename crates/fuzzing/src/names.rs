//! Names and ids: keys, users, rooms, connections, permissions, what the store keeps, ranges of addresses. Each has one
//! spelling, and what has been taken is within its bounds.

use std::fmt::Display;
use std::str::FromStr;

use tidings_access::{
    Permissions, ROOM_BYTES_MAX, RoomTarget, TENANT_KEY_BYTES_MAX, TenantKey, USER_ID_BYTES_MAX, UserId,
};
use tidings_hub::{ConnectionId, EventId, Gateway, RoomName, RoomPrefix};
use tidings_store::{
    AuditHead, ExecutionId, ExecutionStatus, JobId, KeyId, LeadCursor, LeadId, LeadSource, LeadStatus,
    NodeId, NodeStatus, OwnerId, TenantId, WorkflowId,
};
use tidings_transport::Network;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Ok(key) = TenantKey::parse(text) {
        assert_eq!(key.reveal(), text);
        assert!(text.len() <= TENANT_KEY_BYTES_MAX);
        assert!(!format!("{key:?}").contains(text) || "TenantKey([redacted])".contains(text));
    }
    if let Ok(user) = UserId::new(text) {
        assert_eq!(user.as_str(), text);
        assert!(text.len() <= USER_ID_BYTES_MAX);
    }
    let room = RoomName::new(text);
    if let Ok(room) = &room {
        assert_eq!(room.as_str(), text);
    }
    if let Some(target) = RoomTarget::parse(text) {
        // Whoever may be asked about a room can also name it.
        assert!(room.is_ok() && text.len() <= ROOM_BYTES_MAX);
        assert!(text.ends_with(target.id));
    }
    if let Ok(id) = ConnectionId::from_str(text) {
        assert_eq!(ConnectionId::from_str(&id.short()), Ok(id));
        assert_eq!(ConnectionId::from_str(&id.to_string()), Ok(id));
        // The short form is not case-blind: it is its own only spelling.
        if text.len() == 22 {
            assert_eq!(id.short(), text);
        }
    }
    if let Ok(id) = EventId::from_str(text) {
        assert_eq!(EventId::from_str(&id.to_string()).ok(), Some(id));
    }
    if let Ok(gateway) = Gateway::from_str(text) {
        assert_eq!(gateway.as_str(), text);
    }
    let words: Vec<&str> = text.split(' ').collect();
    if let Ok(permissions) = Permissions::parse(&words) {
        assert_eq!(Permissions::parse(permissions.names()).ok(), Some(permissions));
    }
    if let Ok(prefix) = RoomPrefix::from_str(text) {
        assert!(prefix.as_str() == text && text.len() <= 256);
    }
    kept(text);
    if let Ok(network) = Network::from_str(text) {
        assert_eq!(Network::from_str(&network.to_string()), Ok(network));
        let address = network.to_string();
        let (address, _) = address.split_once('/').expect("an address and its bits");
        assert!(network.contains(address.parse().expect("an address")));
    }
}

fn kept(text: &str) {
    same::<TenantId>(text, 64);
    same::<OwnerId>(text, 200);
    same::<WorkflowId>(text, 247);
    same::<ExecutionId>(text, 246);
    same::<NodeId>(text, 256);
    same::<LeadSource>(text, 64);
    same::<LeadId>(text, 41);
    same::<KeyId>(text, 40);
    same::<JobId>(text, 40);
    if let Ok(head) = AuditHead::from_str(text) {
        assert_eq!(AuditHead::from_str(&head.to_string()).ok(), Some(head));
    }
    if let Ok(cursor) = LeadCursor::from_str(text) {
        assert_eq!(LeadCursor::from_str(&cursor.to_string()).ok(), Some(cursor));
    }
    if let Ok(status) = LeadStatus::from_str(text) {
        assert!(status.as_str().eq_ignore_ascii_case(text));
    }
    if let Ok(status) = ExecutionStatus::from_str(text) {
        assert_eq!(status.to_string(), text);
    }
    if let Ok(status) = NodeStatus::from_str(text) {
        assert_eq!(status.to_string(), text);
    }
}

fn same<T: FromStr + Display>(text: &str, bytes_max: usize) {
    if let Ok(taken) = T::from_str(text) {
        assert_eq!(taken.to_string(), text);
        assert!(!text.is_empty() && text.len() <= bytes_max);
        assert!(!text.chars().any(char::is_control));
    }
}
