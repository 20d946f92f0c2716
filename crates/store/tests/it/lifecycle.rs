//! What becomes of a lead: edits, versions, its end, and what the counters and the search make of it.

use tidings_store::{
    Actor, Attached, IdempotentRequest, Lead, LeadChangeKind, LeadCounts, LeadEdit, LeadEdited, LeadFilter,
    LeadId, LeadPayload, LeadSearch, LeadStatus, LeadVersion, LeadWrite, Once, Store, StoreError,
    StoredResponse, TenantId,
};

use crate::fixture::{Backend, Fixture, tenant};

on_each_backend! {
    a_patch_merges_and_is_found_by_its_words,
    a_status_changes_by_the_legal_transitions,
    what_changes_nothing_stays_as_it_is,
    an_edit_of_another_version_is_refused,
    a_deleted_lead_leaves_an_entry_and_nothing_else,
    another_tenants_lead_cannot_be_written,
    a_repeated_edit_happens_once,
    counters_are_exact_whatever_happens_side_by_side,
}

fn patch(json: &str) -> LeadEdit {
    LeadEdit::Payload(LeadPayload::parse(json).unwrap())
}

async fn edit(
    store: &Store,
    tenant: &TenantId,
    id: LeadId,
    edit: &LeadEdit,
) -> Result<LeadEdited, StoreError> {
    edit_expecting(store, tenant, id, edit, None).await
}

async fn edit_expecting(
    store: &Store,
    tenant: &TenantId,
    id: LeadId,
    edit: &LeadEdit,
    expected: Option<&[LeadVersion]>,
) -> Result<LeadEdited, StoreError> {
    let actor = Actor::command();
    let write = LeadWrite {
        tenant,
        id,
        actor: &actor,
        expected,
        once: None,
    };
    match store.edit_lead(write, edit, |_| Attached::default()).await? {
        Once::Fresh(written) => Ok(written.value),
        Once::Repeated(_) => panic!("a request without a key"),
    }
}

async fn delete(store: &Store, tenant: &TenantId, id: LeadId) -> Result<Lead, StoreError> {
    let actor = Actor::command();
    let write = LeadWrite {
        tenant,
        id,
        actor: &actor,
        expected: None,
        once: None,
    };
    match store.delete_lead(write, |_| Attached::default()).await? {
        Once::Fresh(written) => Ok(written.value),
        Once::Repeated(_) => panic!("a request without a key"),
    }
}

async fn found(store: &Store, query: &str) -> u64 {
    let search = LeadSearch {
        query: query.to_owned(),
        ..LeadSearch::default()
    };
    store
        .search_leads(&tenant("demo1"), &search, 10)
        .await
        .unwrap()
        .total
}

async fn a_patch_merges_and_is_found_by_its_words(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let (store, demo) = (&fixture.store, tenant("demo1"));
    let lead = fixture
        .lead(
            "demo1",
            r#"{"name":"Ann Smith","email":"ann@example.com","phone":"1"}"#,
        )
        .await;
    let later = fixture.advance_ms(5);
    let edited = edit(
        store,
        &demo,
        lead.id,
        &patch(r#"{"name":"Ann Jones","phone":null,"age":7}"#),
    )
    .await
    .unwrap();
    assert_eq!(edited.before, lead);
    assert_eq!(
        edited.after.payload.as_raw().get(),
        r#"{"name":"Ann Jones","email":"ann@example.com","age":7}"#
    );
    assert_eq!(
        edited.changes.as_raw().get(),
        r#"{"name":"Ann Jones","phone":null,"age":7}"#
    );
    assert_eq!(
        (edited.after.created_at, edited.after.updated_at),
        (lead.created_at, later)
    );
    assert_eq!(
        (edited.after.version, edited.after.status),
        (LeadVersion(2), LeadStatus::New)
    );
    assert_eq!(store.lead(&demo, lead.id).await.unwrap(), Some(edited.after));
    assert_eq!(
        (
            found(store, "jones").await,
            found(store, "smith").await,
            found(store, "ann").await
        ),
        (1, 0, 1)
    );
    let history = store.lead_history(&demo, lead.id).await.unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|change| (change.kind, change.actor.as_str(), change.detail.get()))
        .collect();
    assert_eq!(
        told,
        [
            (LeadChangeKind::Created, "system", r#"{"source":"voice"}"#),
            (
                LeadChangeKind::Updated,
                "command",
                r#"{"changes":{"name":"Ann Jones","phone":null,"age":7}}"#
            ),
        ]
    );
}

async fn a_status_changes_by_the_legal_transitions(backend: Backend) {
    use LeadStatus::{Contacted, Lost, New, Qualified};
    let fixture = Fixture::new(backend).await;
    let (store, demo) = (&fixture.store, tenant("demo1"));
    let legal = [
        (New, Contacted),
        (New, Qualified),
        (New, Lost),
        (Contacted, Qualified),
        (Contacted, Lost),
        (Qualified, Lost),
        (Lost, New),
    ];
    for from in LeadStatus::ALL {
        for to in LeadStatus::ALL {
            let lead = fixture.lead("demo1", "{}").await;
            if from != New {
                edit(store, &demo, lead.id, &LeadEdit::Status(from))
                    .await
                    .unwrap();
            }
            let result = edit(store, &demo, lead.id, &LeadEdit::Status(to)).await;
            if from == to || legal.contains(&(from, to)) {
                assert_eq!(result.unwrap().after.status, to);
            } else {
                let refused = result.unwrap_err();
                assert!(
                    matches!(refused, StoreError::IllegalTransition { .. }),
                    "{from} to {to}: {refused:?}"
                );
                assert_eq!(store.lead(&demo, lead.id).await.unwrap().unwrap().status, from);
            }
            delete(store, &demo, lead.id).await.unwrap();
        }
    }
    assert_eq!(
        store.lead_counts(&demo, None).await.unwrap(),
        LeadCounts::default()
    );
}

async fn what_changes_nothing_stays_as_it_is(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let (store, demo) = (&fixture.store, tenant("demo1"));
    let lead = fixture.lead("demo1", r#"{"name":"Ann"}"#).await;
    fixture.advance_ms(5);
    for nothing in [
        LeadEdit::Status(LeadStatus::New),
        patch(r#"{"name":"Ann","gone":null}"#),
        patch("{}"),
    ] {
        let edited = edit(store, &demo, lead.id, &nothing).await.unwrap();
        assert!(!edited.is_changed());
        assert_eq!(edited.after, lead);
    }
    assert_eq!(store.lead_history(&demo, lead.id).await.unwrap().len(), 1);
}

async fn an_edit_of_another_version_is_refused(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let (store, demo) = (&fixture.store, tenant("demo1"));
    let lead = fixture.lead("demo1", "{}").await;
    let contacted = LeadEdit::Status(LeadStatus::Contacted);
    let versions = [LeadVersion(7), LeadVersion(1)];
    edit_expecting(store, &demo, lead.id, &contacted, Some(&versions))
        .await
        .unwrap();
    for expected in [&versions[..], &[]] {
        let lost = LeadEdit::Status(LeadStatus::Lost);
        let refused = edit_expecting(store, &demo, lead.id, &lost, Some(expected))
            .await
            .unwrap_err();
        assert!(matches!(refused, StoreError::VersionMismatch), "{refused:?}");
    }
    assert_eq!(
        store.lead(&demo, lead.id).await.unwrap().unwrap().status,
        LeadStatus::Contacted
    );
}

async fn a_deleted_lead_leaves_an_entry_and_nothing_else(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let (store, demo) = (&fixture.store, tenant("demo1"));
    let lead = fixture.lead("demo1", r#"{"name":"Ann"}"#).await;
    edit(store, &demo, lead.id, &patch(r#"{"notes":"private"}"#))
        .await
        .unwrap();
    assert_eq!(delete(store, &demo, lead.id).await.unwrap().id, lead.id);
    assert_eq!(store.lead(&demo, lead.id).await.unwrap(), None);
    assert_eq!((found(store, "ann").await, found(store, "private").await), (0, 0));
    let history = store.lead_history(&demo, lead.id).await.unwrap();
    let kinds: Vec<_> = history
        .iter()
        .map(|change| (change.kind, change.detail.get()))
        .collect();
    assert_eq!(kinds, [(LeadChangeKind::Deleted, "{}")]);
    let again = delete(store, &demo, lead.id).await.unwrap_err();
    assert!(matches!(again, StoreError::NotFound { .. }));
    // A later lead takes the place in the database, and nothing of the former one.
    fixture.lead("demo1", r#"{"name":"Bo"}"#).await;
    assert_eq!((found(store, "ann").await, found(store, "bo").await), (0, 1));
}

async fn another_tenants_lead_cannot_be_written(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    let lead = fixture.lead("demo1", r#"{"name":"Ann"}"#).await;
    let other = tenant("demo2");
    for refused in [
        edit(store, &other, lead.id, &patch(r#"{"name":"Mallory"}"#))
            .await
            .map(drop),
        edit(store, &other, lead.id, &LeadEdit::Status(LeadStatus::Lost))
            .await
            .map(drop),
        delete(store, &other, lead.id).await.map(drop),
    ] {
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    }
    assert!(store.lead_history(&other, lead.id).await.unwrap().is_empty());
    assert_eq!(store.lead(&tenant("demo1"), lead.id).await.unwrap(), Some(lead));
}

async fn a_repeated_edit_happens_once(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let (store, demo) = (&fixture.store, tenant("demo1"));
    let lead = fixture.lead("demo1", "{}").await;
    let request = IdempotentRequest::new("tenant:demo1", "k", [1; 32]).unwrap();
    let actor = Actor::command();
    let write = LeadWrite {
        tenant: &demo,
        id: lead.id,
        actor: &actor,
        expected: None,
        once: Some(&request),
    };
    let answer = StoredResponse {
        status: 200,
        body: b"first".to_vec(),
    };
    let attach = |_: &LeadEdited| Attached {
        event: None,
        response: Some(answer.clone()),
        audit: None,
    };
    let contacted = LeadEdit::Status(LeadStatus::Contacted);
    assert!(matches!(
        store.edit_lead(write, &contacted, attach).await.unwrap(),
        Once::Fresh(_)
    ));
    edit(store, &demo, lead.id, &LeadEdit::Status(LeadStatus::Lost))
        .await
        .unwrap();
    // Once more, though it would be illegal by now.
    match store.edit_lead(write, &contacted, attach).await.unwrap() {
        Once::Repeated(response) => assert_eq!(response, answer),
        Once::Fresh(_) => panic!("it happened twice"),
    }
    assert_eq!(
        store.lead(&demo, lead.id).await.unwrap().unwrap().status,
        LeadStatus::Lost
    );
}

async fn counters_are_exact_whatever_happens_side_by_side(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    let tasks: Vec<_> = (0..40)
        .map(|number: u32| {
            let store = store.clone();
            tokio::spawn(async move {
                let id = tenant(if number.is_multiple_of(4) {
                    "demo2"
                } else {
                    "demo1"
                });
                let new = crate::fixture::new_lead(id.as_str(), r#"{"name":"Ann"}"#);
                let lead = store.create_lead(new).await.unwrap();
                let next =
                    [LeadStatus::Contacted, LeadStatus::Qualified, LeadStatus::Lost][number as usize % 3];
                edit(&store, &id, lead.id, &LeadEdit::Status(next)).await.unwrap();
                if number.is_multiple_of(5) {
                    delete(&store, &id, lead.id).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    for id in ["demo1", "demo2"] {
        let id = tenant(id);
        let page = store
            .list_leads(&id, &LeadFilter::default(), 100, None)
            .await
            .unwrap();
        let mut expected = LeadCounts {
            total: page.leads.len() as u64,
            ..LeadCounts::default()
        };
        for lead in &page.leads {
            match lead.status {
                LeadStatus::New => expected.new += 1,
                LeadStatus::Contacted => expected.contacted += 1,
                LeadStatus::Qualified => expected.qualified += 1,
                LeadStatus::Lost => expected.lost += 1,
            }
        }
        assert_eq!(page.total, expected.total);
        assert_eq!(store.lead_counts(&id, None).await.unwrap(), expected);
        let since = tidings_wire::time::Timestamp::from_millis(crate::fixture::START_MS);
        assert_eq!(store.lead_counts(&id, Some(since)).await.unwrap(), expected);
        let lost = LeadFilter {
            status: Some(LeadStatus::Lost),
            ..LeadFilter::default()
        };
        assert_eq!(
            store.list_leads(&id, &lost, 1, None).await.unwrap().total,
            expected.lost
        );
    }
}
