//! Leaving alone who has failed again and again, so that its clients do not wait for nothing and it can come back.

use std::fmt::Display;
use std::time::Duration;

use parking_lot::Mutex;
use tidings_access::BreakerState;
use tokio::time::Instant;

/// When nobody is asked any more, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct BreakerSettings {
    /// Failures in a row after which nobody is asked.
    pub failures_max: u32,
    /// How long nobody is asked. Then one question is, which decides.
    pub open: Duration,
}

/// A circuit breaker.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// The rule, for the log.
    rule: &'static str,
    settings: BreakerSettings,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// One asks.
    HalfOpen,
}

/// Leave to ask once. What came of it is to be told; dropped without, it does not count.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    breaker: &'a Breaker,
    /// Whether it decides if others may ask.
    is_trial: bool,
    is_told: bool,
}

impl Breaker {
    pub(crate) fn new(rule: &'static str, settings: BreakerSettings) -> Breaker {
        Breaker {
            rule,
            settings,
            state: Mutex::new(State::Closed { failures: 0 }),
        }
    }

    /// Leave to ask, unless nobody may.
    pub(crate) fn admit(&self) -> Option<Pass<'_>> {
        let mut state = self.state.lock();
        let is_trial = match *state {
            State::Closed { .. } => false,
            State::Open { until } if until <= Instant::now() => {
                *state = State::HalfOpen;
                true
            }
            State::Open { .. } | State::HalfOpen => return None,
        };
        Some(Pass {
            breaker: self,
            is_trial,
            is_told: false,
        })
    }

    pub(crate) fn state(&self) -> BreakerState {
        match *self.state.lock() {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen => BreakerState::HalfOpen,
        }
    }

    fn opened(&self) -> State {
        State::Open {
            until: Instant::now() + self.settings.open,
        }
    }
}

impl Pass<'_> {
    /// There was an answer.
    pub(crate) fn succeeded(mut self) {
        self.is_told = true;
        let mut state = self.breaker.state.lock();
        match *state {
            State::Closed { .. } => *state = State::Closed { failures: 0 },
            State::HalfOpen if self.is_trial => {
                *state = State::Closed { failures: 0 };
                tracing::info!(rule = self.breaker.rule, "the rule about rooms answers again");
            }
            State::Open { .. } | State::HalfOpen => {}
        }
    }

    /// There was none.
    pub(crate) fn failed(mut self, why: &dyn Display) {
        self.is_told = true;
        let Breaker { rule, settings, .. } = self.breaker;
        let mut state = self.breaker.state.lock();
        match *state {
            State::Closed { failures } if failures + 1 < settings.failures_max => {
                *state = State::Closed {
                    failures: failures + 1,
                };
                tracing::debug!(rule, %why, "the rule about rooms has no answer");
            }
            State::Closed { .. } => {
                *state = self.breaker.opened();
                let open_ms = settings.open.as_millis();
                tracing::warn!(
                    rule,
                    %why,
                    open_ms,
                    "the rule about rooms has no answers and is not asked for a while: who needs it is denied"
                );
            }
            State::HalfOpen if self.is_trial => *state = self.breaker.opened(),
            State::Open { .. } | State::HalfOpen => {}
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_trial && !self.is_told {
            // Whoever asks next decides.
            *self.breaker.state.lock() = State::Open {
                until: Instant::now(),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Duration = Duration::from_secs(5);

    fn breaker() -> Breaker {
        let settings = BreakerSettings {
            failures_max: 3,
            open: OPEN,
        };
        Breaker::new("test", settings)
    }

    fn fail(breaker: &Breaker) {
        breaker.admit().unwrap().failed(&"no answer");
    }

    #[tokio::test(start_paused = true)]
    async fn opens_after_failures_in_a_row() {
        let breaker = breaker();
        fail(&breaker);
        fail(&breaker);
        breaker.admit().unwrap().succeeded();
        fail(&breaker);
        fail(&breaker);
        assert_eq!(breaker.state(), BreakerState::Closed);
        // What was asked before does not change what is decided.
        let [early, late] = [breaker.admit().unwrap(), breaker.admit().unwrap()];
        fail(&breaker);
        assert_eq!(breaker.state(), BreakerState::Open);
        early.succeeded();
        late.failed(&"no answer");
        assert_eq!(breaker.state(), BreakerState::Open);
        tokio::time::advance(OPEN / 10 * 9).await;
        assert!(breaker.admit().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn one_trial_decides() {
        for is_good in [true, false] {
            let breaker = breaker();
            let before = breaker.admit().unwrap();
            (0..3).for_each(|_| fail(&breaker));
            tokio::time::advance(OPEN).await;
            let trial = breaker.admit().unwrap();
            assert_eq!(breaker.state(), BreakerState::HalfOpen);
            assert!(breaker.admit().is_none(), "one at a time");
            before.succeeded();
            assert_eq!(breaker.state(), BreakerState::HalfOpen, "it is no trial");
            if is_good {
                trial.succeeded();
                assert_eq!(breaker.state(), BreakerState::Closed);
                fail(&breaker);
                assert!(breaker.admit().is_some(), "the failures of before are forgotten");
            } else {
                trial.failed(&"no answer");
                assert!(breaker.admit().is_none());
                tokio::time::advance(OPEN).await;
                assert!(breaker.admit().is_some());
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_nobody_waits_for_is_not_the_last() {
        let breaker = breaker();
        (0..3).for_each(|_| fail(&breaker));
        tokio::time::advance(OPEN).await;
        drop(breaker.admit().unwrap());
        breaker.admit().unwrap().succeeded();
        assert_eq!(breaker.state(), BreakerState::Closed);
    }
}
