//! What a client says and hears above its WebSocket, by the server's protocol.

mod centrifugo;
mod nats;
mod plain;
pub(crate) mod pusher;
mod socketio;

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;
use tidings_bench::frames;
use tidings_bench::http::Url;
use tidings_bench::message::SequenceField;
use tidings_bench::sign;

use crate::options::Options;
use crate::stream::{self, Encryption};

/// A client protocol.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Protocol {
    /// Every text frame is a message; with `--welcome` the first one is not.
    Plain,
    /// Socket.IO v5 over a WebSocket.
    Socketio,
    /// Socket.IO v5 over Engine.IO's long polling: one request is held at any time.
    EngineioPolling,
    /// Centrifugo's bidirectional protocol, JSON.
    Centrifugo,
    /// NATS over a WebSocket.
    Nats,
    /// The Pusher Channels protocol.
    Pusher,
}

/// Something that came in a message of the WebSocket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard<'a> {
    /// A published message, or the part of it that holds the number.
    Message(&'a [u8]),
    /// To be answered with this.
    Answer(Cow<'a, str>),
    /// The connection is ready for messages.
    Welcome,
    /// Nothing that matters here.
    Other,
}

/// A protocol above the WebSocket. It has no state: what a client has to remember is whether it was welcomed.
pub(crate) trait Dialect {
    /// What a client sends first. `client` is its running number.
    fn opening(&self, _client: u32) -> Option<String> {
        None
    }

    /// Whether a welcome has to come before the first message.
    fn welcomes(&self) -> bool {
        true
    }

    /// The opcode of what clients send.
    fn opcode(&self) -> u8 {
        frames::TEXT
    }

    /// Takes the next thing off the front of `text`, the rest of one WebSocket message; `None` at its end.
    fn hear<'a>(&self, client: u32, welcomed: bool, text: &mut &'a [u8]) -> Result<Option<Heard<'a>>>;
}

/// What all clients of a run have in common.
pub(crate) struct Setup {
    pub(crate) url: Url,
    protocol: Protocol,
    pub(crate) dialect: Box<dyn Dialect>,
    pub(crate) encryption: Option<Box<dyn Encryption>>,
    /// Finished lines of the request's head.
    headers: String,
    credentials: Credentials,
}

/// Tokens for users, if the run has a secret to sign them with.
#[derive(Clone)]
pub(crate) struct Credentials {
    secret: Option<String>,
    now_s: u64,
}

impl Setup {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let credentials = Credentials {
            secret: options.jwt_secret.clone(),
            now_s: SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
        };
        let protocol = options.protocol;
        let mine = credentials.clone();
        let dialect: Box<dyn Dialect> = match protocol {
            Protocol::Plain => Box::new(plain::Plain {
                welcomes: options.welcome,
            }),
            Protocol::Socketio | Protocol::EngineioPolling => {
                Box::new(socketio::SocketIo::new(&options.namespace, mine))
            }
            Protocol::Centrifugo => Box::new(centrifugo::Centrifugo::new(&options.room, mine)),
            Protocol::Nats => Box::new(nats::Nats::new(&options.room)),
            Protocol::Pusher => Box::new(pusher::Pusher::new(&options.room)),
        };
        let headers = options
            .header
            .iter()
            .fold(String::new(), |all, line| all + line + "\r\n");
        Ok(Self {
            url: options.url.clone(),
            protocol,
            dialect,
            encryption: stream::encryption(options.url.secure)?,
            headers,
            credentials,
        })
    }

    /// The head of a `GET` for this client: the path with its token, and the headers asked for.
    pub(crate) fn request(&self, method: &str, client: u32, query: &str) -> String {
        let path = match self.credentials.token(client) {
            Some(token) => Cow::Owned(self.url.path.replace("{token}", &token)),
            None => Cow::Borrowed(self.url.path.as_str()),
        };
        format!(
            "{method} {path}{query} HTTP/1.1\r\nHost: {}\r\n{}",
            self.url.authority, self.headers
        )
    }

    /// Whether clients poll instead of opening a WebSocket.
    pub(crate) fn polls(&self) -> bool {
        self.protocol == Protocol::EngineioPolling
    }

    /// Where the number of a message stands.
    pub(crate) fn sequence_field(&self) -> SequenceField {
        if self.protocol == Protocol::Pusher {
            SequenceField::escaped()
        } else {
            SequenceField::default()
        }
    }
}

impl Credentials {
    /// The token of the user that this client is: each is another one.
    pub(crate) fn token(&self, client: u32) -> Option<String> {
        let secret = self.secret.as_ref()?;
        Some(sign::token(
            secret.as_bytes(),
            &format!("bench-{client}"),
            self.now_s,
        ))
    }
}

/// Takes everything up to the separator off the front of `text`, and the separator with it.
fn take_until<'a>(text: &mut &'a [u8], separator: u8) -> &'a [u8] {
    let all = *text;
    match all.iter().position(|byte| *byte == separator) {
        Some(at) => {
            *text = &all[at + 1..];
            &all[..at]
        }
        None => std::mem::take(text),
    }
}

/// All that `dialect` hears in one message of the WebSocket.
#[cfg(test)]
fn all<'a>(dialect: &dyn Dialect, welcomed: bool, mut text: &'a [u8]) -> Result<Vec<Heard<'a>>> {
    let mut heard = Vec::new();
    while let Some(next) = dialect.hear(7, welcomed, &mut text)? {
        heard.push(next);
    }
    Ok(heard)
}
