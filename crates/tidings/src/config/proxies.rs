//! Proxies in front of the listeners.

use std::str::FromStr;

use tidings_transport::Network;
use tidings_wire::forwarding::Form;

use super::listener_name::ListenerName;
use super::section::section;
use super::setting::{Setting, parsed, quoted};
use super::value::{Mismatch, Value};

section! {
    /// Proxies and load balancers in front of the listeners, and how they say whom they speak for. Limits per address
    /// count the client that they name.
    ["proxies"] Proxies(base) {
        /// The addresses of the proxies that are believed, such as `10.0.0.0/8`. Nobody else's word counts.
        trusted: Vec<Network> = Vec::new();
        /// Listeners on which trusted proxies begin each connection with a PROXY protocol header, version 1 or 2. One
        /// of theirs without it is refused; other clients connect as ever.
        protocol_listeners: Vec<ListenerName> = Vec::new();
        /// The header in which trusted proxies name the client of a request: its rightmost address that is no trusted
        /// proxy's counts. Unset: none is read. The proxy must not pass on what a client put into this header.
        header: Option<ForwardingHeader> = None;
    }
}

/// `x-forwarded-for` or `forwarded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ForwardingHeader(pub(crate) Form);

/// The text names neither header.
#[derive(Debug)]
pub(crate) struct ForwardingHeaderError;

impl FromStr for ForwardingHeader {
    type Err = ForwardingHeaderError;

    fn from_str(text: &str) -> Result<Self, ForwardingHeaderError> {
        [Form::XForwardedFor, Form::Forwarded]
            .into_iter()
            .find(|form| text.eq_ignore_ascii_case(form.header()))
            .map(Self)
            .ok_or(ForwardingHeaderError)
    }
}

impl Setting for ForwardingHeader {
    fn expected() -> String {
        "`x-forwarded-for` or `forwarded`".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        parsed(value)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(self.0.header()))
    }
}

impl Setting for Network {
    fn expected() -> String {
        "an address or a range such as `10.0.0.0/8`".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        parsed(value)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}
