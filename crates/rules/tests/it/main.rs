//! Rules about rooms against what they really ask: the PostgreSQL that `scripts/services start postgres` started, and HTTP
//! servers.
#![expect(clippy::unwrap_used, reason = "tests and their helpers")]

mod application;
mod database;
mod http;
mod oracle;
mod sql;

use std::time::Duration;

use tidings_access::{Claims, RoomRule, RoomTarget, UserId, Verdict};
use tidings_rules::BreakerSettings;

/// One that tests do not meet unless they mean to.
pub(crate) const PATIENT: BreakerSettings = BreakerSettings {
    failures_max: 1_000_000,
    open: Duration::from_secs(1),
};

pub(crate) fn claims(user: &str) -> Claims {
    Claims::for_user(UserId::new(user).unwrap())
}

pub(crate) async fn ask(rule: &dyn RoomRule, user: &str, room: &str) -> Verdict {
    rule.ask(&claims(user), RoomTarget::parse(room).unwrap()).await
}
