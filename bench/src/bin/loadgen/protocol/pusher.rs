//! The Pusher Channels protocol: events in JSON, whose data is JSON inside a string.
//! <https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/>

use std::borrow::Cow;

use anyhow::{Result, bail};

use super::{Dialect, Heard};

/// The event that is published.
pub(crate) const EVENT: &str = "task_update";

pub(crate) struct Pusher {
    subscribe: String,
}

impl Pusher {
    pub(crate) fn new(channel: &str) -> Self {
        Self {
            subscribe: format!(r#"{{"event":"pusher:subscribe","data":{{"channel":"{channel}"}}}}"#),
        }
    }
}

impl Dialect for Pusher {
    fn hear<'a>(&self, _client: u32, welcomed: bool, text: &mut &'a [u8]) -> Result<Option<Heard<'a>>> {
        let text = std::mem::take(text);
        if text.is_empty() {
            return Ok(None);
        }
        let says = |event: &str| text.windows(event.len()).any(|window| window == event.as_bytes());
        // The order of keys is the server's choice; the events of the protocol are told apart by their prefixes.
        if welcomed && !says("\"pusher") {
            return Ok(Some(Heard::Message(text)));
        }
        Ok(Some(if says("\"pusher:connection_established\"") {
            Heard::Answer(Cow::Owned(self.subscribe.clone()))
        } else if says("\"pusher_internal:subscription_succeeded\"") {
            Heard::Welcome
        } else if says("\"pusher:ping\"") {
            Heard::Answer(Cow::Borrowed(r#"{"event":"pusher:pong","data":{}}"#))
        } else if says("\"pusher:error\"") || says("\"pusher:subscription_error\"") {
            bail!("refused: {}", String::from_utf8_lossy(text))
        } else {
            Heard::Other
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::all;

    #[test]
    fn a_session_from_the_connection_to_a_message() {
        let pusher = Pusher::new("bench");
        let established = br#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"1.2\"}"}"#;
        assert_eq!(
            all(&pusher, false, established).unwrap(),
            [Heard::Answer(
                r#"{"event":"pusher:subscribe","data":{"channel":"bench"}}"#.into()
            )]
        );
        let succeeded =
            br#"{"event":"pusher_internal:subscription_succeeded","channel":"bench","data":"{}"}"#;
        assert_eq!(all(&pusher, false, succeeded).unwrap(), [Heard::Welcome]);
        let message = br#"{"channel":"bench","event":"task_update","data":"{\"sequence\":\"00000001\"}"}"#;
        assert_eq!(all(&pusher, true, message).unwrap(), [Heard::Message(message)]);
        assert!(all(&pusher, false, br#"{"event":"pusher:error","data":{}}"#).is_err());
    }
}
