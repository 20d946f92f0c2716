//! Close payloads, RFC 6455, sections 5.5.1 and 7.4.

use super::error::DecodeError;

/// Reads a close frame's payload.
pub(super) fn parse(payload: &[u8]) -> Result<(Option<u16>, String), DecodeError> {
    let (code, reason) = match payload {
        [] => return Ok((None, String::new())),
        [_] => return Err(DecodeError::TruncatedCloseCode),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    if !may_be_sent(code) {
        return Err(DecodeError::InvalidCloseCode(code));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| DecodeError::InvalidUtf8)?;
    Ok((Some(code), reason.to_owned()))
}

/// The codes an endpoint may put on the wire: the registered ones, those for libraries and those for applications.
const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
