//! As much HTTP/1.1 as a benchmark needs: finding the end of a head, a header's value, a body's length; one blocking `GET`.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// The longest head that is waited for.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Where a head ends (after its empty line).
pub fn head_length(input: &[u8]) -> Option<usize> {
    input
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// The value of a header, whatever the case of its name.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The length that `Content-Length` announces, if it does.
pub fn content_length(head: &str) -> Result<Option<usize>> {
    header(head, "content-length")
        .map(|value| value.parse().with_context(|| format!("content-length {value:?}")))
        .transpose()
}

/// An `http://` or `ws://` address cut into what a client needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Host and port, as in the `Host` header.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

impl std::str::FromStr for Url {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let rest = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("ws://"))
            .with_context(|| format!("{text:?} begins neither with http:// nor with ws://"))?;
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority
            .rsplit_once(':')
            .is_none_or(|(_, port)| port.parse::<u16>().is_err())
        {
            bail!("{text:?} names no port");
        }
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        Ok(Self {
            authority: authority.to_owned(),
            path,
        })
    }
}

impl Url {
    /// The first socket address behind the authority.
    pub fn address(&self) -> Result<std::net::SocketAddr> {
        let mut addresses = self
            .authority
            .to_socket_addrs()
            .with_context(|| self.authority.clone())?;
        addresses
            .next()
            .with_context(|| format!("{} has no address", self.authority))
    }

    /// The body of a `GET`, blocking. Only for use outside a measured stretch.
    pub fn get(&self, token: Option<&str>) -> Result<String> {
        let mut stream = TcpStream::connect(self.address()?)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let authorization = token
            .map(|token| format!("Authorization: Bearer {token}\r\n"))
            .unwrap_or_default();
        let (path, authority) = (&self.path, &self.authority);
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\n{authorization}Connection: close\r\n\r\n"
        )?;
        let mut answer = Vec::new();
        stream.take(16 * 1024 * 1024).read_to_end(&mut answer)?;
        let answer = String::from_utf8(answer)?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .context("an answer without a head")?;
        if !head.starts_with("HTTP/1.1 200 ") {
            bail!("GET {path}: {}", head.lines().next().unwrap_or_default());
        }
        Ok(body.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_and_its_headers() {
        let request = b"POST /publish HTTP/1.1\r\nHost: x\r\ncontent-LENGTH:  5 \r\n\r\nhello";
        let end = head_length(request).unwrap();
        let head = std::str::from_utf8(&request[..end]).unwrap();
        assert_eq!(&request[end..], b"hello");
        assert_eq!(content_length(head).unwrap(), Some(5));
        assert_eq!(header(head, "upgrade"), None);
        assert!(content_length("HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n").is_err());
        assert_eq!(head_length(b"GET / HTTP/1.1\r\nHost: x\r\n"), None);
    }

    #[test]
    fn urls() {
        let url: Url = "ws://127.0.0.1:8004/ws?user_id=bench".parse().unwrap();
        assert_eq!(
            (url.authority.as_str(), url.path.as_str()),
            ("127.0.0.1:8004", "/ws?user_id=bench")
        );
        assert_eq!("http://[::1]:80".parse::<Url>().unwrap().path, "/");
        assert_eq!("ws://localhost:1?a=b".parse::<Url>().unwrap().path, "/?a=b");
        assert!("https://localhost:1/".parse::<Url>().is_err());
        assert!("ws://localhost/".parse::<Url>().is_err());
    }
}
