//! Placeholders: `{"_placeholder":true,"num":0}` stands for the first attachment.
//!
//! They are checked here because a packet with a wrong number, passed on as it is, would make the parser of every
//! client that gets it fail.

use super::Error;

/// Levels of arrays and objects that are searched; as many as `serde_json` descends into.
const DEPTH_MAX: usize = 128;

/// An array, or what is known of an object so far. Of keys that come twice the last counts, as in JavaScript.
#[derive(Default)]
struct Level<'a> {
    object: bool,
    key: Key,
    expects_key: bool,
    marked: bool,
    number: Option<&'a str>,
}

#[derive(Default)]
enum Key {
    Placeholder,
    Number,
    #[default]
    Other,
}

/// Checks that every placeholder in `json`, which is valid JSON, names one of the attachments.
pub(super) fn check(json: &str, attachments: usize) -> Result<(), Error> {
    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut rest = json;
    while let Some(first) = rest.bytes().next() {
        let length = token_length(rest, first);
        let (token, after) = rest.split_at_checked(length).ok_or(Error::InvalidPayload)?;
        match first {
            b'{' | b'[' => {
                if levels.len() == DEPTH_MAX {
                    return Err(Error::NestedTooDeeply);
                }
                take_value(levels.last_mut(), token);
                levels.push(Level {
                    object: first == b'{',
                    expects_key: first == b'{',
                    ..Level::default()
                });
            }
            b'}' | b']' => {
                if levels
                    .pop()
                    .is_some_and(|level| level.marked && !in_range(level.number, attachments))
                {
                    return Err(Error::InvalidPlaceholder);
                }
            }
            b',' => {
                if let Some(level) = levels.last_mut() {
                    level.expects_key = level.object;
                }
            }
            b':' | b' ' | b'\t' | b'\n' | b'\r' => {}
            _ => match levels.last_mut() {
                Some(level) if level.expects_key => {
                    level.key = key(token);
                    level.expects_key = false;
                }
                level => take_value(level, token),
            },
        }
        rest = after;
    }
    Ok(())
}

/// Notes a value, or the first character of one, under the key that came before it.
fn take_value<'a>(level: Option<&mut Level<'a>>, token: &'a str) {
    match level {
        Some(
            level @ Level {
                object: true,
                key: Key::Placeholder,
                ..
            },
        ) => level.marked = token == "true",
        Some(
            level @ Level {
                object: true,
                key: Key::Number,
                ..
            },
        ) => level.number = Some(token),
        _ => {}
    }
}

fn in_range(number: Option<&str>, attachments: usize) -> bool {
    number
        .and_then(|number| number.parse::<usize>().ok())
        .is_some_and(|number| number < attachments)
}

fn key(token: &str) -> Key {
    // An escaped spelling is the same key to the client that reads it.
    let unescaped: String;
    let name = if token.contains('\\') {
        unescaped = serde_json::from_str(token).unwrap_or_default();
        &unescaped
    } else {
        token.trim_matches('"')
    };
    match name {
        "_placeholder" => Key::Placeholder,
        "num" => Key::Number,
        _ => Key::Other,
    }
}

fn token_length(text: &str, first: u8) -> usize {
    match first {
        b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => 1,
        b'"' => string_length(text),
        _ => text
            .find([',', '}', ']', ' ', '\t', '\n', '\r'])
            .unwrap_or(text.len())
            .max(1),
    }
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}
