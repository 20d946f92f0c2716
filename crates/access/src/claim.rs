//! The rule `claim`: the claim `rooms` in the user's token lists the rooms that its issuer opens.

use crate::{BoxFuture, Claims, RoomRule, RoomTarget, Verdict};

/// Entries of the claim `rooms`. A claim with more opens no room.
pub const ROOM_CLAIMS_MAX: usize = 128;

/// Lets in whoever shows a token that names the room.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClaimRule;

impl ClaimRule {
    /// Its name.
    pub const NAME: &'static str = "claim";

    /// Whether the claims open the room.
    pub fn opens(claims: &Claims, room: RoomTarget<'_>) -> bool {
        claims.rooms.iter().any(|entry| names(entry, room))
    }
}

impl RoomRule for ClaimRule {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn reads_claims(&self) -> bool {
        true
    }

    fn ask<'a>(&'a self, claims: &'a Claims, room: RoomTarget<'a>) -> BoxFuture<'a, Verdict> {
        // It holds as long as the token, and with the token the connection ends.
        let verdict = if ClaimRule::opens(claims, room) {
            Verdict::Allow(None)
        } else {
            Verdict::Nothing
        };
        Box::pin(std::future::ready(verdict))
    }
}

/// Whether an entry names the room: to the letter, or by what stands before a final `*`.
fn names(entry: &str, room: RoomTarget<'_>) -> bool {
    let (kind, id) = (room.kind.as_str(), room.id);
    match entry.strip_suffix('*') {
        None => entry.split_once(':') == Some((kind, id)),
        Some(start) => match start.split_once(':') {
            Some((entry_kind, id_start)) => entry_kind == kind && id.starts_with(id_start),
            None => kind.starts_with(start),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UserId;

    #[tokio::test]
    async fn entries_and_the_rooms_they_open() {
        let table: [(&[&str], &str, bool); 22] = [
            (&[], "execution:1", false),
            (&["execution:1"], "execution:1", true),
            (&["execution:1"], "execution:12", false),
            (&["execution:1"], "workflow:1", false),
            (&["execution:12"], "execution:1", false),
            (&["Execution:1"], "execution:1", false),
            (&["execution:1 "], "execution:1", false),
            (&["execution:1*"], "execution:1", true),
            (&["execution:1*"], "execution:12", true),
            (&["execution:1*"], "execution:21", false),
            (&["execution:1*"], "workflow:1", false),
            (&["execution:*"], "execution:x:y", true),
            (&["execution:*"], "workflow:x", false),
            (&["exec*"], "execution:x", true),
            (&["exec*"], "workflow:x", false),
            (&["*"], "workflow:x", true),
            // Only the last one stands for anything.
            (&["execution:*1"], "execution:21", false),
            (&["execution:**"], "execution:1", false),
            (&["execution:**"], "execution:*1", true),
            (&["execution:a:*"], "execution:a:b", true),
            (&["", ":", "*:", "execution"], "execution:1", false),
            (&["workflow:2", "execution:1"], "execution:1", true),
        ];
        for (entries, room, is_open) in table {
            let mut claims = Claims::for_user(UserId::new("ann").unwrap());
            claims.rooms = entries.iter().map(|&entry| entry.to_owned()).collect();
            let verdict = ClaimRule.ask(&claims, RoomTarget::parse(room).unwrap()).await;
            let expected = if is_open {
                Verdict::Allow(None)
            } else {
                Verdict::Nothing
            };
            assert_eq!(verdict, expected, "{entries:?} {room}");
        }
    }
}
