//! Telling tenants that the database is away.
//!
//! Their commands are answered `Service unavailable` meanwhile; who only listens would not know.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::Flow;
use crate::envelope::{self, Origin};

/// The least time between two outages that are told: a database that comes and goes is told of now and then.
const INTERVAL: Duration = Duration::from_secs(10);

/// Whether the store answers, and when tenants were last told that it does not.
#[derive(Debug, Default)]
pub(super) struct Outage {
    is_away: bool,
    told_at: Option<Instant>,
}

#[derive(Serialize)]
struct ServiceError {
    operation: &'static str,
    service: &'static str,
    error: &'static str,
    retryable: bool,
}

impl Outage {
    /// Takes note of whether the store has answered; whether tenants are to be told that it does not.
    pub(super) fn begins(&mut self, is_answered: bool) -> bool {
        let was_away = std::mem::replace(&mut self.is_away, !is_answered);
        let now = Instant::now();
        let is_told = self.told_at.is_some_and(|told_at| now - told_at < INTERVAL);
        if is_answered || was_away || is_told {
            return false;
        }
        self.told_at = Some(now);
        true
    }
}

impl Flow {
    /// Tells every tenant with a connection.
    pub(super) async fn tell_of_outage(&self) {
        let data = ServiceError {
            operation: "store",
            service: "database",
            error: "the database does not answer",
            retryable: true,
        };
        let now = self.now();
        for (tenant, _) in self.0.tenants.snapshot() {
            let event =
                envelope::integration_event(&tenant, "EXTERNAL_SERVICE_ERROR", Origin::System, &data, now);
            if let Ok(event) = envelope::to_publish(&tenant, event, now) {
                // Logged and counted there.
                let _ = self.publish(&tenant, Ok(event)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_told_once_and_not_too_often() {
        let mut outage = Outage::default();
        assert!(!outage.begins(true));
        assert!(outage.begins(false));
        assert!(!outage.begins(false));
        assert!(!outage.begins(true));
        assert!(!outage.begins(false), "within the interval");
        assert!(!outage.begins(true));
        tokio::time::advance(INTERVAL).await;
        assert!(outage.begins(false));
    }
}
