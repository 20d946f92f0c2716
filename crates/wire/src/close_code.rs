//! Every way in which Tidings ends a connection: the one table of close codes.

use std::fmt;

/// Why the server closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// 1000: the normal end.
    Normal,
    /// 1001: the server drains.
    ShuttingDown,
    /// 1002: frames that break RFC 6455 or the protocol above it.
    ProtocolError,
    /// 1007: text that is not UTF-8.
    InvalidUtf8,
    /// 1008: lasting abuse: flooding again and again, a message that takes too long.
    PolicyViolation,
    /// 1009: a frame or message over the limit.
    MessageTooBig,
    /// 1011: our fault, or nobody can tell at present.
    InternalError,
    /// 4400: the user id is missing.
    MissingUserId,
    /// 4400: the user id is malformed.
    InvalidUserId,
    /// 4400: another parameter is missing or malformed.
    BadRequest,
    /// 4401: no token.
    MissingToken,
    /// 4401: a token that does not verify.
    InvalidToken,
    /// 4403: known, but not allowed.
    Forbidden,
    /// 4408: the token expired while connected.
    TokenExpired,
    /// 4410: no sign of life in time.
    PingTimeout,
    /// 4429: too many messages or connections.
    RateLimited,
    /// 4503: a quota is used up.
    Overloaded,
    /// 4508: the outbox overflowed.
    SlowConsumer,
}

/// What a client should do after a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Whatever the client wants.
    AsTheClientLikes,
    /// The same attempt will fail again.
    No,
    /// Reconnect.
    Yes,
    /// Reconnect after a random delay, because many others do so too.
    YesJittered,
    /// Reconnect, but not soon.
    Later,
    /// Reconnect with a new token.
    AfterNewToken,
    /// Reconnect and fetch what was missed.
    YesAndRecover,
}

struct Entry {
    close_code: CloseCode,
    code: u16,
    reason: &'static str,
    retry: Retry,
    when: &'static str,
}

const COUNT: usize = 18;

#[rustfmt::skip]
const TABLE: [Entry; COUNT] = [
    entry(CloseCode::Normal,          1000, "",                 Retry::AsTheClientLikes, "normal end"),
    entry(CloseCode::ShuttingDown,    1001, "shutting_down",    Retry::YesJittered,      "drain"),
    entry(CloseCode::ProtocolError,   1002, "protocol_error",   Retry::No,               "broken frames"),
    entry(CloseCode::InvalidUtf8,     1007, "invalid_utf8",     Retry::No,               "text that is not UTF-8"),
    entry(CloseCode::PolicyViolation, 1008, "policy_violation", Retry::No,               "lasting abuse: flooding again and again, a message that takes too long"),
    entry(CloseCode::MessageTooBig,   1009, "message_too_big",  Retry::No,               "over the limit"),
    entry(CloseCode::InternalError,   1011, "internal_error",   Retry::Later,            "our fault; a token whose issuer's keys cannot be had"),
    entry(CloseCode::MissingUserId,   4400, "missing_user_id",  Retry::No,               "user id missing"),
    entry(CloseCode::InvalidUserId,   4400, "invalid_user_id",  Retry::No,               "user id malformed"),
    entry(CloseCode::BadRequest,      4400, "bad_request",      Retry::No,               "parameter missing or malformed"),
    entry(CloseCode::MissingToken,    4401, "missing_token",    Retry::AfterNewToken,    "token absent"),
    entry(CloseCode::InvalidToken,    4401, "invalid_token",    Retry::AfterNewToken,    "malformed, wrong signature, issuer, audience or type"),
    entry(CloseCode::Forbidden,       4403, "forbidden",        Retry::No,               "valid but not allowed: revoked, suspended, origin"),
    entry(CloseCode::TokenExpired,    4408, "token_expired",    Retry::AfterNewToken,    "expired while connected"),
    entry(CloseCode::PingTimeout,     4410, "ping_timeout",     Retry::Yes,              "no life in time"),
    entry(CloseCode::RateLimited,     4429, "rate_limited",     Retry::Later,            "message rate, connections per user or address"),
    entry(CloseCode::Overloaded,      4503, "overloaded",       Retry::Later,            "a principal's or room's quota, after authentication"),
    entry(CloseCode::SlowConsumer,    4508, "slow_consumer",    Retry::YesAndRecover,    "the outbox overflowed"),
];

// Invariant: entry i belongs to variant i, so that a lookup is an index.
const _: () = {
    let mut index = 0;
    while index < COUNT {
        assert!(TABLE[index].close_code as usize == index);
        index += 1;
    }
};

const ALL: [CloseCode; COUNT] = {
    let mut all = [CloseCode::Normal; COUNT];
    let mut index = 0;
    while index < COUNT {
        all[index] = TABLE[index].close_code;
        index += 1;
    }
    all
};

const fn entry(
    close_code: CloseCode,
    code: u16,
    reason: &'static str,
    retry: Retry,
    when: &'static str,
) -> Entry {
    Entry {
        close_code,
        code,
        reason,
        retry,
        when,
    }
}

impl CloseCode {
    /// Every close code, in the order of the table.
    pub const ALL: &[CloseCode] = &ALL;

    const fn entry(self) -> &'static Entry {
        &TABLE[self as usize]
    }

    /// The number in the close frame.
    pub const fn code(self) -> u16 {
        self.entry().code
    }

    /// The reason in the close frame; stable, clients compare it.
    pub const fn reason(self) -> &'static str {
        self.entry().reason
    }

    /// What the client should do next.
    pub const fn retry(self) -> Retry {
        self.entry().retry
    }

    /// When the server closes with this code, for the reference.
    pub const fn when(self) -> &'static str {
        self.entry().when
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            "" => write!(formatter, "{}", self.code()),
            reason => write!(formatter, "{} {reason}", self.code()),
        }
    }
}

impl Retry {
    /// The advice in words, for the reference.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AsTheClientLikes => "as the client likes",
            Self::No => "no",
            Self::Yes => "yes",
            Self::YesJittered => "yes, jittered",
            Self::Later => "yes, later",
            Self::AfterNewToken => "after a new token",
            Self::YesAndRecover => "yes, and recover",
        }
    }
}

impl fmt::Display for Retry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{CloseCode, Retry};
    use std::collections::HashSet;

    #[test]
    fn reasons_are_short_and_name_one_code() {
        let reasons: HashSet<_> = CloseCode::ALL.iter().map(|code| code.reason()).collect();
        assert_eq!(reasons.len(), CloseCode::ALL.len());
        assert!(reasons.iter().all(|reason| reason.len() <= 123));
    }

    #[test]
    fn numbers_may_be_sent() {
        for code in CloseCode::ALL {
            assert!(
                matches!(code.code(), 1000..=1003 | 1007..=1014 | 4000..=4999),
                "{code}"
            );
        }
    }

    #[test]
    fn entries_are_found() {
        assert_eq!(CloseCode::SlowConsumer.code(), 4508);
        assert_eq!(CloseCode::SlowConsumer.retry(), Retry::YesAndRecover);
        assert_eq!(CloseCode::MissingUserId.to_string(), "4400 missing_user_id");
        assert_eq!(CloseCode::Normal.to_string(), "1000");
        assert_eq!(CloseCode::ShuttingDown.when(), "drain");
    }
}
