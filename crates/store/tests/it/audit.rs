use serde_json::value::RawValue;
use tidings_store::{Actor, Attached, AuditFault, AuditHead, NewAuditEntry, Store};

use crate::fixture::{Backend, Fixture, new_lead, tenant};

on_each_backend! {
    entries_form_a_chain_for_each_tenant,
    an_entry_is_there_with_its_change_or_not_at_all,
    entries_are_neither_changed_nor_removed,
    a_hand_in_the_database_shows,
    many_who_write_side_by_side_leave_one_chain,
}

pub(crate) fn entry(action: &'static str) -> NewAuditEntry {
    NewAuditEntry {
        actor: Actor::system(),
        action,
        outcome: "success",
        detail: RawValue::from_string(r#"{"limit":10}"#.to_owned()).unwrap(),
    }
}

async fn verify(store: &Store, known: &[AuditHead]) -> Result<AuditHead, AuditFault> {
    store.verify_audit(&tenant("demo1"), known).await.unwrap()
}

async fn entries_form_a_chain_for_each_tenant(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let (store, demo) = (&fixture.store, tenant("demo1"));
    assert_eq!(verify(store, &[]).await, Ok(AuditHead::EMPTY));
    store
        .append_audit(&demo, &[entry("get_leads"), entry("search_leads")])
        .await
        .unwrap();
    store
        .append_audit(&tenant("demo2"), &[entry("get_leads")])
        .await
        .unwrap();
    let time = fixture.advance_ms(1);
    store.append_audit(&demo, &[entry("get_metrics")]).await.unwrap();
    let entries = store.list_audit(&demo, 0, 10).await.unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (entry.sequence, entry.action.as_str()))
        .collect();
    assert_eq!(told, [(1, "get_leads"), (2, "search_leads"), (3, "get_metrics")]);
    assert_eq!(
        (entries[2].time, entries[2].detail.get()),
        (time, r#"{"limit":10}"#)
    );
    let head = store.audit_head(&demo).await.unwrap();
    assert_eq!((head.sequence, head.hash), (3, entries[2].hash));
    assert_eq!(verify(store, &[]).await, Ok(head));
    assert_eq!(head.to_string().parse::<AuditHead>().unwrap(), head);
    let page = store.list_audit(&demo, 1, 1).await.unwrap();
    assert_eq!((page.len(), page[0].sequence), (1, 2));
    for wrong in [
        "",
        "3",
        "3:",
        "x:00",
        &format!("-1:{}", "0".repeat(64)),
        &format!("1:{}", "g".repeat(64)),
    ] {
        assert!(wrong.parse::<AuditHead>().is_err(), "{wrong}");
    }
    let long = NewAuditEntry {
        detail: RawValue::from_string(format!("\"{}\"", "x".repeat(10_000))).unwrap(),
        ..entry("long")
    };
    store.append_audit(&demo, &[long]).await.unwrap();
    assert_eq!(
        store.list_audit(&demo, 3, 1).await.unwrap()[0].detail.get(),
        r#"{"bytes":10002}"#
    );
}

async fn an_entry_is_there_with_its_change_or_not_at_all(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let attach = |_: &_| Attached {
        audit: Some(entry("create_lead")),
        ..Attached::default()
    };
    for id in ["demo1", "nobody"] {
        let created = fixture
            .store
            .create_lead_with(new_lead(id, "{}"), &Actor::system(), None, attach)
            .await;
        assert_eq!(created.is_ok(), id == "demo1");
        let entries = fixture.store.list_audit(&tenant(id), 0, 10).await.unwrap();
        assert_eq!(entries.len(), usize::from(id == "demo1"));
    }
}

async fn entries_are_neither_changed_nor_removed(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    fixture
        .store
        .append_audit(&tenant("demo1"), &[entry("get_leads")])
        .await
        .unwrap();
    for sql in ["UPDATE audit_entry SET outcome = 'x'", "DELETE FROM audit_entry"] {
        let refused = fixture.try_statement(sql).await.unwrap_err();
        assert!(refused.contains("audit entries are"), "{refused}");
    }
    assert_eq!(verify(&fixture.store, &[]).await.unwrap().sequence, 1);
}

/// What somebody does who may do everything.
async fn a_hand_in_the_database_shows(backend: Backend) {
    let fault = async |sql: &'static str, expected: &dyn Fn(AuditHead) -> AuditFault| {
        let fixture = Fixture::new(backend).await;
        for _ in 0..5 {
            fixture
                .store
                .append_audit(&tenant("demo1"), &[entry("get_leads")])
                .await
                .unwrap();
        }
        let head = fixture.store.audit_head(&tenant("demo1")).await.unwrap();
        fixture.without_triggers(sql).await;
        assert_eq!(
            verify(&fixture.store, &[head]).await,
            Err(expected(head)),
            "{sql}"
        );
    };
    fault("UPDATE audit_entry SET outcome = 'x' WHERE sequence = 3", &|_| {
        AuditFault::Changed { sequence: 3 }
    })
    .await;
    fault(
        "UPDATE audit_entry SET time = time + 1 WHERE sequence = 5",
        &|_| AuditFault::Changed { sequence: 5 },
    )
    .await;
    fault("DELETE FROM audit_entry WHERE sequence = 2", &|_| {
        AuditFault::Missing { sequence: 2 }
    })
    .await;
    fault("DELETE FROM audit_entry WHERE sequence > 3", &|_| {
        AuditFault::CutOff { found: 3, known: 5 }
    })
    .await;
    // The whole end, and the head with it: only a head that was written down elsewhere tells.
    fault("DELETE FROM audit_entry; DELETE FROM audit_head", &|_| {
        AuditFault::CutOff { found: 0, known: 5 }
    })
    .await;
}

async fn many_who_write_side_by_side_leave_one_chain(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let tasks: Vec<_> = (0..30)
        .map(|_| {
            let store = fixture.store.clone();
            tokio::spawn(async move {
                store
                    .append_audit(&tenant("demo1"), &[entry("a"), entry("b")])
                    .await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(verify(&fixture.store, &[]).await.unwrap().sequence, 60);
}

#[tokio::test]
async fn a_forged_head_is_none_of_the_logs() {
    let fixture = Fixture::new(Backend::Sqlite).await;
    fixture
        .store
        .append_audit(&tenant("demo1"), &[entry("a")])
        .await
        .unwrap();
    let forged = AuditHead {
        sequence: 1,
        hash: [7; 32],
    };
    assert_eq!(
        verify(&fixture.store, &[forged]).await,
        Err(AuditFault::OtherHead { sequence: 1 })
    );
    fixture
        .try_statement("UPDATE audit_head SET sequence = 9")
        .await
        .unwrap();
    assert_eq!(
        verify(&fixture.store, &[]).await,
        Err(AuditFault::CutOff { found: 1, known: 9 })
    );
}
