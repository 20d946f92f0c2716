//! Socket.IO v5 in Engine.IO v4 packets, one per message of the WebSocket, as in the protocols' documents.

use std::borrow::Cow;

use anyhow::{Result, bail};

use super::{Credentials, Dialect, Heard};

/// The event that is published; whatever else a server emits is passed over.
pub(crate) const EVENT: &str = "task_update";

pub(crate) struct SocketIo {
    namespace: String,
    credentials: Credentials,
    connected: String,
    refused: String,
    event: String,
}

impl SocketIo {
    /// The root namespace is `/`.
    pub(crate) fn new(namespace: &str, credentials: Credentials) -> Self {
        let prefix = if namespace == "/" {
            String::new()
        } else {
            format!("{namespace},")
        };
        Self {
            credentials,
            connected: format!("40{prefix}"),
            refused: format!("44{prefix}"),
            event: format!(r#"42{prefix}["{EVENT}","#),
            namespace: prefix,
        }
    }

    /// The packet that asks for the namespace, with a token if there is one.
    fn connect(&self, client: u32) -> String {
        let auth = self
            .credentials
            .token(client)
            .map_or(String::new(), |token| format!(r#"{{"token":"{token}"}}"#));
        format!("40{}{auth}", self.namespace)
    }
}

impl Dialect for SocketIo {
    fn hear<'a>(&self, client: u32, _welcomed: bool, text: &mut &'a [u8]) -> Result<Option<Heard<'a>>> {
        let packet = std::mem::take(text);
        if packet.starts_with(self.event.as_bytes()) {
            return Ok(Some(Heard::Message(packet)));
        }
        if packet.starts_with(self.connected.as_bytes()) {
            return Ok(Some(Heard::Welcome));
        }
        if packet.starts_with(self.refused.as_bytes()) {
            bail!("refused: {}", String::from_utf8_lossy(packet));
        }
        Ok(match packet.first() {
            None => None,
            Some(b'0') => Some(Heard::Answer(Cow::Owned(self.connect(client)))),
            Some(b'2') => Some(Heard::Answer(Cow::Borrowed("3"))),
            // A noop, or another event.
            Some(b'6' | b'4') => Some(Heard::Other),
            Some(_) => bail!("an unexpected packet: {}", String::from_utf8_lossy(packet)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::all;

    fn dialect(namespace: &str, secret: Option<&str>) -> SocketIo {
        SocketIo::new(
            namespace,
            Credentials {
                secret: secret.map(str::to_owned),
                now_s: 0,
            },
        )
    }

    #[test]
    fn a_session_from_open_to_a_message() {
        let events = dialect("/events", None);
        let cases: [(&[u8], Heard<'_>); 6] = [
            (br#"0{"sid":"x"}"#, Heard::Answer("40/events,".into())),
            (br#"40/events,{"sid":"y"}"#, Heard::Welcome),
            (br#"42/events,["connected",{}]"#, Heard::Other),
            (b"2", Heard::Answer("3".into())),
            (
                br#"42/events,["task_update",{}]"#,
                Heard::Message(br#"42/events,["task_update",{}]"#),
            ),
            (b"6", Heard::Other),
        ];
        for (packet, heard) in cases {
            assert_eq!(all(&events, true, packet).unwrap(), [heard]);
        }
        assert!(all(&events, false, br#"44/events,{"message":"no"}"#).is_err());
        assert!(all(&events, true, b"1").is_err());
    }

    #[test]
    fn a_token_travels_with_the_connect_packet() {
        let root = dialect("/", Some("secret"));
        let heard = all(&root, false, b"0{}").unwrap();
        let [Heard::Answer(packet)] = heard.as_slice() else {
            panic!("{heard:?}")
        };
        assert!(packet.starts_with(r#"40{"token":"ey"#), "{packet}");
        assert_eq!(all(&root, false, br#"40{"sid":"y"}"#).unwrap(), [Heard::Welcome]);
    }
}
