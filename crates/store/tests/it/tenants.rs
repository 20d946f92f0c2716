use tidings_store::{KeyId, KeyStanding, NewKey, NewTenant, StoreError};

use crate::fixture::{Backend, Fixture, START_MS, tenant};

on_each_backend! {
    tenants_are_created_once,
    keys_are_found_by_hash,
    keys_that_cannot_be_stored,
    seeding_twice_leaves_one_key,
    the_standing_of_a_key,
    uses_are_noted,
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
        key.standing(&tenant, tidings_wire::time::Timestamp::from_millis(now_ms))
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
