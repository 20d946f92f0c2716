//! Where the server listens that serves the data directory, for commands that ask it something.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context;

use crate::config::{Config, ListenerName};

/// What the server has written into `listeners.json`.
#[derive(Debug, Default)]
pub(crate) struct Running {
    addresses: HashMap<String, Vec<SocketAddr>>,
}

impl Running {
    /// Reads the file. A server that was killed has left it behind, so nobody may listen there any more.
    pub(crate) fn read(config: &Config) -> anyhow::Result<Self> {
        let path = config.server.data_dir.join("listeners.json");
        let text = fs::read(&path).with_context(|| format!("no server has {}", path.display()))?;
        let addresses =
            serde_json::from_slice(&text).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { addresses })
    }

    /// The first address of a listener.
    pub(crate) fn address(&self, listener: &str) -> Option<SocketAddr> {
        self.addresses.get(listener)?.first().copied()
    }

    /// `http://localhost:8000`: how a program on this machine reaches a listener, unless only a proxy can.
    pub(crate) fn base_url(&self, listener: &str, config: &Config) -> Option<String> {
        let address = self.address(listener)?;
        if is_named(listener, &config.proxies.protocol_listeners) {
            return None;
        }
        let scheme = if is_named(listener, &config.tls.listeners) {
            "https"
        } else {
            "http"
        };
        // The name, because certificates have it and browsers trust it.
        let is_usual = |ip: IpAddr| ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST;
        Some(if is_usual(reachable(address.ip())) {
            format!("{scheme}://localhost:{}", address.port())
        } else {
            format!("{scheme}://{address}")
        })
    }
}

/// Whether a listener is among the named ones.
pub(crate) fn is_named(listener: &str, names: &[ListenerName]) -> bool {
    names.iter().any(|name| name.as_str() == listener)
}

/// Where a listener on every address is reached from this machine.
pub(crate) fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Base, Mode};

    fn config() -> Config {
        Config::defaults(&Base {
            mode: Mode::Development,
            data_dir: "none".into(),
        })
    }

    #[test]
    fn urls_of_listeners() {
        let mut config = config();
        config.tls.listeners = vec!["tasks".parse().unwrap()];
        config.proxies.protocol_listeners = vec!["operators".parse().unwrap()];
        for (listener, address, url) in [
            ("flow", "127.0.0.1:4000", Some("http://localhost:4000")),
            ("flow", "[::1]:4000", Some("http://localhost:4000")),
            ("flow", "0.0.0.0:4000", Some("http://localhost:4000")),
            ("flow", "127.0.0.2:4000", Some("http://127.0.0.2:4000")),
            ("flow", "[fd00::1]:4000", Some("http://[fd00::1]:4000")),
            ("tasks", "127.0.0.1:8004", Some("https://localhost:8004")),
            ("operators", "127.0.0.1:9400", None),
        ] {
            let running = Running {
                addresses: HashMap::from([(listener.to_owned(), vec![address.parse().unwrap()])]),
            };
            assert_eq!(
                running.base_url(listener, &config).as_deref(),
                url,
                "{listener} on {address}"
            );
            assert_eq!(running.base_url("workflows", &config), None);
        }
    }

    #[test]
    fn without_the_file_there_is_no_server() {
        let error = format!("{:#}", Running::read(&config()).unwrap_err());
        assert!(
            error.starts_with("no server has none/listeners.json: "),
            "{error}"
        );
    }
}
