//! Proxies that may say whom they speak for.

use crate::{Network, PeerAddress};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::net::IpAddr;
use tidings_wire::forwarding::{self, Form};

/// Whom a listener believes what it says about its clients.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// The proxies' addresses.
    pub trusted: Vec<Network>,
    /// The header in which they name the client of a request; `None`: none is read.
    pub header: Option<Form>,
}

impl Proxies {
    /// Whether this address is one of theirs.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// Whether requests from this peer may be other clients'.
    pub(crate) fn forwards(&self, peer: PeerAddress) -> bool {
        self.header.is_some() && self.trusts(peer.0.ip())
    }

    /// Whose request it is. Headers of a peer that is not trusted say nothing.
    pub(crate) fn client(&self, peer: PeerAddress, headers: &HeaderMap) -> PeerAddress {
        let Some(form) = self.header.filter(|_| self.trusts(peer.0.ip())) else {
            return peer;
        };
        let name = HeaderName::from_static(form.header());
        let lines: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        PeerAddress(forwarding::client(form, lines.into_iter(), peer.0, |ip| {
            self.trusts(ip)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_peer_speaks_for_others() {
        let mut proxies = Proxies {
            trusted: vec!["10.0.0.0/8".parse().unwrap()],
            header: Some(Form::XForwardedFor),
        };
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("198.51.100.9"));
        headers.append("x-forwarded-for", HeaderValue::from_static("192.0.2.7, 10.0.0.2"));
        headers.append("forwarded", HeaderValue::from_static("for=192.0.2.8"));
        let peer = |text: &str| PeerAddress(text.parse().unwrap());
        let (proxy, other) = (peer("10.0.0.1:5000"), peer("11.0.0.1:5000"));
        assert_eq!(proxies.client(proxy, &headers), peer("192.0.2.7:0"));
        assert_eq!(proxies.client(other, &headers), other);
        assert_eq!((proxies.forwards(proxy), proxies.forwards(other)), (true, false));
        proxies.header = Some(Form::Forwarded);
        assert_eq!(proxies.client(proxy, &headers), peer("192.0.2.8:0"));
        proxies.header = None;
        assert_eq!(proxies.client(proxy, &headers), proxy);
        assert!(!proxies.forwards(proxy));
    }
}
