//! Bounds on stored texts.

use crate::StoreError;

/// Names and similar one-line texts, in bytes.
pub const NAME_BYTES_MAX: usize = 1024;
/// Messages of reports, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// `Ok` if the text is at most `bytes_max` long; `what` is the refusal's text.
pub(crate) fn check_length(
    text: Option<&str>,
    bytes_max: usize,
    what: &'static str,
) -> Result<(), StoreError> {
    match text {
        Some(text) if text.len() > bytes_max => Err(StoreError::Invalid { what }),
        _ => Ok(()),
    }
}

/// At most `bytes_max` bytes of the text, cut between characters.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
