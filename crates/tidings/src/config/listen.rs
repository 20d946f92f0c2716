//! Where a gateway listens: `address:port`, `localhost:port` or `off`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::setting::{Setting, parsed, quoted};
use super::value::{Mismatch, Value};

/// A listen value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Listen {
    /// The gateway is not served.
    Off,
    /// Both loopback addresses, on one port.
    Localhost(u16),
    /// One address.
    Address(SocketAddr),
}

impl Listen {
    /// The addresses to bind; none if off.
    pub(crate) fn addresses(self) -> Vec<SocketAddr> {
        match self {
            Self::Off => Vec::new(),
            Self::Localhost(port) => vec![
                SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
                SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port),
            ],
            Self::Address(address) => vec![address],
        }
    }

    pub(crate) fn is_off(self) -> bool {
        self == Self::Off
    }

    /// Whether only this machine can reach it (or nobody, if off).
    pub(crate) fn is_loopback(self) -> bool {
        self.addresses().iter().all(|address| address.ip().is_loopback())
    }

    /// Whether only a private network can reach it (or nobody, if off). Unspecified addresses are not private.
    pub(crate) fn is_private(self) -> bool {
        self.addresses().iter().all(|address| match address.ip() {
            IpAddr::V4(ip) => ip.is_loopback() || ip.is_private(),
            IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local(),
        })
    }

    /// Whether two gateways with these values are served by one listener. Port 0 asks for a free port,
    /// each time another.
    pub(crate) fn shares_with(self, other: Self) -> bool {
        self == other && self.addresses().iter().any(|address| address.port() != 0)
    }
}

/// The text is no listen value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ListenError;

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        if text == "off" {
            return Ok(Self::Off);
        }
        if let Some(port) = text.strip_prefix("localhost:") {
            return port.parse().map(Self::Localhost).map_err(|_| ListenError);
        }
        text.parse().map(Self::Address).map_err(|_| ListenError)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => formatter.write_str("off"),
            Self::Localhost(port) => write!(formatter, "localhost:{port}"),
            Self::Address(address) => write!(formatter, "{address}"),
        }
    }
}

impl Setting for Listen {
    fn expected() -> String {
        "`address:port`, `localhost:port` or `off`".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        parsed(value)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}
