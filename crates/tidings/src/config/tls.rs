//! TLS of the listeners.

use std::path::PathBuf;
use std::str::FromStr;

use tidings_transport::{TlsSettings, TlsVersion};

use super::listener_name::ListenerName;
use super::section::section;
use super::setting::{Setting, parsed, quoted};
use super::value::{Mismatch, Value};

section! {
    /// TLS of the listeners. The files are read again when they change and on SIGHUP, without dropping a connection; new
    /// ones that cannot be used leave the old ones in force.
    ["tls"] Tls(base) {
        /// Listeners that speak TLS, and nothing else.
        listeners: Vec<ListenerName> = Vec::new();
        /// A PEM file with the certificate, followed by those that lead to its authority.
        certificate: Option<PathBuf> = None;
        /// A PEM file with the certificate's private key; it may be the same file.
        key: Option<PathBuf> = None;
        /// The least version that clients may speak.
        version_min: Version = Version(TlsVersion::Tls12);
        /// Tickets for coming back that a client of TLS 1.3 gets; 0: no session is resumed, in any version. The client
        /// keeps them, the server nothing.
        session_tickets: u32 = 2, within 0..=8;
        /// TLS handshakes under way at one time; more wait for their turn, within `limits.handshake_timeout_ms`.
        handshakes_max: u32 = 1_000, within 1..=1_000_000;
        /// How often the files are looked at for a change, in milliseconds.
        reload_interval_ms: u64 = 1_000, within 50..=3_600_000;
    }
}

impl Tls {
    /// What the listeners need, if a certificate and a key are named.
    pub(crate) fn settings(&self) -> Option<TlsSettings> {
        Some(TlsSettings {
            certificate: self.certificate.clone()?,
            key: self.key.clone()?,
            version_min: self.version_min.0,
            session_tickets: self.session_tickets as usize,
            handshakes_max: self.handshakes_max as usize,
        })
    }
}

/// `1.2` or `1.3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version(TlsVersion);

/// The text is no version that is spoken.
#[derive(Debug)]
pub(crate) struct VersionError;

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        match text {
            "1.2" => Ok(Self(TlsVersion::Tls12)),
            "1.3" => Ok(Self(TlsVersion::Tls13)),
            _ => Err(VersionError),
        }
    }
}

impl Setting for Version {
    fn expected() -> String {
        "`1.2` or `1.3`, as text".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        parsed(value)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(match self.0 {
            TlsVersion::Tls12 => "1.2",
            TlsVersion::Tls13 => "1.3",
        }))
    }
}
