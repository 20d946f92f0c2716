//! Who is there: tenant keys in headers and in Socket.IO's CONNECT payload.

use axum::http::HeaderMap;
use serde::Serialize;
use serde_json::value::RawValue;
use tidings_access::{Permissions, TenantKey};
use tidings_store::{Clock, KeyId, KeyStanding, Store, StoreError, TenantId};
use tidings_transport::ProblemCode;
use utoipa::ToSchema;

use crate::parameters::{Members, text};

/// The headers that hold keys; the first one wins.
pub(crate) const KEY_NAMES: [&str; 2] = ["x-tenant-key", "x-api-key"];
const AUTH_NAMES: [&str; 2] = ["tenantKey", "x-tenant-key"];
/// More different keys than a client has places to put them.
const KEYS_MAX: usize = 4;

/// A tenant key that was found good.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    pub(crate) key: KeyId,
    pub(crate) tenant: TenantId,
    pub(crate) slug: TenantId,
    pub(crate) permissions: Permissions,
}

/// Why nobody was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyRefusal {
    MissingApiKey,
    InvalidApiKey,
    ExpiredApiKey,
    RevokedApiKey,
    SuspendedTenant,
    /// Nobody can tell, the store does not answer.
    StoreUnavailable,
}

impl KeyRefusal {
    /// For people. The document's client looks for the word `authentication`.
    pub(crate) fn message(self) -> &'static str {
        match self {
            KeyRefusal::MissingApiKey => "authentication failed: missing API key",
            KeyRefusal::InvalidApiKey => "authentication failed: invalid API key",
            KeyRefusal::ExpiredApiKey => "authentication failed: expired API key",
            KeyRefusal::RevokedApiKey => "authentication failed: revoked API key",
            KeyRefusal::SuspendedTenant => "authentication failed: tenant is suspended",
            KeyRefusal::StoreUnavailable => "authentication failed: service unavailable",
        }
    }

    /// The same over HTTP.
    pub(crate) fn problem_code(self) -> ProblemCode {
        match self {
            KeyRefusal::MissingApiKey => ProblemCode::MissingApiKey,
            KeyRefusal::InvalidApiKey => ProblemCode::InvalidApiKey,
            KeyRefusal::ExpiredApiKey => ProblemCode::ExpiredApiKey,
            KeyRefusal::RevokedApiKey => ProblemCode::RevokedApiKey,
            KeyRefusal::SuspendedTenant => ProblemCode::SuspendedTenant,
            KeyRefusal::StoreUnavailable => ProblemCode::StoreUnavailable,
        }
    }
}

/// The different keys that a request offers, the one that counts first: headers win.
pub(crate) struct OfferedKeys(pub(crate) Vec<String>);

impl OfferedKeys {
    /// Looks for keys in a request's headers and, if there is one, in the CONNECT payload. What is empty is no key.
    pub(crate) fn of(headers: &HeaderMap, auth: Option<&RawValue>) -> OfferedKeys {
        let mut keys: Vec<String> = Vec::new();
        let mut offer = |key: String| {
            if !key.is_empty() && keys.len() <= KEYS_MAX && !keys.contains(&key) {
                keys.push(key);
            }
        };
        for name in KEY_NAMES {
            for value in headers.get_all(name) {
                offer(String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
            }
        }
        let members = auth.and_then(|auth| Members::read(auth.get(), &AUTH_NAMES));
        for json in AUTH_NAMES.iter().filter_map(|name| members.as_ref()?.get(name)) {
            // What is no text cannot be a key; as its JSON text it is refused as one.
            offer(text(json).unwrap_or_else(|| json.get().to_owned()));
        }
        OfferedKeys(keys)
    }
}

/// Checks keys against the store at every handshake and request: a revoked key opens nothing from then on.
pub(crate) async fn authenticate(
    store: &Store,
    clock: &Clock,
    offered: &OfferedKeys,
) -> Result<Principal, KeyRefusal> {
    let (first, others) = offered.0.split_first().ok_or(KeyRefusal::MissingApiKey)?;
    if others.len() >= KEYS_MAX {
        return Err(KeyRefusal::InvalidApiKey);
    }
    let (record, tenant) = find(store, first).await?.ok_or(KeyRefusal::InvalidApiKey)?;
    for other in others {
        if find(store, other)
            .await?
            .is_some_and(|(other, _)| other.tenant != record.tenant)
        {
            return Err(KeyRefusal::InvalidApiKey);
        }
    }
    match record.standing(&tenant, clock.now()) {
        KeyStanding::Good => {}
        KeyStanding::Revoked => return Err(KeyRefusal::RevokedApiKey),
        KeyStanding::TenantSuspended => return Err(KeyRefusal::SuspendedTenant),
        KeyStanding::Expired => return Err(KeyRefusal::ExpiredApiKey),
    }
    // A permission that a newer version wrote is unknown here and grants nothing.
    let permissions = record
        .permissions
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    Ok(Principal {
        key: record.id,
        tenant: tenant.id,
        slug: tenant.slug,
        permissions,
    })
}

/// Whether a key that was good still is.
pub(crate) async fn is_still_good(store: &Store, clock: &Clock, key: KeyId) -> Result<bool, StoreError> {
    let found = store.key(key).await?;
    Ok(found.is_some_and(|(record, tenant)| record.standing(&tenant, clock.now()) == KeyStanding::Good))
}

async fn find(
    store: &Store,
    text: &str,
) -> Result<Option<(tidings_store::KeyRecord, tidings_store::Tenant)>, KeyRefusal> {
    let Ok(key) = TenantKey::parse(text) else {
        return Ok(None);
    };
    store.key_by_hash(key.hash().as_bytes()).await.map_err(|error| {
        tracing::warn!(%error, "a key could not be looked up");
        KeyRefusal::StoreUnavailable
    })
}

#[cfg(test)]
mod tests;
