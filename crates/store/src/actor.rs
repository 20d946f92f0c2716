//! Who did something.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use crate::KeyId;

/// Who changed something: a tenant's key, or a part of this program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
pub struct Actor(String);

impl Actor {
    /// The holder of a key.
    pub fn key(key: KeyId) -> Actor {
        Actor(key.to_string())
    }

    /// A command that an operator ran.
    pub fn command() -> Actor {
        Actor("command".to_owned())
    }

    /// The server itself.
    pub fn system() -> Actor {
        Actor("system".to_owned())
    }

    /// The actor as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn stored(text: String) -> Actor {
        Actor(text)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
