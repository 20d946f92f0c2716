//! Names of rooms with places for what an event says.

use super::{Field, Routable, RuleError};
use crate::DropReason;
use std::borrow::Cow;
use std::fmt;
use tidings_hub::RoomName;

/// Fields in one place.
const FIELDS_MAX: usize = 16;
/// The longest name of a room, in bytes.
const ROOM_BYTES_MAX: usize = 256;
/// As many as most names of rooms have.
const USUAL_ROOM_BYTES: usize = 64;
/// The longest text that an event may put in a place, in bytes: the longest user id.
const NAME_BYTES_MAX: usize = 200;

/// The name of a room, such as `user:{data.user_id|subject}`: in the place of the braces comes the first of the fields that
/// the event has. What it has there must be a name, that is text or an integer; it is not the next field's turn then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Box<[Piece]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Place(Box<[Field]>),
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Template, RuleError> {
        let malformed = || RuleError::Template(text.to_owned());
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (fields, behind) = after.split_once('}').ok_or_else(malformed)?;
            push_text(&mut pieces, before).ok_or_else(malformed)?;
            pieces.push(place(fields.split('|').map(Field::parse))?);
            rest = behind;
        }
        push_text(&mut pieces, rest).ok_or_else(malformed)?;
        let lengths = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.len(),
            // At least.
            Piece::Place(_) => 1,
        });
        let is_too_long = lengths.sum::<usize>() > ROOM_BYTES_MAX;
        if pieces.is_empty() || is_too_long || text.chars().any(char::is_control) {
            return Err(malformed());
        }
        Ok(Template(pieces.into()))
    }

    /// The room of a user, who is named at the first of these paths into the data.
    pub(super) fn of_user(paths: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Template, RuleError> {
        let paths = paths.into_iter().map(|path| Field::in_data(path.as_ref()));
        let pieces = [Piece::Text("user:".into()), place(paths)?];
        Ok(Template(Box::new(pieces)))
    }

    /// The room that the event names.
    pub(super) fn room(&self, event: Routable<'_>) -> Result<RoomName, DropReason> {
        let mut name = String::with_capacity(USUAL_ROOM_BYTES);
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => name.push_str(text),
                Piece::Place(fields) => name.push_str(&name_in(fields, event)?),
            }
        }
        RoomName::new(&name).map_err(|_| DropReason::InvalidUser)
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) -> Option<()> {
    if !text.is_empty() {
        pieces.push(Piece::Text(text.into()));
    }
    (!text.contains('}')).then_some(())
}

fn place(fields: impl Iterator<Item = Result<Field, RuleError>>) -> Result<Piece, RuleError> {
    let fields = fields.take(FIELDS_MAX + 1).collect::<Result<Box<[_]>, _>>()?;
    if fields.is_empty() || fields.len() > FIELDS_MAX {
        return Err(RuleError::Fields);
    }
    Ok(Piece::Place(fields))
}

fn name_in<'a>(fields: &[Field], event: Routable<'a>) -> Result<Cow<'a, str>, DropReason> {
    for field in fields {
        if let Some(name) = field.name(event)? {
            return match name.len() {
                0 => Err(DropReason::NoUser),
                1..=NAME_BYTES_MAX => Ok(name),
                _ => Err(DropReason::InvalidUser),
            };
        }
    }
    Err(DropReason::NoUser)
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => f.write_str(text)?,
                Piece::Place(fields) => {
                    let fields: Vec<String> = fields.iter().map(Field::to_string).collect();
                    write!(f, "{{{}}}", fields.join("|"))?;
                }
            }
        }
        Ok(())
    }
}
