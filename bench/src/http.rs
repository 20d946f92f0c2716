//! As much HTTP/1.1 as a benchmark needs: finding the end of a head, a header's value, a body's length; one blocking `GET`.

use std::borrow::Cow;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

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

/// One whole answer to a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The body, put together if it came in chunks.
    pub body: Cow<'a, [u8]>,
    /// Head and body together, as they came.
    pub length: usize,
}

/// The first answer of `input`, or `None` while it is not whole.
pub fn answer(input: &[u8]) -> Result<Option<Answer<'_>>> {
    let Some(start) = head_length(input) else {
        ensure!(input.len() < HEAD_BYTES_MAX, "an endless head");
        return Ok(None);
    };
    let head = std::str::from_utf8(&input[..start])?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .with_context(|| format!("no answer: {}", head.lines().next().unwrap_or_default()))?;
    let answer = |body, length| Some(Answer { status, body, length });
    if let Some(length) = content_length(head)? {
        let end = start.checked_add(length).context("content-length")?;
        return Ok(input
            .get(start..end)
            .and_then(|body| answer(Cow::Borrowed(body), end)));
    }
    if status == 204 {
        return Ok(answer(Cow::Borrowed(&[]), start));
    }
    ensure!(
        header(head, "transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")),
        "an answer without a length"
    );
    Ok(chunked(input, start)?.and_then(|(body, end)| answer(Cow::Owned(body), end)))
}

/// The chunks from `at` and where they end. Trailers are not expected.
fn chunked(input: &[u8], mut at: usize) -> Result<Option<(Vec<u8>, usize)>> {
    let mut body = Vec::new();
    loop {
        let rest = &input[at..];
        let Some(line) = rest.windows(2).position(|window| window == b"\r\n") else {
            return Ok(None);
        };
        let size = std::str::from_utf8(&rest[..line])?;
        let size = usize::from_str_radix(size.trim(), 16).with_context(|| format!("chunk size {size:?}"))?;
        let end = size.checked_add(line + 4).context("chunk size")?;
        let Some(chunk) = rest.get(line + 2..end) else {
            return Ok(None);
        };
        ensure!(chunk.ends_with(b"\r\n"), "a chunk without an end");
        at += end;
        if size == 0 {
            return Ok(Some((body, at)));
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

/// An address that begins with `http://`, `ws://`, `https://` or `wss://`, cut into what a client needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Host and port, as in the `Host` header.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// Whether it asks for TLS.
    pub secure: bool,
}

impl std::str::FromStr for Url {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (scheme, rest) = text
            .split_once("://")
            .with_context(|| format!("{text:?} is no address"))?;
        let secure = match scheme {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => bail!("{text:?} begins with none of http://, ws://, https:// and wss://"),
        };
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
            secure,
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
        ensure!(!self.secure, "{}: not over TLS", self.path);
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
    fn answers_end_by_length_or_by_chunks() {
        let by_length = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno";
        let by_chunks =
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n";
        let cases: [(&[u8], u16, &[u8]); 2] = [(by_length, 400, b"no"), (by_chunks, 200, b"hello0123456789")];
        for (input, status, body) in cases {
            let next = [input, b"HTTP/1.1 200"].concat();
            let found = answer(&next).unwrap().unwrap();
            assert_eq!(
                (found.status, &*found.body, found.length),
                (status, body, input.len())
            );
            for cut in 0..input.len() {
                assert_eq!(answer(&input[..cut]).unwrap(), None, "cut at {cut}");
            }
        }
        for wrong in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "nonsense\r\n\r\n",
        ] {
            assert!(answer(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
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
        assert!(!url.secure && "wss://localhost:1/".parse::<Url>().unwrap().secure);
        assert!("ftp://localhost:1/".parse::<Url>().is_err());
        assert!("ws://localhost/".parse::<Url>().is_err());
    }
}
