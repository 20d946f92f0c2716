//! What a probe of the wall between tenants says when the wall stands, and when it does not.

use tidings_store::{Actor, IsolationProbe, NewKey, Store, StoreOptions};

use crate::fixture::{Backend, Fixture, postgres_url, tenant};

on_each_backend! {
    tenants_are_apart,
    actions_are_found_by_actor_outcome_and_time,
}

async fn with_leads(backend: Backend) -> Fixture {
    let fixture = Fixture::new(backend).await;
    for id in ["aside", "demo1", "demo2"] {
        fixture.store.ensure_tenant(&tenant(id), id).await.unwrap();
        fixture.lead(id, r#"{"name":"Ann"}"#).await;
        let hash = [id.len() as u8 + id.as_bytes()[id.len() - 1]; 32];
        let permissions = vec!["admin".to_owned()];
        let (tenant, expires_at) = (tenant(id), None);
        let key = NewKey {
            tenant,
            hash,
            permissions,
            expires_at,
        };
        fixture.store.create_key(key).await.unwrap();
    }
    fixture
}

async fn tenants_are_apart(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let probe = fixture.store.probe_isolation(&tenant("demo1")).await.unwrap();
    assert_eq!(probe, IsolationProbe::default(), "nobody has anything");
    let fixture = with_leads(backend).await;
    for (id, foreign_leads) in [("aside", 1), ("demo1", 2), ("demo2", 1), ("nobody", 1)] {
        let probe = fixture.store.probe_isolation(&tenant(id)).await.unwrap();
        let expected = IsolationProbe {
            foreign_leads,
            ..IsolationProbe::default()
        };
        assert_eq!(probe, expected, "{id}");
        assert!(probe.is_apart());
    }
}

#[tokio::test]
async fn a_wall_that_was_taken_down_shows() {
    let fixture = with_leads(Backend::Postgres).await;
    let probe = async || fixture.store.probe_isolation(&tenant("demo1")).await.unwrap();
    for (statement, leaks, unwalled) in [
        (
            "ALTER TABLE lead NO FORCE ROW LEVEL SECURITY",
            &["lead"][..],
            &["lead"][..],
        ),
        ("ALTER TABLE lead FORCE ROW LEVEL SECURITY", &[], &[]),
        (
            "ALTER TABLE tenant_key DISABLE ROW LEVEL SECURITY",
            &["tenant_key"],
            &["tenant_key"],
        ),
        ("ALTER TABLE tenant_key ENABLE ROW LEVEL SECURITY", &[], &[]),
        // A policy that lets everybody in is a wall with a door.
        (
            "CREATE POLICY door ON lead_change USING (true)",
            &["lead_change"],
            &[],
        ),
        ("DROP POLICY door ON lead_change", &[], &[]),
        (
            "ALTER TABLE idempotency_key NO FORCE ROW LEVEL SECURITY",
            &[],
            &["idempotency_key"],
        ),
    ] {
        fixture.try_statement(statement).await.unwrap();
        let found = probe().await;
        assert_eq!(
            (
                &found.leaks[..],
                &found.unwalled_tables[..]
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()[..]
            ),
            (leaks, unwalled),
            "{statement}"
        );
        assert_eq!(found.is_apart(), leaks.is_empty() && unwalled.is_empty());
    }
}

#[tokio::test]
async fn a_user_whom_the_wall_does_not_hold_reaches_everything() {
    let fixture = with_leads(Backend::Postgres).await;
    let (_, schema) = fixture.url.split_once('?').unwrap();
    let url = postgres_url().replace("//tidings@", "//postgres@");
    let mut options = StoreOptions::new(&format!("{url}?{schema}"));
    options.connections_max = 2;
    let store = Store::open_with(options).await.unwrap();
    let probe = store.probe_isolation(&tenant("demo1")).await.unwrap();
    assert!(probe.bypasses_row_security && !probe.is_apart());
    assert!(
        ["tenant", "tenant_key", "lead", "lead_total", "lead_change"]
            .iter()
            .all(|table| probe.leaks.contains(table)),
        "{:?}",
        probe.leaks
    );
    // The statements that name the tenant hold all the same.
    assert!(
        !probe.leaks.iter().any(|leak| leak.contains(' ')),
        "{:?}",
        probe.leaks
    );
}

async fn actions_are_found_by_actor_outcome_and_time(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let (store, demo) = (&fixture.store, tenant("demo1"));
    let actions = async |since| {
        let found = store.audited_actions(&demo, "success", since).await.unwrap();
        found
            .into_iter()
            .map(|(actor, action)| format!("{actor} {action}"))
            .collect::<Vec<_>>()
    };
    let start = fixture.advance_ms(0);
    assert_eq!(actions(start).await, [""; 0]);
    let entry = |action, outcome| tidings_store::NewAuditEntry {
        outcome,
        ..crate::audit::entry(action)
    };
    // More than one statement looks at.
    for _ in 0..25 {
        store
            .append_audit(&demo, &vec![entry("get_leads", "success"); 500])
            .await
            .unwrap();
    }
    let later = fixture.advance_ms(10);
    let by_command = tidings_store::NewAuditEntry {
        actor: Actor::command(),
        ..entry("start_backup", "success")
    };
    let new = [
        entry("create_lead", "Access denied"),
        entry("get_metrics", "success"),
        by_command,
    ];
    store.append_audit(&demo, &new).await.unwrap();
    store
        .append_audit(&tenant("demo2"), &[entry("search_leads", "success")])
        .await
        .unwrap();
    assert_eq!(
        actions(start).await,
        ["command start_backup", "system get_leads", "system get_metrics"]
    );
    assert_eq!(
        actions(later).await,
        ["command start_backup", "system get_metrics"]
    );
    assert_eq!(actions(fixture.advance_ms(1)).await, [""; 0]);
}
