//! How many queries over many leads may run at one time.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Fewer than the store's connections (`store.connections_max`, at least 2 and 8 by default). The others are for what takes a moment and must not wait: looking keys up, asking who
/// owns a room, health.
const QUERIES_MAX: usize = 2;
/// How long a query may wait for its turn.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Lists, searches and figures, which read as many rows as a tenant has.
pub(super) struct Queries(Semaphore);

impl Default for Queries {
    fn default() -> Queries {
        Queries(Semaphore::new(QUERIES_MAX))
    }
}

impl Queries {
    /// A place, in the order of asking; `None` if there was none for too long.
    pub(super) async fn admit(&self) -> Option<SemaphorePermit<'_>> {
        tokio::time::timeout(WAIT_MAX, self.0.acquire()).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_query_waits_for_its_turn_and_not_for_ever() {
        let queries = Queries::default();
        let first = queries.admit().await;
        let second = queries.admit().await;
        assert!(first.is_some() && second.is_some());
        let start = Instant::now();
        assert!(queries.admit().await.is_none());
        assert_eq!(start.elapsed(), WAIT_MAX);
        let (third, ()) = tokio::join!(queries.admit(), async { drop(first) });
        assert!(third.is_some());
        assert_eq!(start.elapsed(), WAIT_MAX, "at once");
    }
}
