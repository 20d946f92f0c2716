//! The rule "registry": an execution or workflow is open to the user whom the store names as its owner.

use std::fmt;

use crate::{BoxFuture, Claims, RoomRule, RoomTarget, UserId, Verdict};

/// Who owns what, as the store knows it.
pub trait Ownership: Send + Sync {
    /// Whether `user` owns the room's execution or workflow. Answers `false` for what does not exist and when the
    /// store is away, after the same single lookup, so that the cases do not differ in timing.
    fn owns<'a>(&'a self, user: &'a UserId, room: RoomTarget<'a>) -> BoxFuture<'a, bool>;
}

/// Lets owners in.
pub struct RegistryRule<Source>(Source);

impl<Source: Ownership> RegistryRule<Source> {
    /// A rule over this registry.
    pub fn new(source: Source) -> RegistryRule<Source> {
        RegistryRule(source)
    }
}

impl<Source: Ownership> RoomRule for RegistryRule<Source> {
    fn allows<'a>(&'a self, claims: &'a Claims, room: RoomTarget<'a>) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            if self.0.owns(&claims.sub, room).await {
                Verdict::Allow
            } else {
                Verdict::Nothing
            }
        })
    }
}

impl<Source> fmt::Debug for RegistryRule<Source> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RegistryRule")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{RoomAccess, RoomKind};

    struct OneExecution;

    impl Ownership for OneExecution {
        fn owns<'a>(&'a self, user: &'a UserId, room: RoomTarget<'a>) -> BoxFuture<'a, bool> {
            let owns =
                room == RoomTarget {
                    kind: RoomKind::Execution,
                    id: "e1",
                } && user.as_str() == "ann";
            Box::pin(async move { owns })
        }
    }

    #[tokio::test]
    async fn owners_enter_and_nobody_else() {
        let access = RoomAccess::new([Arc::new(RegistryRule::new(OneExecution)) as Arc<dyn RoomRule>]);
        for (user, room, allowed) in [
            ("ann", "execution:e1", true),
            ("ann", "workflow:e1", false),
            ("ann", "execution:e2", false),
            ("bob", "execution:e1", false),
        ] {
            let claims = Claims::for_user(UserId::new(user).unwrap());
            assert_eq!(access.may_enter(&claims, room).await, allowed, "{user} {room}");
        }
    }
}
