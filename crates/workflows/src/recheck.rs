//! Emptying rooms of those who may not be there any more: when an answer has ended, when it was taken back, when an owner
//! or a token has changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tidings_access::{AnswersAbout, Claims, Decision, OWN_ROOM, RegistryRule, UserId};
use tidings_hub::RoomName;
use tidings_store::{ExecutionId, OwnerId};
use tokio::time::Instant;

use crate::frames::RoomText;
use crate::gateway::Inner;
use crate::member::{Member, Membership};

/// How often ended answers are looked for.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_millis(250);
/// Memberships that are asked about at one time, by the sweep and by each invalidation.
const AT_ONCE_MAX: usize = 64;
/// How long a membership whose answer has ended may wait for its turn to be asked about. Then it ends without.
const TURN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long nobody is asked about a membership again that could not be asked about.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// What became of memberships that were asked about again.
#[derive(Debug, Default)]
pub(crate) struct RecheckCounters {
    kept: AtomicU64,
    ended: AtomicU64,
    deferred: AtomicU64,
    overdue: AtomicU64,
}

/// What became of memberships that were asked about once more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rechecked {
    /// Those that go on.
    pub kept: u64,
    /// Those that were ended, because no rule allows them any more.
    pub ended: u64,
    /// Those that go on for a moment, because nobody could be asked.
    pub deferred: u64,
    /// Those that were ended because their turn to be asked about did not come.
    pub overdue: u64,
}

/// What an invalidation has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Invalidated {
    /// Answers that were forgotten.
    pub answers: usize,
    /// Memberships that go on.
    pub kept: u64,
    /// Memberships that were ended.
    pub ended: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Kept,
    Ended,
    Deferred,
    /// The member had left.
    Gone,
}

impl Inner {
    /// Asks the rules again about the rooms that the user's connections are in as their owner, and takes them out of those
    /// that they may not be in any more. What is published afterwards does not reach them there.
    pub(crate) async fn recheck_owner(&self, owner: &OwnerId) {
        self.recheck_as_owner(owner, |_| true).await;
    }

    /// The same about an execution's room alone.
    pub(crate) async fn recheck_owner_of_execution(&self, owner: &OwnerId, id: &ExecutionId) {
        let room = format!("execution:{id}");
        self.recheck_as_owner(owner, |membership| membership.room.as_str() == room)
            .await;
    }

    async fn recheck_as_owner(&self, owner: &OwnerId, meant: impl Fn(&Membership) -> bool) {
        // Owners and users have ids of the same form.
        let Ok(user) = UserId::new(owner.as_str()) else {
            return;
        };
        let is_owned =
            |membership: &Membership| membership.rule == RegistryRule::<()>::NAME && meant(membership);
        stream::iter(self.directory.members_of(&user))
            .for_each_concurrent(AT_ONCE_MAX, |member| {
                let is_owned = &is_owned;
                async move {
                    self.recheck(&member, is_owned).await;
                }
            })
            .await;
    }

    /// Asks the rules again about a member's rooms, but for its own, and of these about those that are `meant`.
    async fn recheck(&self, member: &Arc<Member>, meant: impl Fn(&Membership) -> bool) -> Rechecked {
        // Whoever subscribes meanwhile either asks the rules after us, or is already in the list.
        let _turn = member.turn().await;
        self.recheck_in_turn(member, meant).await
    }

    /// The same for who holds the member's turn.
    pub(crate) async fn recheck_in_turn(
        &self,
        member: &Arc<Member>,
        meant: impl Fn(&Membership) -> bool,
    ) -> Rechecked {
        member.count_recheck();
        let claims = member.claims();
        let mut rechecked = Rechecked::default();
        for membership in member.memberships() {
            if membership.rule == OWN_ROOM || !meant(&membership) {
                continue;
            }
            match self.recheck_room(member, &claims, &membership.room, None).await {
                Outcome::Kept => rechecked.kept += 1,
                Outcome::Ended => rechecked.ended += 1,
                Outcome::Deferred => rechecked.deferred += 1,
                Outcome::Gone => {}
            }
        }
        self.rechecks.add(rechecked);
        rechecked
    }

    /// `ended_at` is when the last good answer ended, unless it was taken back.
    async fn recheck_room(
        &self,
        member: &Arc<Member>,
        claims: &Claims,
        room: &RoomName,
        ended_at: Option<Instant>,
    ) -> Outcome {
        let is_in = match self.access.decide(claims, room.as_str()).await {
            Decision::Allowed(admission) => self.directory.readmit(member, room, admission),
            Decision::Denied { is_uncertain: true }
                if ended_at.is_some_and(|ended_at| ended_at.elapsed() < self.limits.outage_grace) =>
            {
                let ended_at = ended_at.unwrap_or_else(Instant::now);
                return if self.directory.defer(member, room, ended_at, RETRY_INTERVAL) {
                    Outcome::Deferred
                } else {
                    Outcome::Gone
                };
            }
            Decision::Denied { .. } => return self.put_out(member, room).await,
        };
        if is_in { Outcome::Kept } else { Outcome::Gone }
    }

    async fn put_out(&self, member: &Member, room: &RoomName) -> Outcome {
        if !self.directory.part(member, room) {
            return Outcome::Gone;
        }
        let farewell = member
            .frames()
            .unsubscribed(RoomText::Name(room.as_str()), self.now());
        member.connection.leave(room.clone(), Some(farewell)).await;
        Outcome::Ended
    }

    /// Asks the rules again about every membership whose answer has ended by `now`. The sweep's one step.
    pub(crate) async fn recheck_due(&self, now: Instant) -> Rechecked {
        let began_at = Instant::now();
        let due = std::iter::from_fn(|| self.directory.take_due(now));
        let sum = RecheckCounters::default();
        stream::iter(due)
            .for_each_concurrent(AT_ONCE_MAX, |due| {
                let sum = &sum;
                async move {
                    let _turn = due.member.turn().await;
                    // A process that was stopped for a while finds all of them late, and that is not their fault.
                    let waited = due.due_at.max(began_at).elapsed();
                    let outcome = if waited >= TURN_TIMEOUT {
                        match self.put_out(&due.member, &due.room).await {
                            Outcome::Ended => &sum.overdue,
                            _ => return,
                        }
                    } else {
                        let claims = due.member.claims();
                        let ended_at = Some(due.ended_at);
                        match self.recheck_room(&due.member, &claims, &due.room, ended_at).await {
                            Outcome::Kept => &sum.kept,
                            Outcome::Ended => &sum.ended,
                            Outcome::Deferred => &sum.deferred,
                            Outcome::Gone => return,
                        }
                    };
                    outcome.fetch_add(1, Relaxed);
                }
            })
            .await;
        let rechecked = sum.figures();
        self.rechecks.add(rechecked);
        rechecked
    }

    /// Forgets answers, and asks again about the memberships that rest on such ones. When it is done, nothing that is
    /// published afterwards reaches those who may not be in a room any more.
    pub(crate) async fn invalidate(&self, about: AnswersAbout<'_>) -> Invalidated {
        let answers = self.access.forget(about);
        let room = about.room.map(|room| room.to_string());
        let meant = |membership: &Membership| {
            room.as_deref()
                .is_none_or(|room| membership.room.as_str() == room)
        };
        let sum = RecheckCounters::default();
        let parts: Box<dyn Iterator<Item = Vec<Arc<Member>>> + Send> = match about.user {
            Some(user) => Box::new(std::iter::once(self.directory.members_of(user))),
            None => Box::new(self.directory.everybody()),
        };
        for part in parts {
            stream::iter(part)
                .for_each_concurrent(AT_ONCE_MAX, |member| {
                    let (sum, meant) = (&sum, &meant);
                    async move { sum.add(self.recheck(&member, meant).await) }
                })
                .await;
        }
        let Rechecked { kept, ended, .. } = sum.figures();
        Invalidated { answers, kept, ended }
    }
}

impl RecheckCounters {
    fn add(&self, more: Rechecked) {
        self.kept.fetch_add(more.kept, Relaxed);
        self.ended.fetch_add(more.ended, Relaxed);
        self.deferred.fetch_add(more.deferred, Relaxed);
        self.overdue.fetch_add(more.overdue, Relaxed);
    }

    pub(crate) fn figures(&self) -> Rechecked {
        Rechecked {
            kept: self.kept.load(Relaxed),
            ended: self.ended.load(Relaxed),
            deferred: self.deferred.load(Relaxed),
            overdue: self.overdue.load(Relaxed),
        }
    }
}
