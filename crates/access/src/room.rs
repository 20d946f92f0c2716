//! May a user enter a room? Rules in configured order, each of which answers *allow* or nothing.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::Claims;

/// The longest room id, in bytes.
pub const ROOM_BYTES_MAX: usize = 256;

/// A future behind a pointer, as trait objects need it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

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

/// A well-formed room id of a kind that users may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoomTarget<'a> {
    /// What kind of room.
    pub kind: RoomKind,
    /// The user's, execution's or workflow's id; never empty.
    pub id: &'a str,
}

impl<'a> RoomTarget<'a> {
    /// Takes a room id apart; `None` if it is malformed or of another kind.
    pub fn parse(room: &'a str) -> Option<RoomTarget<'a>> {
        if room.len() > ROOM_BYTES_MAX || room.chars().any(char::is_control) {
            return None;
        }
        let (kind, id) = room.split_once(':')?;
        let kind = match kind {
            "user" => RoomKind::User,
            "execution" => RoomKind::Execution,
            "workflow" => RoomKind::Workflow,
            _ => return None,
        };
        (!id.is_empty()).then_some(RoomTarget { kind, id })
    }
}

/// One rule's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The user may enter.
    Allow,
    /// This rule does not let the user in; another one might.
    Nothing,
}

/// A source of permission to enter rooms. A rule that cannot answer (its database is away) answers
/// [`Verdict::Nothing`].
pub trait RoomRule: Send + Sync {
    /// Whether the user of `claims` may enter `room`, which is an execution's or a workflow's.
    fn allows<'a>(&'a self, claims: &'a Claims, room: RoomTarget<'a>) -> BoxFuture<'a, Verdict>;
}

/// The rules in their configured order, behind the built-in one: of the `user:` rooms, only one's own.
#[derive(Clone)]
pub struct RoomAccess {
    rules: Arc<[Arc<dyn RoomRule>]>,
}

impl RoomAccess {
    /// Access by these rules.
    pub fn new(rules: impl IntoIterator<Item = Arc<dyn RoomRule>>) -> RoomAccess {
        RoomAccess {
            rules: rules.into_iter().collect(),
        }
    }

    /// Whether the user may enter. Malformed rooms, unknown kinds and rooms no rule speaks for are denied.
    pub async fn may_enter(&self, claims: &Claims, room: &str) -> bool {
        let Some(target) = RoomTarget::parse(room) else {
            return false;
        };
        if target.kind == RoomKind::User {
            return target.id == claims.sub.as_str();
        }
        for rule in &*self.rules {
            match rule.allows(claims, target).await {
                Verdict::Allow => return true,
                Verdict::Nothing => {}
            }
        }
        false
    }
}

impl fmt::Debug for RoomAccess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RoomAccess({} rules)", self.rules.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::UserId;

    struct Fixed {
        room: &'static str,
        asked: AtomicUsize,
    }

    impl RoomRule for Fixed {
        fn allows<'a>(&'a self, _claims: &'a Claims, room: RoomTarget<'a>) -> BoxFuture<'a, Verdict> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let verdict = if room.id == self.room {
                Verdict::Allow
            } else {
                Verdict::Nothing
            };
            Box::pin(async move { verdict })
        }
    }

    #[test]
    fn targets() {
        let parsed = RoomTarget::parse("execution:a:b c").unwrap();
        assert_eq!((parsed.kind, parsed.id), (RoomKind::Execution, "a:b c"));
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

    #[tokio::test]
    async fn rules_are_asked_in_order_until_one_allows() {
        let rules = ["one", "two"].map(|room| {
            Arc::new(Fixed {
                room,
                asked: AtomicUsize::new(0),
            })
        });
        let access = RoomAccess::new(rules.clone().map(|rule| rule as Arc<dyn RoomRule>));
        let claims = Claims::for_user(UserId::new("ann").unwrap());
        assert!(access.may_enter(&claims, "execution:one").await);
        assert!(access.may_enter(&claims, "workflow:two").await);
        assert!(!access.may_enter(&claims, "workflow:three").await);
        let asked = rules.map(|rule| rule.asked.load(Ordering::Relaxed));
        assert_eq!(asked, [3, 2]);
    }

    #[tokio::test]
    async fn user_rooms_are_ones_own_whatever_the_rules_say() {
        let rule: Arc<dyn RoomRule> = Arc::new(Fixed {
            room: "bob",
            asked: AtomicUsize::new(0),
        });
        let access = RoomAccess::new([rule]);
        let ann = Claims::for_user(UserId::new("ann").unwrap());
        assert!(access.may_enter(&ann, "user:ann").await);
        assert!(!access.may_enter(&ann, "user:bob").await);
        assert!(!access.may_enter(&ann, "user:ann ").await);
        assert!(!access.may_enter(&ann, "tenant:bob").await);
        assert!(!RoomAccess::new([]).may_enter(&ann, "execution:1").await);
    }
}
