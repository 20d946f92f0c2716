//! One rule: its conditions, and where events that meet them go.

use super::pattern::Pattern;
use super::{Destination, Field, Routable, Template};
use crate::DropReason;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use thiserror::Error;
use tidings_hub::{Gateway, Gateways};
use tidings_wire::socketio::RESERVED_EVENTS;

/// Conditions of a rule.
const CONDITIONS_MAX: usize = 16;
/// Rooms of a rule.
const ROOMS_MAX: usize = 8;
/// Types of the messages that tell of a connection on tasks and workflows.
const RESERVED_TYPES: [&str; 4] = ["connected", "pong", "error", "gap"];
/// The longest kind, in bytes.
const KIND_BYTES_MAX: usize = 128;

/// Why a text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuleError {
    /// No rule, or too many.
    #[error("expected 1 to {} rules", super::RULES_MAX)]
    Count,
    /// Not the name of a field.
    #[error(
        "a field is `topic`, `type`, `source`, `subject`, `id`, `datacontenttype`, `dataschema`, an extension, or \
         `data.` and a path, found `{0}`"
    )]
    Field(String),
    /// A path without a key, with an empty one, or with too many.
    #[error("a path is 1 to 8 keys with dots between them, found `{0}`")]
    Path(String),
    /// No field, or too many, in one place of a template.
    #[error("expected 1 to 16 fields or paths")]
    Fields,
    /// Not the name of a room.
    #[error("a room is a name such as `user:{{data.user_id}}`, found `{0}`")]
    Template(String),
    /// No room, or too many.
    #[error("expected 1 to {ROOMS_MAX} rooms")]
    Rooms,
    /// Too many conditions.
    #[error("expected at most {CONDITIONS_MAX} conditions")]
    Conditions,
    /// Not a kind.
    #[error("a kind has 1 to {KIND_BYTES_MAX} bytes and no control characters")]
    Kind,
    /// A kind that clients take for something else.
    #[error("the kind `{0}` means something else to clients")]
    ReservedKind(String),
    /// No gateway.
    #[error("expected at least one gateway")]
    Gateways,
}

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    conditions: Box<[Condition]>,
    rooms: Box<[Template]>,
    kind: Arc<str>,
    gateways: Gateways,
}

/// What an event has to say in one of its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    field: Field,
    pattern: Pattern,
}

impl Condition {
    /// `field` is a name as [`Field::parse`] reads it; in `pattern`, `*` stands for anything.
    pub fn new(field: &str, pattern: &str) -> Result<Condition, RuleError> {
        Ok(Condition {
            field: Field::parse(field)?,
            pattern: Pattern::new(pattern),
        })
    }

    /// What the event has there, as text.
    pub fn found<'a>(&self, event: Routable<'a>) -> Option<Cow<'a, str>> {
        self.field.text(event).ok().flatten()
    }

    fn is_on_data(&self) -> bool {
        matches!(self.field, Field::Data(_))
    }

    fn is_met(&self, event: Routable<'_>) -> bool {
        self.found(event).is_some_and(|text| self.pattern.matches(&text))
    }
}

impl Rule {
    /// A rule for events that meet all of the conditions.
    pub fn new(
        conditions: Vec<Condition>,
        rooms: Vec<Template>,
        kind: &str,
        gateways: &[Gateway],
    ) -> Result<Rule, RuleError> {
        if conditions.len() > CONDITIONS_MAX {
            return Err(RuleError::Conditions);
        }
        if rooms.is_empty() || rooms.len() > ROOMS_MAX {
            return Err(RuleError::Rooms);
        }
        if kind.is_empty() || kind.len() > KIND_BYTES_MAX || kind.chars().any(char::is_control) {
            return Err(RuleError::Kind);
        }
        if RESERVED_EVENTS.contains(&kind) || RESERVED_TYPES.contains(&kind) {
            return Err(RuleError::ReservedKind(kind.to_owned()));
        }
        if gateways.is_empty() {
            return Err(RuleError::Gateways);
        }
        // The data is searched last: that takes longest.
        let mut conditions = conditions;
        conditions.sort_by_key(Condition::is_on_data);
        Ok(Rule {
            conditions: conditions.into(),
            rooms: rooms.into(),
            kind: kind.into(),
            gateways: gateways.iter().copied().collect(),
        })
    }

    /// Every event to its user, as `task_update` on the tasks gateway. The user is named at the first of these paths into the
    /// event's data that leads to anything.
    pub fn for_users(paths: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Rule, RuleError> {
        Rule::new(
            Vec::new(),
            vec![Template::of_user(paths)?],
            "task_update",
            &[Gateway::Tasks],
        )
    }

    /// The first condition that the event does not meet.
    pub fn unmet(&self, event: Routable<'_>) -> Option<&Condition> {
        self.conditions.iter().find(|condition| !condition.is_met(event))
    }

    /// Where an event that meets the conditions goes.
    pub fn destination(&self, event: Routable<'_>) -> Result<Destination<'_>, DropReason> {
        let mut rooms = Vec::with_capacity(self.rooms.len());
        for template in &self.rooms {
            let room = template.room(event)?;
            if !rooms.contains(&room) {
                rooms.push(room);
            }
        }
        Ok(Destination {
            rooms,
            kind: &self.kind,
            gateways: self.gateways,
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = `{}`", self.field, self.pattern)
    }
}
