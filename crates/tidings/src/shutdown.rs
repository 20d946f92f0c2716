//! Stopping: the first SIGTERM or SIGINT asks, the second insists.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Gives a token that the first signal cancels. The second ends the process at once: whoever sends it has waited
/// long enough.
pub(crate) fn token() -> std::io::Result<CancellationToken> {
    let terminate = signal(SignalKind::terminate())?;
    let interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    tokio::spawn(watch(terminate, interrupt, token.clone()));
    Ok(token)
}

async fn watch(mut terminate: Signal, mut interrupt: Signal, token: CancellationToken) {
    next(&mut terminate, &mut interrupt).await;
    tracing::info!("stopping");
    token.cancel();
    next(&mut terminate, &mut interrupt).await;
    tracing::warn!("stopping at once");
    #[expect(clippy::exit, reason = "there is nothing left that may delay the end")]
    std::process::exit(70);
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
