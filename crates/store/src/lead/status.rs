//! How far a lead has come.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::StoreError;

/// A lead's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LeadStatus {
    /// Nobody has spoken to it.
    New,
    /// Somebody has.
    Contacted,
    /// It is worth an offer.
    Qualified,
    /// It will not become a customer.
    Lost,
}

/// A word that is no lead status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown lead status: expected NEW, CONTACTED, QUALIFIED or LOST")]
pub struct UnknownLeadStatus;

impl LeadStatus {
    /// All of them, in the order in which leads pass through them.
    pub const ALL: [LeadStatus; 4] = [
        LeadStatus::New,
        LeadStatus::Contacted,
        LeadStatus::Qualified,
        LeadStatus::Lost,
    ];

    /// The word on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            LeadStatus::New => "NEW",
            LeadStatus::Contacted => "CONTACTED",
            LeadStatus::Qualified => "QUALIFIED",
            LeadStatus::Lost => "LOST",
        }
    }
}

impl LeadStatus {
    /// Whether a lead of this status may take that one. The same again changes nothing and is fine.
    pub fn may_become(self, next: LeadStatus) -> bool {
        use LeadStatus::{Contacted, Lost, New, Qualified};
        match (self, next) {
            (New, Contacted | Qualified | Lost)
            | (Contacted, Qualified | Lost)
            | (Qualified, Lost)
            // Reopened.
            | (Lost, New) => true,
            _ => self == next,
        }
    }

    pub(crate) fn stored(text: &str) -> Result<LeadStatus, StoreError> {
        text.parse()
            .map_err(|_| StoreError::corrupt("a lead has an unknown status"))
    }
}

impl fmt::Display for LeadStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for LeadStatus {
    type Err = UnknownLeadStatus;

    /// Case does not matter: voice clients send what they heard.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        LeadStatus::ALL
            .into_iter()
            .find(|status| status.as_str().eq_ignore_ascii_case(text))
            .ok_or(UnknownLeadStatus)
    }
}

impl Serialize for LeadStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl PartialSchema for LeadStatus {
    fn schema() -> RefOr<Schema> {
        let words = LeadStatus::ALL.map(LeadStatus::as_str);
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(words))
            .into()
    }
}

impl ToSchema for LeadStatus {}
