//! The rooms that users may ask for.

use std::fmt;

/// The longest room id, in bytes.
pub const ROOM_BYTES_MAX: usize = 256;

/// The kinds of room that users may ask for. Tenant rooms are not among them: they come from a tenant key alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoomKind {
    /// `user:{id}`
    User,
    /// `execution:{id}`
    Execution,
    /// `workflow:{id}`
    Workflow,
}

/// A well-formed room id of a kind that users may ask for. Displayed as the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoomTarget<'a> {
    /// What kind of room.
    pub kind: RoomKind,
    /// The user's, execution's or workflow's id; never empty.
    pub id: &'a str,
}

impl RoomKind {
    const ALL: [RoomKind; 3] = [RoomKind::User, RoomKind::Execution, RoomKind::Workflow];

    /// What a room's id begins with, up to the colon.
    pub const fn as_str(self) -> &'static str {
        match self {
            RoomKind::User => "user",
            RoomKind::Execution => "execution",
            RoomKind::Workflow => "workflow",
        }
    }
}

impl<'a> RoomTarget<'a> {
    /// Takes a room id apart; `None` if it is malformed or of another kind.
    pub fn parse(room: &'a str) -> Option<RoomTarget<'a>> {
        if room.len() > ROOM_BYTES_MAX || room.chars().any(char::is_control) {
            return None;
        }
        let (kind, id) = room.split_once(':')?;
        let kind = RoomKind::ALL.into_iter().find(|known| known.as_str() == kind)?;
        (!id.is_empty()).then_some(RoomTarget { kind, id })
    }
}

impl fmt::Display for RoomTarget<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.kind.as_str(), self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (room, kind, id) in [
            ("execution:a:b c", RoomKind::Execution, "a:b c"),
            ("workflow::", RoomKind::Workflow, ":"),
            ("user:ann", RoomKind::User, "ann"),
        ] {
            let parsed = RoomTarget::parse(room).unwrap();
            assert_eq!(
                (parsed.kind, parsed.id, parsed.to_string().as_str()),
                (kind, id, room)
            );
        }
        let too_long = format!("execution:{}", "x".repeat(ROOM_BYTES_MAX));
        for wrong in [
            "",
            ":",
            "execution",
            "execution:",
            "Execution:1",
            "tenant:demo1",
            "a:b",
            "user:a\n",
            &too_long,
        ] {
            assert_eq!(RoomTarget::parse(wrong), None, "{wrong:?}");
        }
    }
}
