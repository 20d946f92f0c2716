//! What is begun is carried through, also when the caller hangs up.

use std::sync::Arc;

use tidings_transport::{Problem, ProblemCode};
use tokio::sync::oneshot;

use crate::Workflows;
use crate::gateway::Inner;

impl Workflows {
    /// Runs `work` to its end whatever becomes of the request: between a commit and its publish nobody may leave.
    pub(super) async fn carry_through<T, W>(&self, work: impl FnOnce(Arc<Inner>) -> W) -> Result<T, Problem>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        let (done, waiting) = oneshot::channel();
        let work = work(self.0.clone());
        self.0.transport.spawn(async move {
            // Nobody waits for the answer if the caller has gone.
            let _ = done.send(work.await);
        });
        waiting
            .await
            .unwrap_or_else(|_| Err(Problem::new(ProblemCode::InternalError)))
    }
}
