//! Centrifugo's JSON protocol: commands and replies, one per line, several in one message of the WebSocket.
//! <https://centrifugal.dev/docs/transports/client_protocol>

use std::borrow::Cow;

use anyhow::{Result, bail};

use super::{Credentials, Dialect, Heard, take_until};

pub(crate) struct Centrifugo {
    channel: String,
    credentials: Credentials,
}

impl Centrifugo {
    /// An empty channel: connect and subscribe to nothing.
    pub(crate) fn new(channel: &str, credentials: Credentials) -> Self {
        Self {
            channel: channel.to_owned(),
            credentials,
        }
    }
}

impl Dialect for Centrifugo {
    fn opening(&self, client: u32) -> Option<String> {
        let connect = match self.credentials.token(client) {
            Some(token) => format!(r#"{{"id":1,"connect":{{"token":"{token}"}}}}"#),
            None => r#"{"id":1,"connect":{}}"#.to_owned(),
        };
        if self.channel.is_empty() {
            return Some(connect);
        }
        let channel = &self.channel;
        Some(format!(
            "{connect}\n{{\"id\":2,\"subscribe\":{{\"channel\":\"{channel}\"}}}}"
        ))
    }

    fn hear<'a>(&self, _client: u32, _welcomed: bool, text: &mut &'a [u8]) -> Result<Option<Heard<'a>>> {
        let line = take_until(text, b'\n');
        if line.is_empty() {
            return Ok((!text.is_empty()).then_some(Heard::Other));
        }
        if line.starts_with(br#"{"push":{"channel""#) {
            return Ok(Some(Heard::Message(line)));
        }
        if line == b"{}" {
            return Ok(Some(Heard::Answer(Cow::Borrowed("{}"))));
        }
        let last = if self.channel.is_empty() {
            "connect"
        } else {
            "subscribe"
        };
        match std::str::from_utf8(line)? {
            reply if reply.contains(r#""error":"#) => bail!("refused: {reply}"),
            reply if reply.contains(&format!(r#""{last}":"#)) => Ok(Some(Heard::Welcome)),
            _ => Ok(Some(Heard::Other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::all;

    fn dialect(channel: &str) -> Centrifugo {
        Centrifugo::new(
            channel,
            Credentials {
                secret: None,
                now_s: 0,
            },
        )
    }

    #[test]
    fn replies_share_a_message() {
        let centrifugo = dialect("bench");
        let opening = centrifugo.opening(0).unwrap();
        assert_eq!(opening.lines().count(), 2);
        let replies = b"{\"id\":1,\"connect\":{\"client\":\"x\"}}\n{\"id\":2,\"subscribe\":{}}";
        assert_eq!(
            all(&centrifugo, false, replies).unwrap(),
            [Heard::Other, Heard::Welcome]
        );
        let push = br#"{"push":{"channel":"bench","pub":{"data":{}}}}"#;
        let three = [push, &b"\n{}\n"[..], push].concat();
        assert_eq!(
            all(&centrifugo, true, &three).unwrap(),
            [
                Heard::Message(push),
                Heard::Answer("{}".into()),
                Heard::Message(push)
            ]
        );
        assert!(all(&centrifugo, false, br#"{"id":1,"error":{"code":101}}"#).is_err());
    }

    #[test]
    fn without_a_channel_the_connect_reply_is_the_welcome() {
        let reply = br#"{"id":1,"connect":{"client":"x"}}"#;
        assert_eq!(all(&dialect(""), false, reply).unwrap(), [Heard::Welcome]);
        assert_eq!(dialect("").opening(0).unwrap(), r#"{"id":1,"connect":{}}"#);
    }
}
