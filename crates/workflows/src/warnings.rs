//! Telling connections that their token is about to expire, if they asked for it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tidings_transport::{Deadline, Deadlines};
use tidings_wire::time::Timestamp;

use crate::gateway::Inner;
use crate::member::Member;

/// How long before its expiry a token is warned of.
const WARNING_S: i64 = 60;
/// How often tokens to be warned of are looked for.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_millis(250);
/// Connections warned before others on the thread get their turn.
const AT_ONCE_MAX: usize = 256;

/// The connections that asked to be warned, by when that is.
#[derive(Default)]
pub(crate) struct Warnings(Mutex<Deadlines<Arc<Member>>>);

impl Warnings {
    pub(crate) fn enter(&self, expiry_s: i64, member: &Arc<Member>) -> Deadline {
        self.0.lock().enter(warning_ms(expiry_s), member.clone())
    }

    pub(crate) fn forget(&self, deadline: Deadline) {
        let member = self.0.lock().remove(deadline);
        // It is dropped behind the lock.
        drop(member);
    }
}

impl Inner {
    /// Warns the connections whose time has come. The sweep's one step.
    pub(crate) async fn warn_due(&self, now_ms: i64) {
        loop {
            let due = self.warnings.0.lock().take_due(now_ms, AT_ONCE_MAX);
            if due.is_empty() {
                return;
            }
            for member in due {
                if let Some(turn) = member.try_turn() {
                    warn(&member, now_ms).await;
                    drop(turn);
                    continue;
                }
                // It must not keep the others waiting until its turn comes.
                self.transport.spawn(async move {
                    let _turn = member.turn().await;
                    warn(&member, now_ms).await;
                });
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Warns a member, in its turn. It may have got another token meanwhile.
async fn warn(member: &Member, now_ms: i64) {
    let expiry_s = member
        .claims()
        .exp
        .filter(|&expiry_s| warning_ms(expiry_s) <= now_ms);
    if let Some(expiry_s) = expiry_s {
        let warning = member.frames().expiring(expiry(expiry_s));
        member.connection.send(warning).await;
    }
}

/// When a token expires, for a frame.
pub(crate) fn expiry(expiry_s: i64) -> Timestamp {
    Timestamp::from_millis(expiry_s.saturating_mul(1_000))
}

fn warning_ms(expiry_s: i64) -> i64 {
    expiry_s.saturating_sub(WARNING_S).saturating_mul(1_000)
}
