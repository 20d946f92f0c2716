//! The message that is measured: a task update as the tasks gateway pushes it, with a sequence number of fixed width.
//!
//! The floor is handed the very same text, so both servers move frames of the same size.

use std::fmt::Write;

use anyhow::{Result, bail};

const PUSH_START: &str = r#"{"type":"task_update","event":"#;
const PUSH_END: &str = r#","timestamp":"2026-02-07T12:00:00.000Z"}"#;
const MARK: &[u8] = br#""sequence":""#;
const ESCAPED_MARK: &[u8] = br#"\"sequence\":\""#;
const DIGITS: usize = 8;

/// The largest sequence number that fits the field.
pub const SEQUENCE_MAX: u32 = 99_999_999;

/// What is published to the tasks gateway: sized so that the pushed text has `payload_bytes` bytes, where that is possible.
pub fn data(sequence: u32, payload_bytes: usize) -> String {
    let mut text = String::with_capacity(payload_bytes);
    let _ = write!(text, r#"{{"sequence":"{sequence:0DIGITS$}","padding":""#);
    let end = r#""}"#;
    let fixed = PUSH_START.len() + text.len() + end.len() + PUSH_END.len();
    text.extend(std::iter::repeat_n('x', payload_bytes.saturating_sub(fixed)));
    text.push_str(end);
    text
}

/// What every client receives.
pub fn push(sequence: u32, payload_bytes: usize) -> String {
    format!("{PUSH_START}{}{PUSH_END}", data(sequence, payload_bytes))
}

/// Reads sequence numbers out of pushed texts. All of one run look alike, so the place of the first is where all are.
pub struct SequenceField {
    mark: &'static [u8],
    offset: usize,
}

impl Default for SequenceField {
    fn default() -> Self {
        Self {
            mark: MARK,
            offset: 0,
        }
    }
}

impl SequenceField {
    /// For a protocol that carries JSON as a string inside JSON.
    pub fn escaped() -> Self {
        Self {
            mark: ESCAPED_MARK,
            offset: 0,
        }
    }

    /// The sequence number in `payload`.
    pub fn read(&mut self, payload: &[u8]) -> Result<u32> {
        if payload
            .get(self.offset..)
            .is_none_or(|rest| !rest.starts_with(self.mark))
        {
            let Some(found) = payload
                .windows(self.mark.len())
                .position(|window| window == self.mark)
            else {
                bail!(
                    "a message without a sequence number: {}",
                    String::from_utf8_lossy(payload)
                );
            };
            self.offset = found;
        }
        let mut sequence = 0;
        let digits = payload[self.offset + self.mark.len()..].first_chunk::<DIGITS>();
        for digit in digits.into_iter().flatten() {
            sequence = sequence * 10 + u32::from(digit.wrapping_sub(b'0'));
        }
        if digits.is_none_or(|digits| !digits.iter().all(u8::is_ascii_digit)) {
            bail!(
                "a message with a broken sequence number: {}",
                String::from_utf8_lossy(payload)
            );
        }
        Ok(sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_push_has_the_size_asked_for_and_tells_its_sequence() {
        let mut field = SequenceField::default();
        for sequence in [0, 7, 12_345_678, SEQUENCE_MAX] {
            let text = push(sequence, 140);
            assert_eq!(text.len(), 140);
            assert_eq!(field.read(text.as_bytes()).unwrap(), sequence);
        }
        serde_json::from_str::<serde_json::Value>(&push(1, 140)).unwrap();
    }

    #[test]
    fn the_field_is_found_again_where_the_server_moves_it() {
        let mut field = SequenceField::default();
        assert_eq!(field.read(push(1, 140).as_bytes()).unwrap(), 1);
        assert_eq!(field.read(data(2, 140).as_bytes()).unwrap(), 2);
        assert!(field.read(br#"{"type":"pong"}"#).is_err());
        assert!(field.read(br#"{"sequence":"123"#).is_err());
        assert!(field.read(br#"{"sequence":"1234567x"}"#).is_err());
    }
}
