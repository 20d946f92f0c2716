//! An Engine.IO session over long polling: requests one after the other on one connection, the last of them held by the
//! server until there is something to say.

use std::borrow::Cow;

use anyhow::{Context, Result, ensure};
use tidings_bench::http;

use crate::protocol::{Heard, Setup};

const SEPARATOR: u8 = 0x1e;

/// One session.
#[derive(Default)]
pub(crate) struct Session {
    /// `&sid=…` once the server has named it.
    query: String,
    stage: Stage,
}

/// What the request under way is for.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// The answer is the open packet.
    #[default]
    Handshake,
    /// The answer says that packets were taken.
    Sending,
    /// The answer is packets.
    Polling,
}

impl Session {
    /// Takes one answer, if it is whole: `tell`s every packet in it and appends the request that follows. Returns the length
    /// of the answer, 0 if it is not whole.
    pub(crate) fn answer(
        &mut self,
        input: &[u8],
        setup: &Setup,
        client: u32,
        welcomed: bool,
        output: &mut Vec<u8>,
        mut tell: impl FnMut(&Heard<'_>) -> Result<()>,
    ) -> Result<usize> {
        let Some(answer) = http::answer(input)? else {
            return Ok(0);
        };
        ensure!(
            answer.status == 200,
            "{} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        let mut packets: Vec<Cow<'_, str>> = Vec::new();
        if self.stage == Stage::Handshake {
            self.query = format!("&sid={}", session_id(&answer.body)?);
        }
        if self.stage != Stage::Sending {
            for mut packet in answer.body.split(|byte| *byte == SEPARATOR) {
                while let Some(heard) = setup.dialect.hear(client, welcomed, &mut packet)? {
                    match heard {
                        Heard::Answer(packet) => packets.push(packet),
                        heard => tell(&heard)?,
                    }
                }
            }
        }
        if packets.is_empty() {
            self.stage = Stage::Polling;
            output.extend_from_slice(setup.request("GET", client, &self.query).as_bytes());
            output.extend_from_slice(b"\r\n");
        } else {
            self.stage = Stage::Sending;
            let body = packets.join("\u{1e}");
            let head = setup.request("POST", client, &self.query);
            let request = format!(
                "{head}Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            output.extend_from_slice(request.as_bytes());
        }
        Ok(answer.length)
    }
}

fn session_id(body: &[u8]) -> Result<String> {
    let start = br#""sid":""#;
    let at = body
        .windows(start.len())
        .position(|window| window == start)
        .context("a handshake without a session id")?;
    let rest = &body[at + start.len()..];
    let end = rest
        .iter()
        .position(|byte| *byte == b'"')
        .context("an endless session id")?;
    Ok(std::str::from_utf8(&rest[..end])?.to_owned())
}
