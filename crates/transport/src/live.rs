//! What must happen when a connection's task ends, however it ends.

use crate::{QuotaGuard, Transport, Via};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidings_hub::Connection;

/// A connection whose task runs. Dropping it tells the hub and the counters.
pub(crate) struct Live {
    transport: Transport,
    connection: Arc<Connection>,
    via: Via,
    since: Instant,
    address: Option<QuotaGuard<IpAddr>>,
}

impl Live {
    pub(crate) fn new(
        transport: Transport,
        connection: Arc<Connection>,
        via: Via,
        address: Option<QuotaGuard<IpAddr>>,
    ) -> Self {
        transport.counters().connected(connection.gateway(), via);
        Self {
            transport,
            connection,
            via,
            since: Instant::now(),
            address,
        }
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// How long it has been open.
    pub(crate) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// What its client's quotas count by, if it is known.
    pub(crate) fn network(&self) -> Option<IpAddr> {
        self.address.as_ref().map(|place| *place.key())
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.connection.gone();
        let gateway = self.connection.gateway();
        self.transport
            .counters()
            .disconnected(gateway, self.via, self.since.elapsed());
    }
}
