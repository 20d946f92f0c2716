//! Publishing over one kept-alive, pipelined HTTP connection.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};

use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;
use tidings_bench::{http, message};

use crate::options::{Options, Server};

pub(crate) struct Publisher {
    pub(crate) stream: TcpStream,
    server: Server,
    /// Everything before the value of `Content-Length`, which ends the head.
    head: String,
    room: String,
    payload_bytes: usize,
    output: Vec<u8>,
    input: Vec<u8>,
    answered: u64,
}

impl Publisher {
    pub(crate) fn connect(options: &Options) -> Result<Self> {
        let url = match (&options.publish_url, options.server) {
            (Some(url), _) => url.clone(),
            (None, Server::Floor) => http::Url {
                path: "/publish".to_owned(),
                authority: options.url.authority.clone(),
            },
            (None, Server::Tidings) => bail!("--publish-url is missing"),
        };
        let stream = std::net::TcpStream::connect(url.address()?).context("publish")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut head = format!("POST {} HTTP/1.1\r\nHost: {}\r\n", url.path, url.authority);
        if let Some(token) = &options.token {
            write!(head, "Authorization: Bearer {token}\r\n")?;
        }
        head.push_str("Content-Type: application/json\r\nContent-Length: ");
        Ok(Self {
            stream: TcpStream::from_std(stream),
            server: options.server,
            head,
            room: serde_json::to_string(&options.room)?,
            payload_bytes: options.bytes,
            output: Vec::new(),
            input: Vec::new(),
            answered: 0,
        })
    }

    /// Adds a message to what will be written.
    pub(crate) fn publish(&mut self, sequence: u32) -> Result<()> {
        ensure!(sequence <= message::SEQUENCE_MAX, "no sequence numbers are left");
        let body = match self.server {
            Server::Floor => message::push(sequence, self.payload_bytes),
            Server::Tidings => format!(
                r#"{{"room":{},"kind":"task_update","data":{},"gateways":["tasks"]}}"#,
                self.room,
                message::data(sequence, self.payload_bytes)
            ),
        };
        write!(self.output, "{}{}\r\n\r\n{body}", self.head, body.len())?;
        Ok(())
    }

    /// Writes what the socket takes.
    pub(crate) fn flush(&mut self) -> Result<()> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("publish"),
            }
        }
        Ok(())
    }

    /// Reads answers; any but success is an error.
    pub(crate) fn readable(&mut self) -> Result<()> {
        let mut bytes = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => bail!("the server closed the publishing connection"),
                Ok(count) => self.input.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("publish"),
            }
            let mut used = 0;
            while let Some(head_length) = http::head_length(&self.input[used..]) {
                let head = std::str::from_utf8(&self.input[used..used + head_length])?;
                let length = http::content_length(head)?.context("an answer without Content-Length")?;
                let start = used + head_length;
                let Some(body) = self.input[start..].get(..length) else {
                    break;
                };
                let status = head.lines().next().unwrap_or_default();
                ensure!(
                    status.starts_with("HTTP/1.1 2"),
                    "publish refused: {status} {}",
                    String::from_utf8_lossy(body)
                );
                used = start + length;
                self.answered += 1;
            }
            self.input.drain(..used);
            ensure!(self.input.len() < http::HEAD_BYTES_MAX * 4, "an endless answer");
        }
    }

    pub(crate) fn answered(&self) -> u64 {
        self.answered
    }
}
