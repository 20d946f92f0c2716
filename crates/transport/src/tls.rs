//! TLS of the listeners: one certificate for all of them, exchanged while they run.
//!
//! Sessions are resumed by tickets alone, which the client keeps: the server remembers nothing of them. A new
//! certificate comes with new ticket keys, so that who comes back after an exchange sees it.

mod expiry;
mod files;

use crate::TransportCounters;
use files::{Fingerprint, Pair};
use parking_lot::Mutex;
use rustls::crypto::aws_lc_rs;
use rustls::server::NoServerSessionStorage;
use rustls::{ServerConfig, SupportedProtocolVersion, version};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use tidings_wire::time::Timestamp;
use tokio::sync::Semaphore;

/// HTTP/2 by its name in ALPN (RFC 9113, section 3.2).
pub(crate) const HTTP_2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

static BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

/// The least version of TLS that clients may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246) and later.
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// How TLS is spoken.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// A PEM file with the certificate, followed by those that lead to its authority.
    pub certificate: PathBuf,
    /// A PEM file with the certificate's private key; it may be the same file.
    pub key: PathBuf,
    /// The least version.
    pub version_min: TlsVersion,
    /// Tickets for coming back that a client of TLS 1.3 gets; 0: none, in any version.
    pub session_tickets: usize,
    /// Handshakes under way at one time; more wait for their turn within their own time.
    pub handshakes_max: usize,
}

/// Why the certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {message}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The two do not belong together, or are of a kind that is not understood.
    #[error("the certificate and the key do not work together: {0}")]
    Unusable(#[from] rustls::Error),
}

/// TLS of the listeners. A clone is another handle.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    settings: TlsSettings,
    handshakes: Semaphore,
    current: Mutex<Current>,
}

/// What new connections get.
struct Current {
    config: Arc<ServerConfig>,
    /// The certificate's end.
    not_after: Option<Timestamp>,
    /// The files as they were when they were last read, successfully or not.
    fingerprint: Fingerprint,
}

impl Tls {
    /// Reads the files.
    pub fn load(settings: TlsSettings) -> Result<Self, TlsError> {
        let fingerprint = Fingerprint::of(&settings);
        let pair = Pair::read(&settings)?;
        let current = Current {
            not_after: pair.not_after(),
            config: Arc::new(config(&settings, pair)?),
            fingerprint,
        };
        Ok(Self(Arc::new(Inner {
            handshakes: Semaphore::new(settings.handshakes_max),
            current: Mutex::new(current),
            settings,
        })))
    }

    /// When the certificate in use ends, if it says so in a form that is understood.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.0.current.lock().not_after
    }

    /// Whether the files are others than those that were last read. Looks at the file system.
    pub fn is_outdated(&self) -> bool {
        Fingerprint::of(&self.0.settings) != self.0.current.lock().fingerprint
    }

    /// Reads the files again; new connections get what they say. If they cannot be used, everything stays as it was.
    /// Reads the file system, and computes: not for a worker thread.
    pub fn reload(&self, counters: &TransportCounters) {
        let settings = &self.0.settings;
        // Taken before reading: what changes meanwhile is read again.
        let fingerprint = Fingerprint::of(settings);
        let loaded = Pair::read(settings).and_then(|pair| {
            let not_after = pair.not_after();
            Ok((config(settings, pair)?, not_after))
        });
        let mut current = self.0.current.lock();
        current.fingerprint = fingerprint;
        match loaded {
            Ok((config, not_after)) => {
                current.config = Arc::new(config);
                current.not_after = not_after;
                drop(current);
                counters.tls_reloaded(true);
                let not_after = not_after.map(tracing::field::display);
                tracing::info!(not_after, "TLS: a new certificate is in use");
            }
            Err(error) => {
                drop(current);
                counters.tls_reloaded(false);
                tracing::error!(%error, "TLS: the new certificate cannot be used; the old one stays");
            }
        }
    }

    /// What a new connection is given.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.0.current.lock().config.clone()
    }

    pub(crate) fn handshakes(&self) -> &Semaphore {
        &self.0.handshakes
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tls")
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}

fn config(settings: &TlsSettings, pair: Pair) -> Result<ServerConfig, rustls::Error> {
    let versions = match settings.version_min {
        TlsVersion::Tls12 => &BOTH[..],
        TlsVersion::Tls13 => &BOTH[..1],
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_single_cert(pair.certificates, pair.key)?;
    config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1_1.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = settings.session_tickets;
    if settings.session_tickets != 0 {
        config.ticketer = aws_lc_rs::Ticketer::new()?;
    }
    Ok(config)
}
