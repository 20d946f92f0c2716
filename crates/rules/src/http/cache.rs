//! Answers that are remembered, and one call at a time for each question.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tidings_access::{AnswersAbout, CacheFigures, Claims, RoomTarget, UserId, Verdict};
use tokio::sync::watch;
use tokio::time::Instant;

/// Who wants to enter what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    user: UserId,
    room: Arc<str>,
    /// The rest of what is told of the user, hashed with a key of this process: nobody can find two with one hash.
    credentials: u64,
}

/// Answers in a bounded number. A clone is another handle.
///
/// Invariant: an answer to a call that was begun before a [`AnswerCache::forget`] is not remembered behind it.
#[derive(Clone)]
pub(super) struct AnswerCache(Arc<Inner>);

struct Inner {
    entries_max: usize,
    hasher: RandomState,
    state: Mutex<State>,
    hits: AtomicU64,
    joined: AtomicU64,
    misses: AtomicU64,
}

#[derive(Default)]
struct State {
    answers: HashMap<Question, Remembered>,
    /// The questions of all answers by when these end.
    ends: BTreeMap<(Instant, u64), Question>,
    under_way: HashMap<Question, Arc<Channel>>,
    next_number: u64,
}

#[derive(Clone, Copy)]
struct Remembered {
    verdict: Verdict,
    ends_at: Instant,
    number: u64,
}

/// Where the verdict of a call is told, with the moment at which it was known.
type Channel = watch::Sender<Option<(Verdict, Instant)>>;

/// What there is to a question.
pub(super) enum Found {
    /// An answer.
    Answer(Verdict),
    /// Somebody asks the same just now.
    UnderWay(Waiting),
    /// Nothing: it is to be asked, and settled.
    Nothing(Call),
}

/// A call that is to be settled; dropped without, it has failed.
pub(super) struct Call {
    cache: AnswerCache,
    question: Question,
    channel: Arc<Channel>,
}

/// Waits for a call's verdict.
pub(super) struct Waiting(watch::Receiver<Option<(Verdict, Instant)>>);

impl AnswerCache {
    pub(super) fn new(entries_max: usize) -> AnswerCache {
        AnswerCache(Arc::new(Inner {
            entries_max: entries_max.max(1),
            hasher: RandomState::new(),
            state: Mutex::default(),
            hits: AtomicU64::new(0),
            joined: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }))
    }

    pub(super) fn question(&self, claims: &Claims, room: RoomTarget<'_>) -> Question {
        Question {
            user: claims.sub.clone(),
            room: room.to_string().into(),
            credentials: self.0.hasher.hash_one((&claims.iss, &claims.scope)),
        }
    }

    pub(super) fn look(&self, question: Question) -> Found {
        let now = Instant::now();
        let mut state = self.0.state.lock();
        let known = state.answers.get(&question).filter(|known| known.ends_at > now);
        if let Some(Remembered { verdict, ends_at, .. }) = known {
            self.0.hits.fetch_add(1, Relaxed);
            return Found::Answer(holding_until(*verdict, *ends_at, now));
        }
        if let Some(channel) = state.under_way.get(&question) {
            self.0.joined.fetch_add(1, Relaxed);
            return Found::UnderWay(Waiting(channel.subscribe()));
        }
        self.0.misses.fetch_add(1, Relaxed);
        let channel = Arc::new(Channel::new(None));
        state.under_way.insert(question.clone(), channel.clone());
        Found::Nothing(Call {
            cache: self.clone(),
            question,
            channel,
        })
    }

    /// Forgets answers, also those on their way; how many there were of the former.
    pub(super) fn forget(&self, about: AnswersAbout<'_>) -> usize {
        let is_meant = |question: &Question| {
            RoomTarget::parse(&question.room).is_some_and(|room| about.covers(&question.user, room))
        };
        let mut state = self.0.state.lock();
        let State {
            answers,
            ends,
            under_way,
            ..
        } = &mut *state;
        under_way.retain(|question, _| !is_meant(question));
        let before = answers.len();
        answers.retain(|question, remembered| {
            let stays = !is_meant(question);
            if !stays {
                ends.remove(&(remembered.ends_at, remembered.number));
            }
            stays
        });
        before - answers.len()
    }

    pub(super) fn figures(&self) -> CacheFigures {
        CacheFigures {
            entries: self.0.state.lock().answers.len() as u64,
            hits: self.0.hits.load(Relaxed),
            joined: self.0.joined.load(Relaxed),
            misses: self.0.misses.load(Relaxed),
        }
    }
}

impl Call {
    pub(super) fn waiting(&self) -> Waiting {
        Waiting(self.channel.subscribe())
    }

    /// Tells all who wait, and remembers the verdict for so long, unless it was forgotten already.
    pub(super) fn settle(self, verdict: Verdict, remembered: Option<Duration>) {
        self.end(verdict, remembered);
    }

    fn end(&self, verdict: Verdict, remembered: Option<Duration>) {
        let now = Instant::now();
        let inner = &self.cache.0;
        let mut state = inner.state.lock();
        let current = state.under_way.get(&self.question);
        if current.is_some_and(|channel| Arc::ptr_eq(channel, &self.channel)) {
            state.under_way.remove(&self.question);
            if let Some(holds) = remembered.filter(|holds| !holds.is_zero()) {
                state.remember(self.question.clone(), verdict, now, holds, inner.entries_max);
            }
        }
        drop(state);
        self.channel.send_replace(Some((verdict, now)));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.channel.borrow().is_none() {
            self.end(Verdict::Failed, None);
        }
    }
}

impl Waiting {
    pub(super) async fn verdict(mut self) -> Verdict {
        match self.0.wait_for(Option::is_some).await.as_deref() {
            Ok(Some((verdict, known_at))) => match verdict {
                Verdict::Allow(Some(holds)) => holding_until(*verdict, *known_at + *holds, Instant::now()),
                verdict => *verdict,
            },
            _ => Verdict::Failed,
        }
    }
}

impl State {
    fn remember(
        &mut self,
        question: Question,
        verdict: Verdict,
        now: Instant,
        holds: Duration,
        entries_max: usize,
    ) {
        let (ends_at, number) = (now + holds, self.next_number);
        self.next_number += 1;
        let remembered = Remembered {
            verdict,
            ends_at,
            number,
        };
        if let Some(old) = self.answers.insert(question.clone(), remembered) {
            self.ends.remove(&(old.ends_at, old.number));
        }
        self.ends.insert((ends_at, number), question);
        // Those that end first: denials before permissions, so that nobody pushes out another's by asking for what he may
        // not enter.
        while let Some(first) = self.ends.first_entry() {
            if first.key().0 > now && self.answers.len() <= entries_max {
                return;
            }
            let question = first.remove();
            self.answers.remove(&question);
        }
    }
}

/// The verdict as it is at `now`, when it ends then.
fn holding_until(verdict: Verdict, ends_at: Instant, now: Instant) -> Verdict {
    match verdict {
        Verdict::Allow(_) => Verdict::Allow(Some(ends_at.saturating_duration_since(now))),
        verdict => verdict,
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn question(cache: &AnswerCache, user: &str, room: &str) -> Question {
        let claims = Claims::for_user(UserId::new(user).unwrap());
        cache.question(&claims, RoomTarget::parse(room).unwrap())
    }

    fn call(cache: &AnswerCache, user: &str, room: &str) -> Call {
        match cache.look(question(cache, user, room)) {
            Found::Nothing(call) => call,
            _ => panic!("{user} {room}: known"),
        }
    }

    fn known(cache: &AnswerCache, user: &str, room: &str) -> Option<Verdict> {
        match cache.look(question(cache, user, room)) {
            Found::Answer(verdict) => Some(verdict),
            _ => None,
        }
    }

    fn allow(holds: Duration) -> Verdict {
        Verdict::Allow(Some(holds))
    }

    #[tokio::test(start_paused = true)]
    async fn answers_end() {
        let cache = AnswerCache::new(10);
        call(&cache, "ann", "execution:1").settle(allow(MINUTE), Some(MINUTE));
        call(&cache, "ann", "execution:2").settle(Verdict::Nothing, Some(MINUTE / 60));
        call(&cache, "ann", "execution:3").settle(Verdict::Failed, None);
        assert_eq!(known(&cache, "ann", "execution:1"), Some(allow(MINUTE)));
        assert_eq!(known(&cache, "ann", "execution:2"), Some(Verdict::Nothing));
        drop(call(&cache, "ann", "execution:3"));
        tokio::time::advance(MINUTE / 60).await;
        assert_eq!(known(&cache, "ann", "execution:1"), Some(allow(MINUTE / 60 * 59)));
        drop(call(&cache, "ann", "execution:2"));
        tokio::time::advance(MINUTE / 60 * 59).await;
        drop(call(&cache, "ann", "execution:1"));
        let figures = cache.figures();
        assert_eq!((figures.hits, figures.joined, figures.misses), (3, 0, 6));
    }

    #[tokio::test(start_paused = true)]
    async fn one_call_answers_all_who_ask_the_same() {
        let cache = AnswerCache::new(10);
        let first = call(&cache, "ann", "execution:1");
        let Found::UnderWay(second) = cache.look(question(&cache, "ann", "execution:1")) else {
            panic!("not under way");
        };
        let others =
            [("bob", "execution:1"), ("ann", "workflow:1")].map(|(user, room)| call(&cache, user, room));
        let mut second = pin!(second.verdict());
        assert_eq!(second.as_mut().now_or_never(), None);
        first.settle(allow(MINUTE), Some(MINUTE));
        tokio::time::advance(MINUTE / 2).await;
        assert_eq!(second.await, allow(MINUTE / 2));
        // Of one that is given up, those who wait are told.
        let [other, _] = others;
        let waiting = other.waiting();
        drop(other);
        assert_eq!(waiting.verdict().await, Verdict::Failed);
        drop(call(&cache, "bob", "execution:1"));
    }

    #[tokio::test(start_paused = true)]
    async fn other_claims_are_another_question() {
        let cache = AnswerCache::new(10);
        let room = RoomTarget::parse("execution:1").unwrap();
        let mut claims = Claims::for_user(UserId::new("ann").unwrap());
        let plain = cache.question(&claims, room);
        claims.scope = vec!["a".to_owned()];
        let scoped = cache.question(&claims, room);
        claims.iss = Some("https://issuer".to_owned());
        let issued = cache.question(&claims, room);
        assert!(plain != scoped && scoped != issued && issued != plain);
        claims.rooms = vec!["execution:1".to_owned()];
        assert_eq!(cache.question(&claims, room), issued, "it is not told");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_forgotten_is_asked_again() {
        let answers = [
            ("ann", "execution:1"),
            ("ann", "execution:2"),
            ("bob", "execution:1"),
        ];
        let ann = UserId::new("ann").unwrap();
        let one = RoomTarget::parse("execution:1");
        for (user, room, left) in [
            (Some(&ann), None, vec![answers[2]]),
            (None, one, vec![answers[1]]),
            (Some(&ann), one, vec![answers[1], answers[2]]),
            (None, None, vec![]),
        ] {
            let cache = AnswerCache::new(10);
            for (user, room) in answers {
                call(&cache, user, room).settle(allow(MINUTE), Some(MINUTE));
            }
            let late = call(&cache, "ann", "workflow:1");
            let forgotten = cache.forget(AnswersAbout { user, room });
            assert_eq!(forgotten, 3 - left.len());
            let found: Vec<_> = answers
                .into_iter()
                .filter(|(user, room)| known(&cache, user, room).is_some())
                .collect();
            assert_eq!(found, left);
            // What was asked before is not known behind it, and does not end what is asked since.
            let is_forgotten = room.is_none();
            let again = is_forgotten.then(|| call(&cache, "ann", "workflow:1"));
            let waiting = late.waiting();
            late.settle(allow(MINUTE), Some(MINUTE));
            assert_eq!(waiting.verdict().await, allow(MINUTE));
            let is_known = known(&cache, "ann", "workflow:1").is_some();
            assert_eq!(is_known, !is_forgotten);
            drop(again);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_memory_is_bounded_and_keeps_what_holds_longest() {
        let cache = AnswerCache::new(3);
        for room in ["execution:1", "execution:2"] {
            call(&cache, "ann", room).settle(allow(MINUTE), Some(MINUTE));
        }
        for number in 0..100 {
            let room = format!("execution:x{number}");
            call(&cache, "bob", &room).settle(Verdict::Nothing, Some(MINUTE / 60));
        }
        assert_eq!(cache.figures().entries, 3);
        assert!(known(&cache, "ann", "execution:1").is_some());
        assert!(known(&cache, "ann", "execution:2").is_some());
        // Those that have ended go when another one comes.
        tokio::time::advance(MINUTE).await;
        call(&cache, "ann", "execution:3").settle(allow(MINUTE), Some(MINUTE));
        assert_eq!(cache.figures().entries, 1);
    }
}
