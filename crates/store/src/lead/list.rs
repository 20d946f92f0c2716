//! Listing leads: newest first, page by page.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use tidings_wire::time::Timestamp;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::search::terms;
use super::{Lead, LeadStatus};
use crate::{LeadId, Store, StoreError, TenantId, statements};

/// The most leads on a page.
pub const LEAD_PAGE_MAX: u32 = 1_000;
/// A cursor is a time and an id, in hexadecimal.
const CURSOR_DIGITS: usize = 48;

/// A span of time, both ends included where they are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// Its beginning.
    pub from: Option<Timestamp>,
    /// Its end.
    pub to: Option<Timestamp>,
}

/// Which leads to list; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeadFilter {
    /// Only those of this status.
    pub status: Option<LeadStatus>,
    /// Only those of exactly this source.
    pub source: Option<String>,
    /// Only those that match, by the rules of [`Store::search_leads`].
    pub query: Option<String>,
    /// Only those created in this span.
    pub created: TimeRange,
}

/// A place in the list of leads, from which the next page goes on. Leads that come in meanwhile shift nothing.
/// The text form is opaque to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeadCursor {
    pub(crate) created_at: Timestamp,
    pub(crate) id: LeadId,
}

/// A page of leads.
#[derive(Clone, Debug, PartialEq)]
pub struct LeadPage {
    /// The page, newest first.
    pub leads: Vec<Lead>,
    /// How many match in all.
    pub total: u64,
    /// Where the next page begins, if there is one.
    pub next_cursor: Option<LeadCursor>,
}

impl Store {
    /// A tenant's leads, oldest first, at most `limit` of them (and at most [`LEAD_PAGE_MAX`]), from the first one after
    /// `after`.
    pub async fn oldest_leads(
        &self,
        tenant: &TenantId,
        limit: u32,
        after: Option<&Lead>,
    ) -> Result<Vec<Lead>, StoreError> {
        let cursor = after.map(LeadCursor::of);
        let mut transaction = self.database.read(Some(tenant)).await?;
        let limit = limit.min(LEAD_PAGE_MAX);
        statements::snapshot::leads(&mut transaction, tenant, cursor.as_ref(), limit).await
    }

    /// A tenant's leads, newest first, at most `limit` of them (and at most [`LEAD_PAGE_MAX`]), from the first one
    /// after the cursor.
    pub async fn list_leads(
        &self,
        tenant: &TenantId,
        filter: &LeadFilter,
        limit: u32,
        after: Option<&LeadCursor>,
    ) -> Result<LeadPage, StoreError> {
        let terms = filter.query.as_deref().map(terms);
        if terms.as_ref().is_some_and(Vec::is_empty) {
            return Ok(LeadPage {
                leads: Vec::new(),
                total: 0,
                next_cursor: None,
            });
        }
        let limit = limit.clamp(1, LEAD_PAGE_MAX);
        let mut snapshot = self.database.read_snapshot(Some(tenant)).await?;
        let matching =
            statements::leads::Matching::new(&mut snapshot, tenant, filter, terms.as_deref()).await?;
        let total = matching.count(&mut snapshot).await?;
        // One more than asked for tells whether there is a next page.
        let mut leads = matching.newest(&mut snapshot, limit + 1, after).await?;
        snapshot.commit().await?;
        let has_more = leads.len() > limit as usize;
        leads.truncate(limit as usize);
        let next_cursor = leads.last().filter(|_| has_more).map(LeadCursor::of);
        Ok(LeadPage {
            leads,
            total,
            next_cursor,
        })
    }
}

impl LeadCursor {
    /// Behind this lead.
    pub(crate) fn of(lead: &Lead) -> LeadCursor {
        LeadCursor {
            created_at: lead.created_at,
            id: lead.id,
        }
    }
}

impl fmt::Display for LeadCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.created_at.as_millis())?;
        self.id
            .as_bytes()
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl FromStr for LeadCursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_cursor(text).ok_or(StoreError::Invalid {
            what: "cursor was not made by this server",
        })
    }
}

fn parse_cursor(text: &str) -> Option<LeadCursor> {
    if text.len() != CURSOR_DIGITS || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let (millis, id) = text.split_at(16);
    let millis = u64::from_str_radix(millis, 16).ok()?.cast_signed();
    let id = u128::from_str_radix(id, 16).ok()?.to_be_bytes();
    Some(LeadCursor {
        created_at: Timestamp::from_millis(millis),
        id: LeadId::stored(&id).ok()?,
    })
}

impl Serialize for LeadCursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl PartialSchema for LeadCursor {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A place in a list, from which the next page goes on."))
            .pattern(Some(format!("^[0-9a-fA-F]{{{CURSOR_DIGITS}}}$")))
            .into()
    }
}

impl ToSchema for LeadCursor {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_round_trip() {
        for millis in [0, 1, -1, 1_770_000_000_123] {
            let cursor = LeadCursor {
                created_at: Timestamp::from_millis(millis),
                id: LeadId::generate(),
            };
            assert_eq!(cursor.to_string().parse::<LeadCursor>().unwrap(), cursor);
        }
        let overlong = "0".repeat(49);
        for wrong in [
            "",
            "0",
            "zz",
            &"g".repeat(48),
            &"é".repeat(24),
            &overlong,
            &"+".repeat(48),
        ] {
            assert!(wrong.parse::<LeadCursor>().is_err(), "{wrong:?}");
        }
    }
}
