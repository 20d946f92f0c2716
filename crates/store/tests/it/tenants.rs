use std::time::Duration;

use tidings_store::{KeyId, KeyStanding, NewKey, NewTenant, StoreError};
use tidings_wire::time::Timestamp;

use crate::fixture::{Backend, Fixture, START_MS, tenant};

on_each_backend! {
    tenants_are_created_once,
    keys_are_found_by_hash,
    keys_that_cannot_be_stored,
    seeding_twice_leaves_one_key,
    the_standing_of_a_key,
    uses_are_noted,
    a_rotated_key_ends_and_another_goes_on,
    keys_that_cannot_be_rotated,
    many_keys_are_asked_about_at_once,
}

fn permissions(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn new_key(tenant_id: &str, hash: u8) -> NewKey {
    let permissions = permissions(&["leads:read", "metrics:read"]);
    NewKey {
        tenant: tenant(tenant_id),
        hash: [hash; 32],
        permissions,
        expires_at: None,
    }
}

async fn tenants_are_created_once(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = fixture.store.clone();
    let created = store
        .create_tenant(NewTenant {
            id: tenant("t3"),
            slug: Some(tenant("third")),
            name: "Third".to_owned(),
        })
        .await
        .unwrap();
    assert_eq!(store.tenant(&tenant("t3")).await.unwrap(), Some(created));
    for (id, slug) in [("t3", "x"), ("third", "x"), ("x", "t3"), ("x", "third")] {
        let new = NewTenant {
            id: tenant(id),
            slug: Some(tenant(slug)),
            name: String::new(),
        };
        let refusal = store.create_tenant(new).await;
        assert!(
            matches!(refusal, Err(StoreError::Conflict { .. })),
            "{id} {slug}: {refusal:?}"
        );
    }
    let again = store
        .ensure_tenant(&tenant("demo1"), "Another name")
        .await
        .unwrap();
    assert_eq!((again.name.as_str(), again.slug.as_str()), ("Demo One", "demo1"));
    let ids = |tenants: Vec<tidings_store::Tenant>| -> Vec<String> {
        tenants
            .into_iter()
            .map(|tenant| tenant.id.as_str().to_owned())
            .collect()
    };
    assert_eq!(
        ids(store.list_tenants(None, 2).await.unwrap()),
        ["demo1", "demo2"]
    );
    assert_eq!(
        ids(store.list_tenants(Some(&tenant("demo2")), 2).await.unwrap()),
        ["t3"]
    );
}

async fn keys_are_found_by_hash(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = fixture.store.clone();
    let key = store.create_key(new_key("demo1", 1)).await.unwrap();
    let (found, owner) = store.key_by_hash(&[1; 32]).await.unwrap().unwrap();
    assert_eq!((found, owner.id.as_str()), (key.clone(), "demo1"));
    assert_eq!(key.permissions, ["leads:read", "metrics:read"]);
    assert!(store.key_by_hash(&[2; 32]).await.unwrap().is_none());
    assert_eq!(store.key(key.id).await.unwrap().unwrap().0, key);
    assert!(store.key(KeyId::generate()).await.unwrap().is_none());
    assert_eq!(store.list_keys(&tenant("demo1")).await.unwrap(), [key]);
    assert!(store.list_keys(&tenant("demo2")).await.unwrap().is_empty());
}

async fn keys_that_cannot_be_stored(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = fixture.store.clone();
    store.create_key(new_key("demo1", 1)).await.unwrap();
    assert!(matches!(
        store.create_key(new_key("demo2", 1)).await,
        Err(StoreError::Conflict { .. })
    ));
    assert!(matches!(
        store.create_key(new_key("nobody", 2)).await,
        Err(StoreError::NotFound { .. })
    ));
    for wrong in [&[][..], &["leads:read,admin"], &[""], &["Admin"]] {
        let key = NewKey {
            permissions: permissions(wrong),
            ..new_key("demo1", 3)
        };
        assert!(
            matches!(store.create_key(key).await, Err(StoreError::Invalid { .. })),
            "{wrong:?}"
        );
    }
}

async fn seeding_twice_leaves_one_key(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = fixture.store.clone();
    let first = store
        .ensure_key(&tenant("demo1"), [7; 32], &permissions(&["admin"]))
        .await
        .unwrap();
    let second = store
        .ensure_key(&tenant("demo1"), [7; 32], &permissions(&["leads:read"]))
        .await
        .unwrap();
    assert_eq!(first, second);
    let stolen = store
        .ensure_key(&tenant("demo2"), [7; 32], &permissions(&["admin"]))
        .await;
    assert!(matches!(stolen, Err(StoreError::Conflict { .. })));
}

async fn the_standing_of_a_key(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    let end = fixture.advance_ms(1000);
    let key = NewKey {
        expires_at: Some(end),
        ..new_key("demo1", 1)
    };
    let key = store.create_key(key).await.unwrap();
    let standing = async |now_ms: i64| {
        let (key, tenant) = store.key_by_hash(&[1; 32]).await.unwrap().unwrap();
        key.standing(&tenant, Timestamp::from_millis(now_ms))
    };
    assert_eq!(standing(START_MS + 999).await, KeyStanding::Good);
    assert_eq!(standing(START_MS + 1000).await, KeyStanding::Expired);
    assert!(
        store
            .set_tenant_suspended(&tenant("demo1"), true)
            .await
            .unwrap()
            .suspended
    );
    assert_eq!(standing(START_MS).await, KeyStanding::TenantSuspended);
    let revoked = store.revoke_key(key.id).await.unwrap();
    assert_eq!(revoked.revoked_at, Some(end));
    assert_eq!(standing(START_MS).await, KeyStanding::Revoked);
    fixture.advance_ms(1000);
    assert_eq!(
        store.revoke_key(key.id).await.unwrap(),
        revoked,
        "the first time stands"
    );
    assert!(matches!(
        store.revoke_key(KeyId::generate()).await,
        Err(StoreError::NotFound { .. })
    ));
    assert!(matches!(
        store.set_tenant_suspended(&tenant("nobody"), true).await,
        Err(StoreError::NotFound { .. })
    ));
}

async fn uses_are_noted(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let key = fixture.store.create_key(new_key("demo1", 1)).await.unwrap();
    let later = fixture.advance_ms(5000);
    let uses = [
        (key.id, later),
        (key.id, key.created_at),
        (KeyId::generate(), later),
    ];
    fixture.store.mark_keys_used(&uses).await.unwrap();
    let (key, _) = fixture.store.key(key.id).await.unwrap().unwrap();
    assert_eq!(key.last_used_at, Some(later));
}

const HOUR_MS: i64 = 60 * 60 * 1000;
const HOUR: Duration = Duration::from_hours(1);

async fn a_rotated_key_ends_and_another_goes_on(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    let end = Timestamp::from_millis(START_MS + 5 * HOUR_MS);
    let first = store
        .create_key(NewKey {
            expires_at: Some(end),
            ..new_key("demo1", 1)
        })
        .await
        .unwrap();
    store
        .mark_keys_used(&[(first.id, Timestamp::from_millis(START_MS))])
        .await
        .unwrap();
    let now = fixture.advance_ms(HOUR_MS);

    let rotated = store.rotate_key(first.id, [2; 32], HOUR).await.unwrap();
    let second = &rotated.new;
    assert_eq!(store.key(second.id).await.unwrap().unwrap().0, *second);
    assert_eq!(store.key(first.id).await.unwrap().unwrap().0, rotated.old);
    assert_eq!(
        (&second.tenant, &second.permissions, second.hash),
        (&first.tenant, &first.permissions, [2; 32])
    );
    assert_eq!(
        (
            second.created_at,
            second.expires_at,
            second.revoked_at,
            second.last_used_at
        ),
        (now, Some(end), None, None)
    );
    let grace_end = Timestamp::from_millis(START_MS + 2 * HOUR_MS);
    assert_eq!(
        (rotated.old.expires_at, rotated.old.revoked_at),
        (Some(grace_end), None)
    );

    // A long grace lets nothing live longer than it would have.
    let rotated = store.rotate_key(second.id, [3; 32], 100 * HOUR).await.unwrap();
    assert_eq!(
        (rotated.old.expires_at, rotated.new.expires_at),
        (Some(end), Some(end))
    );
    let rotated = store
        .rotate_key(rotated.new.id, [4; 32], Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(
        (rotated.old.revoked_at, rotated.old.expires_at),
        (Some(now), Some(end))
    );

    let endless = store.create_key(new_key("demo1", 5)).await.unwrap();
    let rotated = store.rotate_key(endless.id, [6; 32], HOUR).await.unwrap();
    assert_eq!(
        (rotated.old.expires_at, rotated.new.expires_at),
        (Some(grace_end), None)
    );
    assert_eq!(store.list_keys(&tenant("demo1")).await.unwrap().len(), 6);
}

async fn keys_that_cannot_be_rotated(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    let nobody = store.rotate_key(KeyId::generate(), [9; 32], HOUR).await;
    assert!(
        matches!(nobody, Err(StoreError::NotFound { what: "key" })),
        "{nobody:?}"
    );
    let key = store.create_key(new_key("demo1", 1)).await.unwrap();
    let other = store.create_key(new_key("demo2", 2)).await.unwrap();
    let taken = store.rotate_key(key.id, [2; 32], HOUR).await;
    assert!(
        matches!(
            taken,
            Err(StoreError::Conflict {
                what: "key exists already"
            })
        ),
        "{taken:?}"
    );
    assert_eq!(
        store.key(key.id).await.unwrap().unwrap().0,
        key,
        "nothing has changed"
    );

    store.rotate_key(key.id, [3; 32], HOUR).await.unwrap();
    fixture.advance_ms(HOUR_MS);
    let expired = store.rotate_key(key.id, [4; 32], HOUR).await;
    assert!(
        matches!(
            expired,
            Err(StoreError::Conflict {
                what: "key has expired"
            })
        ),
        "{expired:?}"
    );
    store.revoke_key(other.id).await.unwrap();
    let revoked = store.rotate_key(other.id, [4; 32], HOUR).await;
    assert!(
        matches!(
            revoked,
            Err(StoreError::Conflict {
                what: "key is revoked"
            })
        ),
        "{revoked:?}"
    );
    assert_eq!(store.list_keys(&tenant("demo2")).await.unwrap().len(), 1);
}

/// More than one statement asks about, and a number that is no power of two.
async fn many_keys_are_asked_about_at_once(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    let now = Timestamp::from_millis(START_MS);
    assert!(store.refused_keys(&[], now).await.unwrap().is_empty());
    let mut keys = Vec::new();
    for (tenant_id, first) in [("demo1", 0), ("demo2", 600)] {
        for number in first..first + 600_u16 {
            let mut hash = [0; 32];
            hash[..2].copy_from_slice(&number.to_be_bytes());
            let expires_at = (number == 7).then(|| Timestamp::from_millis(START_MS + 1));
            let new = NewKey {
                hash,
                expires_at,
                ..new_key(tenant_id, 0)
            };
            keys.push(store.create_key(new).await.unwrap().id);
        }
    }
    let refused = async |now_ms: i64| {
        let refused = store
            .refused_keys(&keys, Timestamp::from_millis(now_ms))
            .await
            .unwrap();
        let places = (0..keys.len()).filter(|place| refused.contains(&keys[*place]));
        places.collect::<Vec<_>>()
    };
    assert_eq!(refused(START_MS).await, [0_usize; 0]);
    assert_eq!(refused(START_MS + 1).await, [7]);
    store.revoke_key(keys[1199]).await.unwrap();
    assert_eq!(refused(START_MS).await, [1199]);
    store.set_tenant_suspended(&tenant("demo1"), true).await.unwrap();
    assert_eq!(
        refused(START_MS).await,
        (0..600).chain([1199]).collect::<Vec<_>>()
    );
    store.set_tenant_suspended(&tenant("demo1"), false).await.unwrap();
    assert_eq!(refused(START_MS).await, [1199]);
    let nobody = KeyId::generate();
    assert_eq!(
        store
            .refused_keys(&[keys[0], nobody, keys[1199]], now)
            .await
            .unwrap(),
        [nobody, keys[1199]].into()
    );
    store.close().await;
    assert!(matches!(
        store.refused_keys(&keys, now).await,
        Err(StoreError::Unavailable(_))
    ));
}
