//! A certificate for localhost in files of its own, and clients that trust it.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tempfile::TempDir;
use tidings_transport::{TlsSettings, TlsVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) struct Certificate {
    directory: TempDir,
    pub(crate) der: CertificateDer<'static>,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let der = Self::write(&directory);
        Self { directory, der }
    }

    /// Puts a new one in the place of the old one.
    pub(crate) fn exchange(&mut self) {
        self.der = Self::write(&self.directory);
    }

    /// Puts something else in the key's place.
    pub(crate) fn break_key(&self) {
        let other = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(
            self.directory.path().join("key.pem"),
            other.signing_key.serialize_pem(),
        )
        .unwrap();
    }

    fn write(directory: &TempDir) -> CertificateDer<'static> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        for (name, text) in [
            ("certificate.pem", cert.pem()),
            ("key.pem", signing_key.serialize_pem()),
        ] {
            // As a careful operator does it: a file is whole or not there.
            let new = directory.path().join("new");
            std::fs::write(&new, text).unwrap();
            std::fs::rename(new, directory.path().join(name)).unwrap();
        }
        cert.der().clone()
    }

    pub(crate) fn settings(&self) -> TlsSettings {
        TlsSettings {
            certificate: self.directory.path().join("certificate.pem"),
            key: self.directory.path().join("key.pem"),
            version_min: TlsVersion::Tls12,
            session_tickets: 2,
            handshakes_max: 100,
        }
    }

    /// A client that trusts this certificate alone.
    pub(crate) fn client(&self, alpn: &[&str]) -> ClientConfig {
        self.client_of(alpn, rustls::DEFAULT_VERSIONS)
    }

    pub(crate) fn client_of(
        &self,
        alpn: &[&str],
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }

    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
        alpn: &[&str],
    ) -> io::Result<TlsStream<TcpStream>> {
        connect(self.client(alpn), address).await
    }
}

pub(crate) async fn connect(config: ClientConfig, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}
