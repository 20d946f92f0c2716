//! The bytes of a connection, over TCP or over TLS on top of it.

use std::io::{self, Read, Write};

use anyhow::Result;
use mio::net::TcpStream;

#[cfg(feature = "tls")]
mod tls;

/// A non-blocking stream.
pub(crate) struct Stream {
    /// For the poll.
    pub(crate) tcp: TcpStream,
    session: Option<Box<dyn Session>>,
}

/// How all connections of a run are encrypted.
pub(crate) trait Encryption {
    fn session(&self) -> Result<Box<dyn Session>>;
}

/// The encryption of one connection.
pub(crate) trait Session {
    /// Reads what has been decrypted, as from a stream.
    fn read(&mut self, tcp: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize>;

    /// Takes what is to be encrypted. What is written during the handshake is kept until it is over.
    fn write(&mut self, tcp: &mut TcpStream, bytes: &[u8]) -> io::Result<usize>;

    /// Writes what has been encrypted, as far as the socket takes it.
    fn flush(&mut self, tcp: &mut TcpStream) -> io::Result<()>;
}

/// `secure`: the address begins with `wss://` or `https://`.
pub(crate) fn encryption(secure: bool) -> Result<Option<Box<dyn Encryption>>> {
    if !secure {
        return Ok(None);
    }
    #[cfg(feature = "tls")]
    return Ok(Some(Box::new(tls::Client::new()?)));
    #[cfg(not(feature = "tls"))]
    anyhow::bail!("built without TLS: add `--features tls`")
}

impl Stream {
    pub(crate) fn new(tcp: TcpStream, encryption: Option<&dyn Encryption>) -> Result<Self> {
        Ok(Self {
            tcp,
            session: encryption.map(Encryption::session).transpose()?,
        })
    }

    /// Whether a read that did not fill its buffer has taken everything there was.
    pub(crate) fn short_read_empties(&self) -> bool {
        self.session.is_none()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.session {
            Some(session) => session.read(&mut self.tcp, buffer),
            None => self.tcp.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.session {
            Some(session) => session.write(&mut self.tcp, bytes),
            None => self.tcp.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.session {
            Some(session) => session.flush(&mut self.tcp),
            None => Ok(()),
        }
    }
}
