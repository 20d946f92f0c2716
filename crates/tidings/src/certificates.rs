//! Reading the listeners' certificate again while they run.

use std::time::Duration;

use tidings_transport::{Tls, Transport};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

/// Reads the files again when they have changed, and on SIGHUP, until the server stops.
pub(crate) fn watch(tls: Tls, interval: Duration, transport: &Transport) -> std::io::Result<()> {
    let hangups = signal(SignalKind::hangup())?;
    transport.spawn(run(tls, interval, hangups, transport.clone()));
    Ok(())
}

async fn run(tls: Tls, interval: Duration, mut hangups: Signal, transport: Transport) {
    let mut looks = tokio::time::interval(interval);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_asked = tokio::select! {
            Some(()) = hangups.recv() => true,
            _ = looks.tick() => false,
            () = transport.shutdown().cancelled() => return,
        };
        let (tls, transport) = (tls.clone(), transport.clone());
        let reading = tokio::task::spawn_blocking(move || {
            if is_asked || tls.is_outdated() {
                tls.reload(transport.counters());
            }
        });
        if let Err(error) = reading.await {
            tracing::error!(%error, "TLS: reading the certificate failed");
        }
    }
}
