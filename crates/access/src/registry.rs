//! The rule `registry`: an execution or workflow is open to the user whom the store names as its owner.

use std::fmt;
use std::time::Duration;

use crate::{BoxFuture, Claims, RoomRule, RoomTarget, UserId, Verdict};

/// Who owns what, as the store knows it.
pub trait Ownership: Send + Sync {
    /// Whether `user` owns the room's execution or workflow. Answers `false` for what does not exist, after the same
    /// single lookup as for what is another's, so that the two do not differ in timing.
    fn owns<'a>(&'a self, user: &'a UserId, room: RoomTarget<'a>) -> BoxFuture<'a, Result<bool, Unanswered>>;
}

/// The store did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store did not answer")]
pub struct Unanswered;

/// Lets owners in.
pub struct RegistryRule<Source> {
    source: Source,
    holds: Option<Duration>,
}

impl<Source> RegistryRule<Source> {
    /// Its name.
    pub const NAME: &'static str = "registry";
}

impl<Source: Ownership> RegistryRule<Source> {
    /// A rule over this registry. Its answers hold for so long; `None`: until somebody tells of a change of owner.
    pub fn new(source: Source, holds: Option<Duration>) -> RegistryRule<Source> {
        RegistryRule { source, holds }
    }
}

impl<Source: Ownership> RoomRule for RegistryRule<Source> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn ask<'a>(&'a self, claims: &'a Claims, room: RoomTarget<'a>) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            match self.source.owns(&claims.sub, room).await {
                Ok(true) => Verdict::Allow(self.holds),
                Ok(false) => Verdict::Nothing,
                Err(Unanswered) => Verdict::Failed,
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
    use super::*;
    use crate::RoomKind;

    struct OneExecution;

    impl Ownership for OneExecution {
        fn owns<'a>(
            &'a self,
            user: &'a UserId,
            room: RoomTarget<'a>,
        ) -> BoxFuture<'a, Result<bool, Unanswered>> {
            let owned = RoomTarget {
                kind: RoomKind::Execution,
                id: "e1",
            };
            let answer = match room.id {
                "away" => Err(Unanswered),
                _ => Ok(room == owned && user.as_str() == "ann"),
            };
            Box::pin(async move { answer })
        }
    }

    #[tokio::test]
    async fn owners_enter_and_nobody_else() {
        let holds = Some(Duration::from_mins(5));
        let rule = RegistryRule::new(OneExecution, holds);
        for (user, room, expected) in [
            ("ann", "execution:e1", Verdict::Allow(holds)),
            ("ann", "workflow:e1", Verdict::Nothing),
            ("ann", "execution:e2", Verdict::Nothing),
            ("bob", "execution:e1", Verdict::Nothing),
            ("ann", "execution:away", Verdict::Failed),
        ] {
            let claims = Claims::for_user(UserId::new(user).unwrap());
            let verdict = rule.ask(&claims, RoomTarget::parse(room).unwrap()).await;
            assert_eq!(verdict, expected, "{user} {room}");
        }
    }
}
