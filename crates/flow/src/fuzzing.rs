//! The parsers of what clients send, for the fuzz targets.

use axum::http::HeaderMap;
use serde_json::value::RawValue;
use tidings_access::{Permission, Permissions};
use tidings_store::{KeyId, LeadPayload, LeadPayloadError, LeadSource, LeadVersion, TenantId};
use tidings_transport::Problem;

use crate::authentication::{OfferedKeys, Principal};
use crate::command::{LeadFields, Request};
use crate::http::{Listing, if_match, is_known, read_form};
use crate::parameters::{Members, text};
use crate::response::Failure;

/// The event's name in a plain WebSocket's message, and the JSON of its data.
pub fn plain(json: &str) -> Option<(Option<String>, Option<&str>)> {
    let members = Members::read(json, &["event", "data"])?;
    let data = members.get("data").map(RawValue::get);
    Some((members.get("event").and_then(text), data))
}

/// A command that somebody gives who may all: its name and its parameters as they were understood, or the error's text.
pub fn command(json: &RawValue) -> Result<(String, String), &'static str> {
    let tenant = || TenantId::new("t").expect("Invariant: a letter is a tenant's id");
    let principal = Principal {
        key: KeyId::generate(),
        tenant: tenant(),
        slug: tenant(),
        permissions: Permissions::NONE.with(Permission::Admin),
    };
    let request = Request::read(Some(json));
    let (_, command) = request.accept(&principal).map_err(|failure| failure.text())?;
    let parameters = serde_json::to_string(&command).map_err(|error| Failure::from(error).text())?;
    Ok((request.command.unwrap_or_default(), parameters))
}

/// The payload of a lead that comes over HTTP.
pub fn lead(json: &str) -> Option<Result<LeadPayload, LeadPayloadError>> {
    LeadFields::read(json).ok().map(|fields| fields.payload())
}

/// The lead of a form.
pub fn form(json: &RawValue) -> Result<(LeadSource, LeadPayload), Problem> {
    read_form(json)
}

/// Reads the query of a list of leads.
pub fn listing(query: &[(String, String)]) -> Result<(), Problem> {
    Listing::read(query).map(drop)
}

/// Reads the conditions of a request: whether it may be carried out on any version, and whether the client has the first.
pub fn conditions(headers: &HeaderMap) -> Result<(bool, bool), Problem> {
    let is_on_any = if_match(headers)?.is_none();
    Ok((is_on_any, is_known(headers, LeadVersion(1))?))
}

/// The keys that a request offers.
pub fn keys(headers: &HeaderMap, auth: Option<&RawValue>) -> Vec<String> {
    OfferedKeys::of(headers, auth).0
}
