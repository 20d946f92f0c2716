//! Two stores on one file, as the running server and a command beside it.

use tidings_store::{NewKey, Store, StoreOptions};

use crate::fixture::{Backend, Fixture, new_lead, tenant};

on_each_backend! {
    each_sees_the_others_keys_at_once,
    both_write_without_losing_anything,
    many_may_open_a_new_database_at_once,
    a_write_that_is_given_up_happens_wholly_or_not_at_all,
}

async fn each_sees_the_others_keys_at_once(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let server = &fixture.store;
    let command = fixture.open_again().await.unwrap();
    // The server has read before, so that nothing is seen only because it is new.
    assert!(server.key_by_hash(&[1; 32]).await.unwrap().is_none());
    let permissions = vec!["admin".to_owned()];
    let new = NewKey {
        tenant: tenant("demo1"),
        hash: [1; 32],
        permissions,
        expires_at: None,
    };
    let key = command.create_key(new.clone()).await.unwrap();
    assert_eq!(server.key_by_hash(&[1; 32]).await.unwrap().unwrap().0, key);
    command.revoke_key(key.id).await.unwrap();
    assert!(
        server
            .key_by_hash(&[1; 32])
            .await
            .unwrap()
            .unwrap()
            .0
            .revoked_at
            .is_some()
    );
    let second = server.create_key(NewKey { hash: [2; 32], ..new }).await.unwrap();
    assert_eq!(command.list_keys(&tenant("demo1")).await.unwrap().len(), 2);
    assert_eq!(command.key_by_hash(&[2; 32]).await.unwrap().unwrap().0, second);
}

async fn both_write_without_losing_anything(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let command = fixture.open_again().await.unwrap();
    let tasks: Vec<_> = [fixture.store.clone(), command]
        .into_iter()
        .flat_map(|store| [store.clone(), store])
        .map(|store| {
            tokio::spawn(async move {
                for _ in 0..25 {
                    store.create_lead(new_lead("demo1", "{}")).await.unwrap();
                    store.bump(&tenant("demo1"), "leads", 1).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(
        fixture
            .store
            .lead_counts(&tenant("demo1"), None)
            .await
            .unwrap()
            .total,
        100
    );
    assert_eq!(
        fixture.store.metric_counts(&tenant("demo1"), None).await.unwrap()["leads"],
        100
    );
}

async fn many_may_open_a_new_database_at_once(backend: Backend) {
    let fixture = Fixture::empty(backend).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let mut options = StoreOptions::new(&fixture.url);
            options.migrate = true;
            tokio::spawn(async move {
                let store = Store::open_with(options).await.unwrap();
                store.ensure_tenant(&tenant("demo1"), "Demo").await.unwrap()
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().id, tenant("demo1"));
    }
}

async fn a_write_that_is_given_up_happens_wholly_or_not_at_all(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    let mut completed = 0;
    // Each attempt is dropped at another of its awaits, as when a client goes away.
    for polls in 0..60 {
        let mut create = Box::pin(store.create_lead(new_lead("demo1", r#"{"name":"Half"}"#)));
        for _ in 0..polls {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            if let std::task::Poll::Ready(created) = create.as_mut().poll(&mut context) {
                created.unwrap();
                completed += 1;
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    // Writes queue up. A commit that was under way when its caller left is done once this one is.
    fixture.lead("demo1", r#"{"name":"Whole"}"#).await;
    let total = store.lead_counts(&tenant("demo1"), None).await.unwrap().total;
    let search = tidings_store::LeadSearch {
        query: "half".to_owned(),
        ..Default::default()
    };
    let found = store
        .search_leads(&tenant("demo1"), &search, 100)
        .await
        .unwrap()
        .total;
    assert_eq!(found + 1, total, "lead and index entry come and go together");
    assert!(
        (completed..=60).contains(&found),
        "{completed} completed, {found} found"
    );
    // Nothing of an abandoned transaction is left to come or to go.
    fixture.lead("demo1", r#"{"name":"Whole"}"#).await;
    assert_eq!(
        store.lead_counts(&tenant("demo1"), None).await.unwrap().total,
        total + 1
    );
}
