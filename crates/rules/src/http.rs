//! The rule `http`: a call of the application's own route.

mod answer;
mod cache;
mod callback;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tidings_access::{AnswersAbout, BoxFuture, Claims, RoomRule, RoomTarget, RuleState, Verdict};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::answer::{Answer, NoAnswer};
use self::cache::{AnswerCache, Found};
use self::callback::Callback;
use crate::WAITING_MAX;
use crate::breaker::{Breaker, BreakerSettings};

/// The shortest time that an answer holds which lets somebody in.
const HOLDS_MIN: Duration = Duration::from_secs(1);

/// Whom the rule asks, and within which bounds.
#[derive(Clone)]
pub struct HttpSettings {
    /// The route.
    pub url: Url,
    /// Sent as `Authorization: Bearer`, so that the application knows who asks.
    pub token: Option<String>,
    /// How long a call may take, and how long it may wait for its turn.
    pub timeout: Duration,
    /// Calls at one time.
    pub concurrency_max: usize,
    /// How long an answer holds that lets somebody in and does not say how long.
    pub holds: Duration,
    /// The longest that an answer may say.
    pub holds_max: Duration,
    /// How long it is remembered that somebody is not let in, or that a call had no answer.
    pub denial_holds: Duration,
    /// Answers that are remembered. Beyond it, those that end first are forgotten.
    pub cache_entries_max: usize,
    /// When the route is left alone.
    pub breaker: BreakerSettings,
}

/// There is no HTTP client.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client")]
pub struct HttpRuleError(#[from] reqwest::Error);

/// Lets in whom the application's route lets in.
pub struct HttpRule(Arc<Inner>);

struct Inner {
    callback: Callback,
    timeout: Duration,
    holds: Duration,
    holds_max: Duration,
    denial_holds: Duration,
    cache: AnswerCache,
    /// Calls that are under way or wait.
    places: Arc<Semaphore>,
    turns: Semaphore,
    breaker: Breaker,
}

impl HttpRule {
    /// Its name.
    pub const NAME: &'static str = "http";

    /// A rule that connects when it is first asked.
    pub fn new(settings: HttpSettings) -> Result<HttpRule, HttpRuleError> {
        let concurrency_max = settings.concurrency_max.max(1);
        Ok(HttpRule(Arc::new(Inner {
            callback: Callback::new(settings.url, settings.token, settings.timeout, concurrency_max)?,
            timeout: settings.timeout,
            holds: settings.holds.max(HOLDS_MIN),
            holds_max: settings.holds_max.max(HOLDS_MIN),
            denial_holds: settings.denial_holds,
            cache: AnswerCache::new(settings.cache_entries_max),
            places: Arc::new(Semaphore::new(concurrency_max + WAITING_MAX)),
            turns: Semaphore::new(concurrency_max),
            breaker: Breaker::new(Self::NAME, settings.breaker),
        })))
    }

    async fn answer(&self, claims: &Claims, room: RoomTarget<'_>) -> Verdict {
        let inner = &self.0;
        match inner.cache.look(inner.cache.question(claims, room)) {
            Found::Answer(verdict) => verdict,
            Found::UnderWay(waiting) => waiting.verdict().await,
            Found::Nothing(call) => {
                let Ok(place) = inner.places.clone().try_acquire_owned() else {
                    return Verdict::Failed;
                };
                let waiting = call.waiting();
                let (inner, body) = (inner.clone(), callback::body(claims, room));
                // A task of its own: others wait for the same answer, and who asked first may leave.
                tokio::spawn(async move {
                    let (verdict, remembered) = inner.call(body).await;
                    drop(place);
                    call.settle(verdict, remembered);
                });
                waiting.verdict().await
            }
        }
    }
}

impl Inner {
    /// Calls the route; the verdict, and for how long it is remembered, if it is.
    async fn call(&self, body: Vec<u8>) -> (Verdict, Option<Duration>) {
        let Ok(Ok(_turn)) = timeout(self.timeout, self.turns.acquire()).await else {
            return (Verdict::Failed, None);
        };
        // Asked behind the wait, so that a queue is dissolved when the breaker opens.
        let Some(pass) = self.breaker.admit() else {
            return (Verdict::Failed, None);
        };
        let answer = timeout(self.timeout, self.callback.ask(body)).await;
        match answer.unwrap_or(Err(NoAnswer::Late)) {
            Ok(answer) => {
                pass.succeeded();
                match answer {
                    Answer::Allowed(holds) => {
                        let holds = holds.unwrap_or(self.holds).clamp(HOLDS_MIN, self.holds_max);
                        (Verdict::Allow(Some(holds)), Some(holds))
                    }
                    Answer::Denied => (Verdict::Nothing, Some(self.denial_holds)),
                }
            }
            Err(why) => {
                pass.failed(&why);
                // As long as a denial: an application that fails on rooms that it does not know tells nobody by it.
                (Verdict::Failed, Some(self.denial_holds))
            }
        }
    }
}

impl RoomRule for HttpRule {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn ask<'a>(&'a self, claims: &'a Claims, room: RoomTarget<'a>) -> BoxFuture<'a, Verdict> {
        Box::pin(self.answer(claims, room))
    }

    fn reads_claims(&self) -> bool {
        true
    }

    fn forget(&self, about: AnswersAbout<'_>) -> usize {
        self.0.cache.forget(about)
    }

    fn state(&self) -> RuleState {
        RuleState {
            breaker: Some(self.0.breaker.state()),
            cache: Some(self.0.cache.figures()),
        }
    }
}
