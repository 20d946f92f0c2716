//! NATS: the same text protocol over a WebSocket as over TCP. A message of the WebSocket holds whole lines and payloads, as the
//! server writes them when no browser asks; a cut one is an error.
//! <https://docs.nats.io/reference/reference-protocols/nats-protocol>

use std::borrow::Cow;

use anyhow::{Context, Result, bail, ensure};
use tidings_bench::frames;

use super::{Dialect, Heard, take_until};

pub(crate) struct Nats {
    answer_to_info: String,
}

impl Nats {
    pub(crate) fn new(subject: &str) -> Self {
        Self {
            answer_to_info: format!(
                "CONNECT {{\"verbose\":false,\"pedantic\":false,\"lang\":\"bench\",\"version\":\"1\",\"protocol\":0}}\r\n\
                 SUB {subject} 1\r\nPING\r\n"
            ),
        }
    }
}

impl Dialect for Nats {
    fn opcode(&self) -> u8 {
        frames::BINARY
    }

    fn hear<'a>(&self, _client: u32, welcomed: bool, text: &mut &'a [u8]) -> Result<Option<Heard<'a>>> {
        if text.is_empty() {
            return Ok(None);
        }
        let line = take_until(text, b'\n')
            .strip_suffix(b"\r")
            .context("a line cut off")?;
        if line.starts_with(b"MSG ") {
            let size = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
            let size: usize = std::str::from_utf8(size)?.parse().context("a size")?;
            let (payload, rest) = text.split_at_checked(size).context("a payload cut off")?;
            *text = rest.strip_prefix(b"\r\n").context("a payload cut off")?;
            return Ok(Some(Heard::Message(payload)));
        }
        let line = std::str::from_utf8(line)?;
        Ok(Some(match line.split(' ').next().unwrap_or_default() {
            "INFO" if welcomed => Heard::Other,
            "INFO" => Heard::Answer(Cow::Owned(self.answer_to_info.clone())),
            "PING" => Heard::Answer(Cow::Borrowed("PONG\r\n")),
            // The answer to the ping behind the subscription: it stands.
            "PONG" => Heard::Welcome,
            "+OK" => Heard::Other,
            _ => {
                ensure!(!line.starts_with("-ERR"), "refused: {line}");
                bail!("an unexpected line: {line}")
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::all;

    #[test]
    fn lines_and_payloads() {
        let nats = Nats::new("bench");
        let heard = all(&nats, false, b"INFO {}\r\n").unwrap();
        assert!(
            matches!(heard.as_slice(), [Heard::Answer(answer)] if answer.ends_with("SUB bench 1\r\nPING\r\n")),
            "{heard:?}"
        );
        assert_eq!(
            all(
                &nats,
                true,
                b"PONG\r\nMSG bench 1 5\r\na\r\nbc\r\nPING\r\nMSG bench 1 0\r\n\r\n"
            )
            .unwrap(),
            [
                Heard::Welcome,
                Heard::Message(b"a\r\nbc"),
                Heard::Answer("PONG\r\n".into()),
                Heard::Message(b"")
            ]
        );
        for wrong in [
            &b"MSG bench 1 5\r\nab"[..],
            b"MSG bench 1 2\r\nabc\r\n",
            b"PIN",
            b"-ERR 'no'\r\n",
            b"HELLO\r\n",
        ] {
            assert!(all(&nats, true, wrong).is_err(), "{wrong:?}");
        }
    }
}
