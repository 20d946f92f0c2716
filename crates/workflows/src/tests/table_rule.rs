//! A rule that answers what a test says.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tidings_access::{BoxFuture, Claims, RoomRule, RoomTarget, Verdict};
use tokio::sync::Semaphore;

/// Verdicts by user and room; nothing for all others.
pub(super) struct TableRule {
    verdicts: Mutex<HashMap<(String, String), Verdict>>,
    asked: Mutex<Vec<String>>,
    /// What a question waits for behind its answer; open unless a test closes it.
    gate: Semaphore,
}

impl TableRule {
    pub(super) const NAME: &'static str = "table";

    pub(super) fn new() -> Arc<TableRule> {
        Arc::new(TableRule {
            verdicts: Mutex::default(),
            asked: Mutex::default(),
            gate: Semaphore::new(1_000),
        })
    }

    pub(super) fn set(&self, user: &str, room: &str, verdict: Verdict) {
        self.verdicts
            .lock()
            .insert((user.to_owned(), room.to_owned()), verdict);
    }

    /// What it was asked since the last time: `user room`, sorted.
    pub(super) fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock());
        asked.sort();
        asked
    }

    /// Lets questions wait until [`TableRule::open`].
    pub(super) fn close(&self) {
        self.gate.forget_permits(1_000);
    }

    pub(super) fn open(&self) {
        self.gate.add_permits(1_000);
    }
}

impl RoomRule for TableRule {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn ask<'a>(&'a self, claims: &'a Claims, room: RoomTarget<'a>) -> BoxFuture<'a, Verdict> {
        let question = (claims.sub.to_string(), room.to_string());
        self.asked.lock().push(format!("{} {}", question.0, question.1));
        let verdict = self.verdicts.lock().get(&question).copied();
        Box::pin(async move {
            drop(self.gate.acquire().await);
            verdict.unwrap_or(Verdict::Nothing)
        })
    }
}
