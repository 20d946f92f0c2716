//! May a user enter a room? Rules in configured order, each of which answers *allow* or nothing.

mod figures;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::figures::RuleCounters;
use crate::{Claims, RoomKind, RoomTarget, UserId};

pub use figures::{RULE_BOUNDS_SECONDS, RuleFigures};

/// The name by which one's own `user:` room is entered. No rule has it.
pub const OWN_ROOM: &str = "own";

/// A future behind a pointer, as trait objects need it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One rule's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The user may enter, and may stay for so long before somebody asks again. `None`: until the rule is told of a change,
    /// or the connection ends.
    Allow(Option<Duration>),
    /// This rule does not let the user in; another one might.
    Nothing,
    /// Nobody could be asked: a database or a callback is away. As good as nothing, and counted apart.
    Failed,
}

/// A source of permission to enter rooms.
///
/// Invariant: what a rule does, and how long it takes, does not depend on whether the room exists.
pub trait RoomRule: Send + Sync {
    /// Its name in configuration and metrics.
    fn name(&self) -> &'static str;

    /// Whether the user of `claims` may enter `room`, which is an execution's or a workflow's.
    fn ask<'a>(&'a self, claims: &'a Claims, room: RoomTarget<'a>) -> BoxFuture<'a, Verdict>;

    /// Whether its answers depend on more of the claims than the user.
    fn reads_claims(&self) -> bool {
        false
    }

    /// Forgets the answers that it remembers, also those that are on their way; how many.
    fn forget(&self, about: AnswersAbout<'_>) -> usize {
        let _ = about;
        0
    }

    /// How it is.
    fn state(&self) -> RuleState {
        RuleState::default()
    }
}

/// Which answers: about a user, about a room, about both together; about everything, where neither is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnswersAbout<'a> {
    /// The user.
    pub user: Option<&'a UserId>,
    /// The room.
    pub room: Option<RoomTarget<'a>>,
}

/// How a rule is that asks others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleState {
    /// Its circuit breaker, if it has one.
    pub breaker: Option<BreakerState>,
    /// What it remembers, if it remembers anything.
    pub cache: Option<CacheFigures>,
}

/// Whether a rule asks, or leaves alone who has failed again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// It asks.
    Closed,
    /// It asks once, to see.
    HalfOpen,
    /// It does not ask.
    Open,
}

/// What a rule remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheFigures {
    /// Answers at this moment.
    pub entries: u64,
    /// Questions that were answered from memory.
    pub hits: u64,
    /// Questions that waited for the answer to the same question of somebody else.
    pub joined: u64,
    /// Questions that were asked.
    pub misses: u64,
}

/// What all rules together say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The user may enter.
    Allowed(Admission),
    /// The user may not enter.
    Denied {
        /// Whether a rule could not be asked: it might have let the user in.
        is_uncertain: bool,
    },
}

/// Why a user is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The rule that let the user in, or [`OWN_ROOM`].
    pub rule: &'static str,
    /// As in [`Verdict::Allow`].
    pub holds: Option<Duration>,
}

/// The rules in their configured order, behind the built-in one: of the `user:` rooms, only one's own. A clone is another
/// handle.
#[derive(Clone)]
pub struct RoomAccess {
    rules: Arc<[CountedRule]>,
}

struct CountedRule {
    rule: Arc<dyn RoomRule>,
    counters: RuleCounters,
}

impl RoomAccess {
    /// Access by these rules.
    pub fn new(rules: impl IntoIterator<Item = Arc<dyn RoomRule>>) -> RoomAccess {
        let counted = |rule| CountedRule {
            rule,
            counters: RuleCounters::default(),
        };
        RoomAccess {
            rules: rules.into_iter().map(counted).collect(),
        }
    }

    /// Asks the rules, one after the other, until one lets the user in. Malformed rooms, unknown kinds and rooms no rule
    /// speaks for are denied. Who is denied has waited for all rules, whether the room exists or not.
    pub async fn decide(&self, claims: &Claims, room: &str) -> Decision {
        let mut is_uncertain = false;
        let Some(target) = RoomTarget::parse(room) else {
            return Decision::Denied { is_uncertain };
        };
        if target.kind == RoomKind::User {
            return if target.id == claims.sub.as_str() {
                Decision::Allowed(Admission {
                    rule: OWN_ROOM,
                    holds: None,
                })
            } else {
                Decision::Denied { is_uncertain }
            };
        }
        for CountedRule { rule, counters } in &*self.rules {
            let asked_at = Instant::now();
            let verdict = rule.ask(claims, target).await;
            counters.answered(verdict, asked_at.elapsed());
            match verdict {
                Verdict::Allow(holds) => {
                    return Decision::Allowed(Admission {
                        rule: rule.name(),
                        holds,
                    });
                }
                Verdict::Nothing => {}
                Verdict::Failed => is_uncertain = true,
            }
        }
        Decision::Denied { is_uncertain }
    }

    /// Whether the rule with this name is one of these.
    pub fn has_rule(&self, name: &str) -> bool {
        self.rules.iter().any(|counted| counted.rule.name() == name)
    }

    /// Whether answers of the rule with this name depend on more of the claims than the user.
    pub fn reads_claims(&self, rule: &str) -> bool {
        self.rules
            .iter()
            .any(|counted| counted.rule.name() == rule && counted.rule.reads_claims())
    }

    /// Has all rules forget what they remember; how many answers.
    pub fn forget(&self, about: AnswersAbout<'_>) -> usize {
        self.rules.iter().map(|counted| counted.rule.forget(about)).sum()
    }

    /// How each rule is and what it has answered, in their order.
    pub fn figures(&self) -> Vec<RuleFigures> {
        let figures = |counted: &CountedRule| counted.counters.figures(&*counted.rule);
        self.rules.iter().map(figures).collect()
    }
}

impl AnswersAbout<'_> {
    /// Whether an answer to this user about this room is among them.
    pub fn covers(&self, user: &UserId, room: RoomTarget<'_>) -> bool {
        self.user.is_none_or(|about| about == user) && self.room.is_none_or(|about| about == room)
    }
}

impl BreakerState {
    /// The metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::HalfOpen => "half_open",
            BreakerState::Open => "open",
        }
    }
}

impl fmt::Debug for RoomAccess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.rules.iter().map(|counted| counted.rule.name());
        formatter.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Fixed {
        name: &'static str,
        room: &'static str,
        otherwise: Verdict,
        asked: AtomicUsize,
    }

    impl RoomRule for Fixed {
        fn name(&self) -> &'static str {
            self.name
        }

        fn ask<'a>(&'a self, _claims: &'a Claims, room: RoomTarget<'a>) -> BoxFuture<'a, Verdict> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let verdict = if room.id == self.room {
                Verdict::Allow(Some(Duration::from_secs(9)))
            } else {
                self.otherwise
            };
            Box::pin(async move { verdict })
        }

        fn forget(&self, about: AnswersAbout<'_>) -> usize {
            usize::from(about.room.is_none_or(|room| room.id == self.room))
        }
    }

    fn rule(name: &'static str, room: &'static str, otherwise: Verdict) -> Arc<Fixed> {
        Arc::new(Fixed {
            name,
            room,
            otherwise,
            asked: AtomicUsize::new(0),
        })
    }

    fn claims() -> Claims {
        Claims::for_user(UserId::new("ann").unwrap())
    }

    #[tokio::test]
    async fn rules_are_asked_in_order_until_one_allows() {
        let rules = [
            rule("first", "one", Verdict::Nothing),
            rule("second", "two", Verdict::Failed),
            rule("third", "three", Verdict::Nothing),
        ];
        let access = RoomAccess::new(rules.clone().map(|rule| rule as Arc<dyn RoomRule>));
        let by = |rule| {
            Decision::Allowed(Admission {
                rule,
                holds: Some(Duration::from_secs(9)),
            })
        };
        for (room, expected) in [
            ("execution:one", by("first")),
            ("workflow:two", by("second")),
            // The one that failed is passed over, and told only where nobody else allows.
            ("execution:three", by("third")),
            ("workflow:four", Decision::Denied { is_uncertain: true }),
        ] {
            assert_eq!(access.decide(&claims(), room).await, expected, "{room}");
        }
        let asked = rules.map(|rule| rule.asked.load(Ordering::Relaxed));
        assert_eq!(asked, [4, 3, 2]);
        let counted: Vec<_> = access
            .figures()
            .into_iter()
            .map(|rule| (rule.name, rule.allowed, rule.nothing, rule.failed))
            .collect();
        assert_eq!(
            counted,
            [("first", 1, 3, 0), ("second", 1, 0, 2), ("third", 1, 1, 0)]
        );
        assert_eq!(access.forget(AnswersAbout::default()), 3);
        let two = AnswersAbout {
            user: None,
            room: RoomTarget::parse("execution:two"),
        };
        assert_eq!(access.forget(two), 1);
    }

    #[tokio::test]
    async fn user_rooms_are_ones_own_whatever_the_rules_say() {
        let rule: Arc<dyn RoomRule> = rule("any", "bob", Verdict::Allow(None));
        let access = RoomAccess::new([rule]);
        let own = Decision::Allowed(Admission {
            rule: OWN_ROOM,
            holds: None,
        });
        let denied = Decision::Denied { is_uncertain: false };
        for (room, expected) in [
            ("user:ann", own),
            ("user:bob", denied),
            ("user:ann ", denied),
            ("tenant:bob", denied),
            ("bob", denied),
        ] {
            assert_eq!(access.decide(&claims(), room).await, expected, "{room}");
        }
        assert_eq!(RoomAccess::new([]).decide(&claims(), "execution:1").await, denied);
    }

    #[test]
    fn what_answers_are_about() {
        let (ann, bob) = (UserId::new("ann").unwrap(), UserId::new("bob").unwrap());
        let [one, other] = ["execution:1", "workflow:1"].map(|room| RoomTarget::parse(room).unwrap());
        for (user, room, expected) in [
            (None, None, [true, true, true]),
            (Some(&ann), None, [true, true, false]),
            (None, Some(one), [true, false, true]),
            (Some(&ann), Some(other), [false, true, false]),
        ] {
            let about = AnswersAbout { user, room };
            let found =
                [(&ann, one), (&ann, other), (&bob, one)].map(|(user, room)| about.covers(user, room));
            assert_eq!(found, expected, "{about:?}");
        }
    }
}
