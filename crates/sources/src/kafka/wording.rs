//! What librdkafka says of a connection that has failed, in words that tell the same failure the same way.

/// A connection that ends as soon as it is open has met a listener that expects something else.
const SOON_MS: u64 = 2_000;

/// How a connection is told that the other end has closed. Which of them it is depends on what the client was about to do.
const CUT: [&str; 3] = [": Disconnected", ": Send failed", ": Receive failed"];

/// The reason without the thread that it was found by, and without times and counts.
pub(super) fn reason(message: &str) -> String {
    let message = message
        .strip_prefix("[thrd:")
        .and_then(|rest| rest.split_once("]: "))
        .map_or(message, |(_, rest)| rest);
    let Some((reason, circumstances)) = message
        .rsplit_once(" (after ")
        .filter(|(_, rest)| rest.ends_with(')'))
    else {
        return message.to_owned();
    };
    let is_cut = CUT.iter().any(|cut| reason.contains(cut));
    if is_cut && is_early(circumstances) {
        format!("{reason}: does the broker expect TLS, or a login?")
    } else {
        reason.to_owned()
    }
}

/// Whether `5ms in state APIVERSION_QUERY` is about the first moments of a connection.
fn is_early(circumstances: &str) -> bool {
    let Some((duration, state)) = circumstances.split_once("ms in state ") else {
        return false;
    };
    let is_open = ["APIVERSION_QUERY", "UP"]
        .iter()
        .any(|open| state.starts_with(open));
    is_open && duration.parse().is_ok_and(|millis: u64| millis < SOON_MS)
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn the_same_failure_is_told_the_same_way() {
        let table = [
            ("1/1 brokers are down", "1/1 brokers are down"),
            (
                "[thrd:sasl_plaintext://h:1/bootstrap]: sasl_plaintext://h:1/bootstrap: SASL authentication error: \
                 Invalid username or password (after 302ms in state AUTH_REQ, 1 identical error(s) suppressed)",
                "sasl_plaintext://h:1/bootstrap: SASL authentication error: Invalid username or password",
            ),
            (
                "ssl://h:1/1: SSL handshake failed: install ca-certificates (after 4ms in state SSL_HANDSHAKE)",
                "ssl://h:1/1: SSL handshake failed: install ca-certificates",
            ),
            (
                "[thrd:h:1/bootstrap]: h:1/bootstrap: Disconnected: connection closed by peer (after 5ms in state APIVERSION_QUERY)",
                "h:1/bootstrap: Disconnected: connection closed by peer: does the broker expect TLS, or a login?",
            ),
            (
                "h:1/1: Disconnected: connection closed by peer (after 2ms in state UP)",
                "h:1/1: Disconnected: connection closed by peer: does the broker expect TLS, or a login?",
            ),
            (
                "h:1/bootstrap: Send failed: Broken pipe (after 0ms in state APIVERSION_QUERY)",
                "h:1/bootstrap: Send failed: Broken pipe: does the broker expect TLS, or a login?",
            ),
            (
                "h:1/1: Disconnected: connection closed by peer (after 2000ms in state UP)",
                "h:1/1: Disconnected: connection closed by peer",
            ),
            (
                "h:1/1: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)",
                "h:1/1: Connect to ipv4#127.0.0.1:1 failed: Connection refused",
            ),
            ("commit (after all)", "commit"),
            ("[thrd:", "[thrd:"),
        ];
        for (message, expected) in table {
            assert_eq!(reason(message), expected);
        }
    }
}
