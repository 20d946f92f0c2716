//! Tenant keys: their hashes, permissions and lifetimes. The keys themselves are never here.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use tidings_wire::time::Timestamp;

use crate::database::{Transaction, Turn};
use crate::{KeyId, Store, StoreError, Tenant, TenantId, statements};

/// The most keys a tenant can have, revoked ones included.
pub const KEYS_PER_TENANT_MAX: u32 = 1_000;

/// Keys that one statement asks about.
const KEYS_AT_ONCE: usize = 1_024;

/// A stored tenant key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its id, which may be shown.
    pub id: KeyId,
    /// Whose key it is.
    pub tenant: TenantId,
    /// SHA-256 of the key's text.
    pub hash: [u8; 32],
    /// Names of what it may do.
    pub permissions: Vec<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, as far as it was reported with [`Store::mark_keys_used`].
    pub last_used_at: Option<Timestamp>,
}

impl KeyRecord {
    /// Whether the key is good at this time. Revoked comes before suspended before expired: the reason that lasts
    /// longest is told.
    pub fn standing(&self, tenant: &Tenant, now: Timestamp) -> KeyStanding {
        let state = KeyState {
            is_revoked: self.revoked_at.is_some(),
            is_tenant_suspended: tenant.suspended,
            expires_at: self.expires_at,
        };
        state.standing(now)
    }
}

/// What decides whether a key is good.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyState {
    pub(crate) is_revoked: bool,
    pub(crate) is_tenant_suspended: bool,
    pub(crate) expires_at: Option<Timestamp>,
}

impl KeyState {
    fn standing(self, now: Timestamp) -> KeyStanding {
        if self.is_revoked {
            KeyStanding::Revoked
        } else if self.is_tenant_suspended {
            KeyStanding::TenantSuspended
        } else if self.expires_at.is_some_and(|end| end <= now) {
            KeyStanding::Expired
        } else {
            KeyStanding::Good
        }
    }
}

// Written by hand to leave the hash out.
impl fmt::Debug for KeyRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeyRecord")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .field("permissions", &self.permissions)
            .finish_non_exhaustive()
    }
}

/// Whether a key opens doors, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStanding {
    /// It does.
    Good,
    /// It was revoked.
    Revoked,
    /// Its tenant is suspended.
    TenantSuspended,
    /// Its time is over.
    Expired,
}

/// A key to store.
#[derive(Clone)]
pub struct NewKey {
    /// Whose key.
    pub tenant: TenantId,
    /// SHA-256 of the key's text.
    pub hash: [u8; 32],
    /// Names of what it may do; at least one.
    pub permissions: Vec<String>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// A key that took another's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotatedKey {
    /// The key that goes on.
    pub new: KeyRecord,
    /// The key that ends.
    pub old: KeyRecord,
}

// Written by hand to leave the hash out.
impl fmt::Debug for NewKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("NewKey")
            .field("tenant", &self.tenant)
            .field("permissions", &self.permissions)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Stores a key. An unknown tenant is [`StoreError::NotFound`], a key that is stored already
    /// [`StoreError::Conflict`].
    pub async fn create_key(&self, new: NewKey) -> Result<KeyRecord, StoreError> {
        check_permissions(&new.permissions)?;
        let key = KeyRecord {
            id: KeyId::generate(),
            tenant: new.tenant,
            hash: new.hash,
            permissions: new.permissions,
            created_at: self.now(),
            expires_at: new.expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        let mut transaction = self.database.write(Turn::Tenant(&key.tenant)).await?;
        if statements::tenants::find(&mut transaction, &key.tenant)
            .await?
            .is_none()
        {
            return Err(StoreError::NotFound { what: "tenant" });
        }
        insert(&mut transaction, &key).await?;
        transaction.commit().await?;
        Ok(key)
    }

    /// Puts a new key with this hash in a key's place: the same tenant, permissions and end. The old one is revoked at
    /// once if `grace` is zero, and otherwise ends by itself after it, or earlier if it was to. An unknown key is
    /// [`StoreError::NotFound`], one that is revoked or expired [`StoreError::Conflict`].
    pub async fn rotate_key(
        &self,
        id: KeyId,
        hash: [u8; 32],
        grace: Duration,
    ) -> Result<RotatedKey, StoreError> {
        let mut transaction = self.write_key(id).await?;
        let Some((old, tenant)) = statements::keys::find(&mut transaction, id).await? else {
            return Err(StoreError::NotFound { what: "key" });
        };
        let now = self.now();
        match old.standing(&tenant, now) {
            KeyStanding::Good | KeyStanding::TenantSuspended => {}
            KeyStanding::Revoked => {
                return Err(StoreError::Conflict {
                    what: "key is revoked",
                });
            }
            KeyStanding::Expired => {
                return Err(StoreError::Conflict {
                    what: "key has expired",
                });
            }
        }
        let new = KeyRecord {
            id: KeyId::generate(),
            hash,
            created_at: now,
            last_used_at: None,
            ..old
        };
        insert(&mut transaction, &new).await?;
        if grace.is_zero() {
            statements::keys::revoke(&mut transaction, id, now).await?;
        } else {
            let grace_ms = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
            let end = Timestamp::from_millis(now.as_millis().saturating_add(grace_ms));
            statements::keys::expire(&mut transaction, id, end).await?;
        }
        let old = statements::keys::find(&mut transaction, id).await?;
        transaction.commit().await?;
        let (old, _) = old.ok_or(StoreError::NotFound { what: "key" })?;
        Ok(RotatedKey { new, old })
    }

    /// The tenant's key with this hash, stored with these permissions if there is none. For seeding: a key that
    /// exists stays as it is.
    pub async fn ensure_key(
        &self,
        tenant: &TenantId,
        hash: [u8; 32],
        permissions: &[String],
    ) -> Result<KeyRecord, StoreError> {
        let new = NewKey {
            tenant: tenant.clone(),
            hash,
            permissions: permissions.to_vec(),
            expires_at: None,
        };
        let created = self.create_key(new).await;
        let Err(StoreError::Conflict { what }) = created else {
            return created;
        };
        match self.key_by_hash(&hash).await? {
            Some((key, _)) if key.tenant == *tenant => Ok(key),
            _ => Err(StoreError::Conflict { what }),
        }
    }

    /// The key with this hash and its tenant, in one indexed read. The caller asks [`KeyRecord::standing`].
    pub async fn key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<(KeyRecord, Tenant)>, StoreError> {
        let mut transaction = self.database.read(None).await?;
        statements::keys::find_by_hash(&mut transaction, hash).await
    }

    /// The key with this id and its tenant.
    pub async fn key(&self, id: KeyId) -> Result<Option<(KeyRecord, Tenant)>, StoreError> {
        let mut transaction = self.database.read(None).await?;
        statements::keys::find(&mut transaction, id).await
    }

    /// A tenant's keys, oldest first, revoked ones included.
    pub async fn list_keys(&self, tenant: &TenantId) -> Result<Vec<KeyRecord>, StoreError> {
        let mut transaction = self.database.read(Some(tenant)).await?;
        statements::keys::list(&mut transaction, tenant).await
    }

    /// Revokes a key. Revoking it again changes nothing.
    pub async fn revoke_key(&self, id: KeyId) -> Result<KeyRecord, StoreError> {
        let mut transaction = self.write_key(id).await?;
        statements::keys::revoke(&mut transaction, id, self.now()).await?;
        let found = statements::keys::find(&mut transaction, id).await?;
        transaction.commit().await?;
        found
            .map(|(key, _)| key)
            .ok_or(StoreError::NotFound { what: "key" })
    }

    /// Those of these keys that are good no longer, unknown ones included: all of them as of one moment.
    pub async fn refused_keys(&self, ids: &[KeyId], now: Timestamp) -> Result<HashSet<KeyId>, StoreError> {
        let mut refused: HashSet<KeyId> = ids.iter().copied().collect();
        if ids.is_empty() {
            return Ok(refused);
        }
        let mut transaction = self.database.read_snapshot(None).await?;
        for ids in ids.chunks(KEYS_AT_ONCE) {
            for (id, state) in statements::keys::states(&mut transaction, ids).await? {
                if state.standing(now) == KeyStanding::Good {
                    refused.remove(&id);
                }
            }
        }
        Ok(refused)
    }

    /// Begins to write a key, in its tenant's turn.
    async fn write_key(&self, id: KeyId) -> Result<Transaction, StoreError> {
        let found = self.key(id).await?;
        let (key, _) = found.ok_or(StoreError::NotFound { what: "key" })?;
        self.database.write(Turn::Tenant(&key.tenant)).await
    }

    /// Notes when keys were last used. The gateway gathers uses and reports them now and then, so that a handshake
    /// writes nothing. An older time than the noted one, and an unknown key, are ignored.
    pub async fn mark_keys_used(&self, uses: &[(KeyId, Timestamp)]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        let mut transaction = self.database.write(Turn::Of("key_uses", "")).await?;
        for (id, time) in uses {
            statements::keys::mark_used(&mut transaction, *id, *time).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// Stores a key in its tenant's turn, if it may have one more.
async fn insert(transaction: &mut Transaction, key: &KeyRecord) -> Result<(), StoreError> {
    if statements::keys::count(transaction, &key.tenant).await? >= KEYS_PER_TENANT_MAX {
        return Err(StoreError::Invalid {
            what: "a tenant has at most 1000 keys",
        });
    }
    statements::keys::insert(transaction, key)
        .await
        .map_err(|error| match error {
            StoreError::Conflict { .. } => StoreError::Conflict {
                what: "key exists already",
            },
            other => other,
        })
}

fn check_permissions(permissions: &[String]) -> Result<(), StoreError> {
    if permissions.is_empty() {
        return Err(StoreError::Invalid {
            what: "a key needs at least one permission",
        });
    }
    let is_name = |text: &String| {
        (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b':' | b'_' | b'-'))
    };
    if permissions.len() > 64 || !permissions.iter().all(is_name) {
        return Err(StoreError::Invalid {
            what: "a permission's name is lower-case letters, :, _ and -",
        });
    }
    Ok(())
}
