//! Names and ids: keys, users, rooms, connections, permissions.

use std::str::FromStr;

use tidings_access::{
    Permissions, ROOM_BYTES_MAX, RoomTarget, TENANT_KEY_BYTES_MAX, TenantKey, USER_ID_BYTES_MAX, UserId,
};
use tidings_hub::{ConnectionId, EventId, Gateway, RoomName};

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
}
