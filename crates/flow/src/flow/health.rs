//! Whether the gateway works.

use serde::Serialize;
use tidings_wire::time::Timestamp;

use super::Flow;

/// The body of `GET /health`: answered with 200 if [`Health::is_healthy`], otherwise with 503.
#[derive(Clone, Debug, Serialize)]
pub struct Health {
    status: &'static str,
    service: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failing: Vec<&'static str>,
    timestamp: Timestamp,
}

impl Health {
    /// Whether store and bus work and no drain is on.
    pub fn is_healthy(&self) -> bool {
        self.failing.is_empty()
    }
}

impl Flow {
    /// Asks store and bus.
    pub async fn health(&self) -> Health {
        let mut failing = Vec::new();
        if self.store().check_health().await.is_err() {
            failing.push("store");
        }
        if self.0.bus.health().is_err() {
            failing.push("bus");
        }
        if self.transport().shutdown().is_cancelled() {
            failing.push("shutting_down");
        }
        let status = if failing.is_empty() {
            "healthy"
        } else {
            "unhealthy"
        };
        Health {
            status,
            service: "flow-api",
            failing,
            timestamp: self.now(),
        }
    }
}
