//! The demo tenants: made in development, refused in production.

use tidings_access::{Permission, TenantKey};
use tidings_store::{KeyStanding, Store, TenantId};
use tidings_wire::time::Timestamp;

use crate::config::Refusal;
use crate::failure::{Failure, Outcome};
use crate::opening;

/// The demo tenants and their keys. Everybody knows these keys.
pub(crate) const DEMO_KEYS: [(&str, &str); 2] =
    [("demo1", "demo-tenant-key-1"), ("demo2", "demo-tenant-key-2")];

/// Makes what is missing; a demo key that was revoked stays revoked.
pub(crate) async fn seed(store: &Store) -> Outcome {
    let permissions = [Permission::Admin.as_str().to_owned()];
    for (tenant, key) in DEMO_KEYS {
        let id = TenantId::new(tenant).map_err(opening::failure)?;
        store.ensure_tenant(&id, tenant).await.map_err(opening::failure)?;
        store
            .ensure_key(&id, hash(key)?, &permissions)
            .await
            .map_err(opening::failure)?;
    }
    Ok(())
}

/// The demo keys that would open this store to everybody, each with the command that revokes it.
pub(crate) async fn refusals(store: &Store, now: Timestamp) -> Outcome<Vec<Refusal>> {
    let mut refusals = Vec::new();
    for (_, key) in DEMO_KEYS {
        let Some((record, tenant)) = store.key_by_hash(&hash(key)?).await.map_err(opening::failure)? else {
            continue;
        };
        if record.standing(&tenant, now) == KeyStanding::Good {
            refusals.push(Refusal::new(
                format!("key {}", record.id),
                format!("is the demo key of tenant {}, which everybody knows", tenant.id),
                format!("tidings --mode production key revoke {}", record.id),
            ));
        }
    }
    Ok(refusals)
}

/// SHA-256 of every demo key.
pub(crate) fn hashes() -> Outcome<Vec<[u8; 32]>> {
    DEMO_KEYS.iter().map(|(_, key)| hash(key)).collect()
}

fn hash(key: &str) -> Outcome<[u8; 32]> {
    TenantKey::parse(key)
        .map(|key| *key.hash().as_bytes())
        .map_err(|error| Failure::Internal(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn demo_keys_are_made_once_and_refused_until_revoked() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let now = Timestamp::from_millis(i64::from(u32::MAX) * 1_000);
        assert_eq!(refusals(&store, now).await.unwrap(), []);
        seed(&store).await.unwrap();
        seed(&store).await.unwrap();
        let found = refusals(&store, now).await.unwrap();
        assert_eq!(found.len(), 2);
        let (record, _) = store
            .key_by_hash(&hash("demo-tenant-key-1").unwrap())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            found[0].mend,
            format!("tidings --mode production key revoke {}", record.id)
        );
        store.revoke_key(record.id).await.unwrap();
        seed(&store).await.unwrap();
        assert_eq!(
            refusals(&store, now).await.unwrap().len(),
            1,
            "seeding again does not bring a revoked key back"
        );
    }
}
