//! What one publish looks like to each kind of server.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use tidings_bench::{http, message, sign};

use crate::options::{Options, Server};
use crate::protocol::Protocol;
use crate::protocol::pusher;

/// Builds the bytes of a publish.
pub(super) struct Body {
    server: Server,
    protocol: Protocol,
    url: http::Url,
    /// Header lines that all have in common.
    headers: String,
    room: String,
    payload_bytes: usize,
    /// Pusher: key and secret.
    signer: Option<(String, String)>,
}

impl Body {
    pub(super) fn new(options: &Options) -> Result<Self> {
        let url = match (&options.publish_url, options.server) {
            (Some(url), _) => url.clone(),
            (None, Server::Floor) => http::Url {
                path: "/publish".to_owned(),
                authority: options.url.authority.clone(),
                secure: false,
            },
            (None, _) => bail!("--publish-url is missing"),
        };
        ensure!(!url.secure, "publishing is not over TLS");
        let mut headers = format!("Host: {}\r\n", url.authority);
        if let Some(token) = &options.token {
            write!(headers, "Authorization: Bearer {token}\r\n")?;
        }
        for line in &options.publish_header {
            write!(headers, "{line}\r\n")?;
        }
        headers.push_str("Content-Type: application/json\r\n");
        let signer = match options.pusher_key.as_deref().map(|key| key.split_once(':')) {
            Some(pair) => {
                let (key, secret) = pair.context("--pusher-key is KEY:SECRET")?;
                Some((key.to_owned(), secret.to_owned()))
            }
            None => None,
        };
        Ok(Self {
            server: options.server,
            protocol: options.protocol,
            url,
            headers,
            room: options.room.clone(),
            payload_bytes: options.bytes,
            signer,
        })
    }

    pub(super) fn url(&self) -> &http::Url {
        &self.url
    }

    /// Appends one publish to `output`.
    pub(super) fn write(&self, sequence: u32, output: &mut Vec<u8>) -> Result<()> {
        let push = message::push(sequence, self.payload_bytes);
        let room = &self.room;
        let body = match self.server {
            Server::Floor | Server::Peer => push,
            // A Socket.IO event carries its data as it is; the tasks gateway wraps it, so it gets less to make up the same.
            Server::Tidings if self.protocol == Protocol::Plain => format!(
                r#"{{"room":"{room}","kind":"task_update","data":{},"gateways":["tasks"]}}"#,
                message::data(sequence, self.payload_bytes)
            ),
            Server::Tidings => {
                format!(r#"{{"room":"{room}","kind":"task_update","data":{push},"gateways":["flow"]}}"#)
            }
            Server::Centrifugo => format!(r#"{{"channel":"{room}","data":{push}}}"#),
            Server::Pusher => format!(
                r#"{{"name":"{}","channel":"{room}","data":{}}}"#,
                pusher::EVENT,
                serde_json::to_string(&push)?
            ),
            Server::Nats => {
                output.extend_from_slice(format!("PUB {room} {}\r\n{push}\r\n", push.len()).as_bytes());
                return Ok(());
            }
        };
        let path = self.path(&body)?;
        let head = format!(
            "POST {path} HTTP/1.1\r\n{}Content-Length: {}\r\n\r\n",
            self.headers,
            body.len()
        );
        output.extend_from_slice(head.as_bytes());
        output.extend_from_slice(body.as_bytes());
        Ok(())
    }

    /// The path, signed if there is a key.
    fn path(&self, body: &str) -> Result<String> {
        let path = &self.url.path;
        let Some((key, secret)) = &self.signer else {
            return Ok(path.clone());
        };
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let query = sign::pusher_query(key, secret, path, body, now_s);
        Ok(format!("{path}?{query}"))
    }
}
