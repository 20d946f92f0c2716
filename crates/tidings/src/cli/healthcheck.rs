//! `tidings healthcheck`: for containers without a shell, and for probes that cannot reach the loopback from outside.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use axum::http::Uri;
use axum::http::uri::Scheme;
use clap::Args;

use super::{Common, duration};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::running::{Running, is_named, reachable};

/// How much of an answer is read, in bytes. Health tells less.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// The listeners in the order in which they are looked through for one that can be asked.
const LISTENERS: [&str; 4] = ["operators", "tasks", "flow", "workflows"];

/// Ask a running server whether it works.
#[derive(Debug, Clone, Args)]
pub(crate) struct Healthcheck {
    /// What to ask, such as `http://localhost:9400/livez`; without it, `/health` of the server that serves the data directory
    #[arg(value_name = "URL")]
    target: Option<Target>,
    /// How long the answer may take
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = duration::parse)]
    timeout: Duration,
}

/// An `http:` address.
#[derive(Debug, Clone)]
struct Target {
    host: String,
    port: u16,
    path: String,
}

impl Healthcheck {
    pub(crate) fn run(&self, common: &Common) -> Outcome {
        let target = match &self.target {
            Some(target) => target.clone(),
            None => Target::of_running(&common.load()?.config)?,
        };
        let answer = target
            .ask(Instant::now() + self.timeout)
            .with_context(|| format!("no answer from {}", target.host_and_port()))
            .map_err(Failure::Unhealthy)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status_line = head.lines().next().unwrap_or_default();
        if status(status_line) == Some(200) {
            writeln!(io::stdout(), "{}", body.trim_end())?;
            return Ok(());
        }
        Err(Failure::Unhealthy(anyhow!("{status_line} {}", body.trim_end())))
    }
}

/// The number in `HTTP/1.1 200 OK`.
fn status(line: &str) -> Option<u16> {
    let mut words = line.split(' ');
    words.next()?.strip_prefix("HTTP/1.")?;
    words.next()?.parse().ok()
}

impl Target {
    /// A listener of the server that serves the configured data directory. They all tell the same.
    fn of_running(config: &Config) -> Outcome<Target> {
        let running = Running::read(config).map_err(Failure::Unhealthy)?;
        let speaks_http = |name: &str| {
            !is_named(name, &config.tls.listeners) && !is_named(name, &config.proxies.protocol_listeners)
        };
        let address = LISTENERS
            .into_iter()
            .filter(|name| speaks_http(name))
            .find_map(|name| running.address(name))
            .ok_or_else(|| {
                Failure::usage("no listener speaks plain HTTP; `operators.listen` on the loopback would do")
            })?;
        Ok(Target {
            host: reachable(address.ip()).to_string(),
            port: address.port(),
            path: "/health".to_owned(),
        })
    }

    fn host_and_port(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The whole answer, cut to what is worth reading.
    fn ask(&self, deadline: Instant) -> anyhow::Result<String> {
        let mut stream = self.connect(deadline)?;
        stream.set_write_timeout(Some(left(deadline)?))?;
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: {}\r\nuser-agent: tidings-healthcheck\r\nconnection: close\r\n\r\n",
            self.path,
            self.host_and_port()
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        let mut limited = stream.take(ANSWER_BYTES_MAX);
        let mut buffer = [0; 4096];
        loop {
            limited.get_ref().set_read_timeout(Some(left(deadline)?))?;
            match limited.read(&mut buffer)? {
                0 if answer.is_empty() => bail!("it hung up"),
                0 => break,
                length => answer.extend_from_slice(&buffer[..length]),
            }
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// To the first of the host's addresses that takes a connection.
    fn connect(&self, deadline: Instant) -> anyhow::Result<TcpStream> {
        let mut refusal = None;
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, left(deadline)?) {
                Ok(stream) => return Ok(stream),
                Err(error) => refusal = Some(error),
            }
        }
        Err(refusal.map_or_else(|| anyhow!("the host has no address"), Into::into))
    }
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Target> {
        let uri: Uri = text.parse()?;
        if uri.scheme() != Some(&Scheme::HTTP) {
            bail!("expected an address such as http://localhost:9400/livez");
        }
        let host = uri.host().context("expected a host")?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Target {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: uri.port_u16().unwrap_or(80),
            path: path.to_owned(),
        })
    }
}

/// The time left; none is an error, as sockets take no timeout of zero.
fn left(deadline: Instant) -> anyhow::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        bail!("not in time");
    }
    Ok(left)
}
