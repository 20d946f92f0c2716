//! Where an event goes: the rules, tried in their order.
//!
//! A rule has conditions on the event and, for events that meet all of them, rooms, a kind and gateways. The first rule whose
//! conditions are met decides; what it asks for and the event does not say (whose it is) makes the event undeliverable, and
//! no later rule gets it.

mod field;
mod pattern;
mod rule;
mod template;

pub use field::Field;
pub use rule::{Condition, Rule, RuleError};
pub use template::Template;

use crate::DropReason;
use serde_json::value::RawValue;
use std::sync::Arc;
use tidings_hub::{Gateways, RoomName};
use tidings_wire::cloudevents::CloudEvent;

/// Rules that a configuration may have.
pub const RULES_MAX: usize = 100;

/// An event as the rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Routable<'a> {
    /// The topic that it came from, if it came from one.
    pub topic: Option<&'a str>,
    /// The envelope, if it had one; its data is not looked at.
    pub envelope: Option<&'a CloudEvent<'a>>,
    /// The data, a JSON object.
    pub data: &'a RawValue,
}

/// Where an event goes, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination<'r> {
    /// Its rooms.
    pub rooms: Vec<RoomName>,
    /// The kind that clients are told.
    pub kind: &'r Arc<str>,
    /// Whose clients get it.
    pub gateways: Gateways,
}

/// All rules, at least one.
#[derive(Clone, Debug)]
pub struct Routes(Box<[Rule]>);

impl Routes {
    /// These rules, tried in this order.
    pub fn new(rules: Vec<Rule>) -> Result<Routes, RuleError> {
        if rules.is_empty() || rules.len() > RULES_MAX {
            return Err(RuleError::Count);
        }
        Ok(Routes(rules.into()))
    }

    /// The rules, in their order.
    pub fn rules(&self) -> &[Rule] {
        &self.0
    }

    /// Where the event goes.
    pub fn route(&self, event: Routable<'_>) -> Result<Destination<'_>, DropReason> {
        let meets = |rule: &&Rule| rule.unmet(event).is_none();
        let rule = self.0.iter().find(meets).ok_or(DropReason::NoRoute)?;
        rule.destination(event)
    }
}

impl Default for Routes {
    /// Every event to its user, who is found at `user_id`, `data.user_id` or `payload.user_id` of its data.
    fn default() -> Routes {
        let rule = Rule::for_users(["user_id", "data.user_id", "payload.user_id"])
            .expect("Invariant: the default paths are well formed");
        Routes(Box::new([rule]))
    }
}

#[cfg(test)]
mod tests;
