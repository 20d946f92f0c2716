//! Reading a PROXY protocol header off a socket, and not a byte more.

use std::io;
use std::net::SocketAddr;
use tidings_wire::proxy_protocol::{self, Decoded};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Looked at in one go; a header is rarely longer.
const LOOK_BYTES: usize = 256;

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoProxyHeader {
    #[error(transparent)]
    Malformed(#[from] proxy_protocol::Error),
    #[error(transparent)]
    Broken(#[from] io::Error),
}

/// Takes the header; what it says of the source, if it says something.
pub(super) async fn read(stream: &mut TcpStream) -> Result<Option<SocketAddr>, NoProxyHeader> {
    let mut header = Vec::new();
    loop {
        let filled = header.len();
        header.resize(filled + LOOK_BYTES, 0);
        let seen = stream.peek(&mut header[filled..]).await?;
        if seen == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let decoded = proxy_protocol::decode(&header[..filled + seen])?;
        let end = match decoded {
            Decoded::Complete { bytes, .. } => bytes,
            Decoded::Incomplete => filled + seen,
        };
        header.truncate(end);
        stream.read_exact(&mut header[filled..]).await?;
        if let Decoded::Complete { source, .. } = decoded {
            return Ok(source);
        }
    }
}
