use axum::http::HeaderValue;
use tidings_access::Permission;
use tidings_store::{NewKey, NewTenant};
use tidings_wire::time::Timestamp;

use super::*;

type Headers = &'static [(&'static str, &'static str)];

async fn store() -> Store {
    let store = Store::open("sqlite::memory:").await.unwrap();
    for (tenant, slug, key, permission) in [
        ("t1", "one", "key-1", "leads:read"),
        ("t1", "one", "key-1b", "admin"),
        ("t2", "two", "key-2", "leads:read"),
    ] {
        let tenant = TenantId::new(tenant).unwrap();
        if store.tenant(&tenant).await.unwrap().is_none() {
            let slug = Some(TenantId::new(slug).unwrap());
            store
                .create_tenant(NewTenant {
                    id: tenant.clone(),
                    slug,
                    name: String::new(),
                })
                .await
                .unwrap();
        }
        store
            .create_key(new_key(&tenant, key, permission, None))
            .await
            .unwrap();
    }
    store
}

fn new_key(tenant: &TenantId, key: &str, permission: &str, expires_at: Option<Timestamp>) -> NewKey {
    let hash = *TenantKey::parse(key).unwrap().hash().as_bytes();
    NewKey {
        tenant: tenant.clone(),
        hash,
        permissions: vec![permission.to_owned()],
        expires_at,
    }
}

async fn try_keys(
    store: &Store,
    headers: &[(&'static str, &'static str)],
    auth: Option<&str>,
) -> Result<Principal, KeyRefusal> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_static(value));
    }
    let auth = auth.map(|auth| serde_json::from_str::<&RawValue>(auth).unwrap());
    authenticate(store, &Clock::system(), &OfferedKeys::of(&map, auth)).await
}

#[tokio::test]
async fn where_keys_may_stand() {
    let store = store().await;
    let good: [(Headers, Option<&str>); 8] = [
        (&[("x-tenant-key", "key-1")], None),
        (&[("x-api-key", "key-1")], None),
        (&[], Some(r#"{"tenantKey":"key-1"}"#)),
        (&[], Some(r#"{"x-tenant-key":"key-1","other":1}"#)),
        (&[("x-tenant-key", "key-1")], Some(r#"{"tenantKey":"key-1"}"#)),
        (&[("x-tenant-key", "key-1")], Some(r#"{"tenantKey":"key-1b"}"#)),
        (&[("x-tenant-key", "key-1"), ("x-api-key", "unknown")], None),
        (&[("x-tenant-key", "")], Some(r#"{"tenantKey":"key-1"}"#)),
    ];
    for (headers, auth) in good {
        let principal = try_keys(&store, headers, auth).await.unwrap();
        assert_eq!(
            (principal.tenant.as_str(), principal.slug.as_str()),
            ("t1", "one"),
            "{headers:?} {auth:?}"
        );
        assert!(principal.permissions.contains(Permission::LeadsRead));
        assert!(
            !principal.permissions.contains(Permission::LeadsWrite),
            "the first key counts"
        );
    }
    let bad: [(Headers, Option<&str>, KeyRefusal); 8] = [
        (&[], None, KeyRefusal::MissingApiKey),
        (&[("x-tenant-key", "")], Some("{}"), KeyRefusal::MissingApiKey),
        (&[("x-tenant-key", "unknown")], None, KeyRefusal::InvalidApiKey),
        (
            &[("x-tenant-key", "unknown")],
            Some(r#"{"tenantKey":"key-1"}"#),
            KeyRefusal::InvalidApiKey,
        ),
        (
            &[("x-tenant-key", "key-1"), ("x-api-key", "key-2")],
            None,
            KeyRefusal::InvalidApiKey,
        ),
        (
            &[("x-tenant-key", "key-1")],
            Some(r#"{"tenantKey":"key-2"}"#),
            KeyRefusal::InvalidApiKey,
        ),
        (&[], Some(r#"{"tenantKey":17}"#), KeyRefusal::InvalidApiKey),
        (
            &[
                ("x-api-key", "a"),
                ("x-api-key", "b"),
                ("x-api-key", "c"),
                ("x-api-key", "d"),
                ("x-tenant-key", "key-1"),
            ],
            None,
            KeyRefusal::InvalidApiKey,
        ),
    ];
    for (headers, auth, expected) in bad {
        assert_eq!(
            try_keys(&store, headers, auth).await.unwrap_err(),
            expected,
            "{headers:?} {auth:?}"
        );
    }
}

#[tokio::test]
async fn keys_that_were_good_once() {
    let store = store().await;
    let tenant = TenantId::new("t1").unwrap();
    store
        .create_key(new_key(&tenant, "old", "admin", Some(Timestamp::from_millis(1))))
        .await
        .unwrap();
    assert_eq!(
        try_keys(&store, &[("x-tenant-key", "old")], None)
            .await
            .unwrap_err(),
        KeyRefusal::ExpiredApiKey
    );

    let principal = try_keys(&store, &[("x-tenant-key", "key-1")], None)
        .await
        .unwrap();
    assert!(
        is_still_good(&store, &Clock::system(), principal.key)
            .await
            .unwrap()
    );
    store.revoke_key(principal.key).await.unwrap();
    assert!(
        !is_still_good(&store, &Clock::system(), principal.key)
            .await
            .unwrap()
    );
    assert_eq!(
        try_keys(&store, &[("x-tenant-key", "key-1")], None)
            .await
            .unwrap_err(),
        KeyRefusal::RevokedApiKey
    );

    store.set_tenant_suspended(&tenant, true).await.unwrap();
    assert_eq!(
        try_keys(&store, &[("x-tenant-key", "key-1b")], None)
            .await
            .unwrap_err(),
        KeyRefusal::SuspendedTenant
    );
}

#[test]
fn codes_and_messages() {
    let refusal = KeyRefusal::MissingApiKey;
    assert_eq!(serde_json::to_string(&refusal).unwrap(), "\"missing_api_key\"");
    assert!(refusal.message().starts_with("authentication failed: "));
}
