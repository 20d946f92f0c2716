//! The addresses each gateway listens on, once they are bound.

use std::net::SocketAddr;

use serde::Serialize;

/// The addresses by gateway; the content of `listeners.json`.
#[derive(Debug, Default, Clone, Serialize)]
pub(crate) struct Listening {
    flow: Vec<SocketAddr>,
    tasks: Vec<SocketAddr>,
    workflows: Vec<SocketAddr>,
    operators: Vec<SocketAddr>,
    /// Only if Dapr's routes have a listener of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ingest: Vec<SocketAddr>,
    /// The gateways that speak TLS; clients are told the addresses, and know the scheme.
    #[serde(skip)]
    secure: Vec<&'static str>,
}

impl Listening {
    /// Notes and logs one address. Names other than those of the fields are none of ours and ignored.
    pub(crate) fn add(&mut self, gateway: &'static str, address: SocketAddr) {
        let addresses = match gateway {
            "flow" => &mut self.flow,
            "tasks" => &mut self.tasks,
            "workflows" => &mut self.workflows,
            "operators" => &mut self.operators,
            "ingest" => &mut self.ingest,
            _ => return,
        };
        addresses.push(address);
    }

    /// Notes that a gateway speaks TLS.
    pub(crate) fn secure(&mut self, gateway: &'static str) {
        self.secure.push(gateway);
    }

    pub(crate) fn is_secure(&self, gateway: &str) -> bool {
        self.secure.contains(&gateway)
    }

    /// The addresses by gateway, in the order people look for them.
    pub(crate) fn by_gateway(&self) -> [(&'static str, &[SocketAddr]); 5] {
        [
            ("flow", &self.flow),
            ("tasks", &self.tasks),
            ("workflows", &self.workflows),
            ("operators", &self.operators),
            ("ingest", &self.ingest),
        ]
    }

    /// Where one gateway is reached from this machine, if it listens.
    pub(crate) fn first(&self, gateway: &str) -> Option<SocketAddr> {
        let addresses = self
            .by_gateway()
            .into_iter()
            .find(|(name, _)| *name == gateway)?
            .1;
        addresses.first().copied()
    }
}
