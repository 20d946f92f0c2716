//! Dead letters that somebody wants delivered after all, because a rule was mended.

use crate::{Ingest, Outcome};
use std::sync::Arc;
use std::time::Duration;
use tidings_store::{DeadLetter, Store, StoreError};
use tokio_util::sync::CancellationToken;

/// How often it is asked whether there are any.
const INTERVAL: Duration = Duration::from_secs(1);
/// As many are taken at once.
const LETTERS_MAX: u32 = 100;
/// For so long no other node takes the same. What cannot be delivered now comes back after it.
const LEASE: Duration = Duration::from_secs(30);

/// Takes dead letters in once more.
pub struct Replay {
    ingest: Arc<Ingest>,
    store: Store,
}

impl Replay {
    /// Dead letters of `store`, by the rules of `ingest`.
    pub fn new(ingest: Arc<Ingest>, store: Store) -> Replay {
        Replay { ingest, store }
    }

    /// Looks for such dead letters until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut interval = tokio::time::interval(INTERVAL);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = interval.tick() => {}
            }
            while !stop.is_cancelled() {
                match self.replay_some().await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(%error, "dead letters were not replayed");
                        break;
                    }
                }
            }
        }
    }

    /// Whether there may be more at once.
    async fn replay_some(&self) -> Result<bool, StoreError> {
        let letters = self.store.claim_dead_letters(LETTERS_MAX, LEASE).await?;
        for letter in &letters {
            if !self.replay(letter).await? {
                return Ok(false);
            }
        }
        Ok(letters.len() == LETTERS_MAX as usize)
    }

    /// False if it, and so the next one, cannot be delivered now.
    async fn replay(&self, letter: &DeadLetter) -> Result<bool, StoreError> {
        let outcome = self.ingest.replay(letter).await;
        match outcome {
            Outcome::Accepted(_) | Outcome::Duplicate => self.store.remove_dead_letter(letter.id).await?,
            Outcome::Dropped(reason) => self.store.refuse_dead_letter(letter.id, reason.as_str()).await?,
            Outcome::Retry(_) => return Ok(false),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
