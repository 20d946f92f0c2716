//! Emptying rooms of those who may not be there any more.

use tidings_access::UserId;
use tidings_store::OwnerId;

use crate::frames::{self, RoomText};
use crate::gateway::Inner;
use crate::member::Member;

impl Inner {
    /// Asks the rules again about every room the user's connections are in, and takes them out of those that they
    /// may not enter any more. What is published afterwards does not reach them there.
    pub(crate) async fn recheck(&self, user: &OwnerId) {
        // Owners and users have ids of the same form.
        let Ok(user) = UserId::new(user.as_str()) else {
            return;
        };
        for member in self.directory.members_of(&user) {
            self.recheck_member(&member).await;
        }
    }

    async fn recheck_member(&self, member: &Member) {
        // Whoever subscribes meanwhile either asks the rules after us, or is already in the list.
        let _turn = member.turn().await;
        for room in member.rooms() {
            if self.access.may_enter(&member.claims, room.as_str()).await {
                continue;
            }
            if self.directory.part(member, &room) {
                let farewell = frames::unsubscribed(RoomText::Name(room.as_str()), self.now());
                member.connection.leave(room, Some(farewell)).await;
            }
        }
    }
}
