//! Tenant keys: their hashes, permissions and lifetimes. The keys themselves are never here.

use std::fmt;

use tidings_wire::time::Timestamp;

use crate::database::Turn;
use crate::{KeyId, Store, StoreError, Tenant, TenantId, statements};

/// The most keys a tenant can have, revoked ones included.
pub const KEYS_PER_TENANT_MAX: u32 = 1_000;

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
        if self.revoked_at.is_some() {
            KeyStanding::Revoked
        } else if tenant.suspended {
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
        if statements::keys::count(&mut transaction, &key.tenant).await? >= KEYS_PER_TENANT_MAX {
            return Err(StoreError::Invalid {
                what: "a tenant has at most 1000 keys",
            });
        }
        statements::keys::insert(&mut transaction, &key)
            .await
            .map_err(|error| match error {
                StoreError::Conflict { .. } => StoreError::Conflict {
                    what: "key exists already",
                },
                other => other,
            })?;
        transaction.commit().await?;
        Ok(key)
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
        let mut transaction = self.database.write(Turn::Of("key", &id.to_string())).await?;
        statements::keys::revoke(&mut transaction, id, self.now()).await?;
        let found = statements::keys::find(&mut transaction, id).await?;
        transaction.commit().await?;
        found
            .map(|(key, _)| key)
            .ok_or(StoreError::NotFound { what: "key" })
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
