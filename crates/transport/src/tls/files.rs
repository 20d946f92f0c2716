//! The certificate and its key, as files.

use super::expiry::not_after;
use super::{TlsError, TlsSettings};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;
use tidings_wire::time::Timestamp;

/// What tells that a file is another one: its inode, its size, and when it was changed. `None` for one that is not
/// there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint([Option<(u64, u64, Option<SystemTime>)>; 2]);

/// A certificate with its chain, and its key.
pub(super) struct Pair {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Fingerprint {
    pub(super) fn of(settings: &TlsSettings) -> Self {
        Self([&settings.certificate, &settings.key].map(|path| {
            let file = std::fs::metadata(path).ok()?;
            Some((file.ino(), file.size(), file.modified().ok()))
        }))
    }
}

impl Pair {
    pub(super) fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let unreadable = |path: &Path, message: String| TlsError::Unreadable {
            path: path.to_owned(),
            message,
        };
        let text = |path: &Path| std::fs::read(path).map_err(|error| unreadable(path, error.to_string()));
        let certificates = CertificateDer::pem_slice_iter(&text(&settings.certificate)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unreadable(&settings.certificate, error.to_string()))?;
        if certificates.is_empty() {
            return Err(unreadable(&settings.certificate, "has no CERTIFICATE".into()));
        }
        // What the parser says of a key must not show it.
        let key = PrivateKeyDer::from_pem_slice(&text(&settings.key)?)
            .map_err(|_| unreadable(&settings.key, "has no PRIVATE KEY".into()))?;
        Ok(Self { certificates, key })
    }

    /// When the certificate ends; the first of the chain is the server's.
    pub(super) fn not_after(&self) -> Option<Timestamp> {
        self.certificates
            .first()
            .and_then(|certificate| not_after(certificate))
    }
}
