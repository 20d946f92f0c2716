use serde_json::value::RawValue;
use tidings_store::{
    ExecutionId, ExecutionOutcome, ExecutionReport, ExecutionStatus, NewExecution, NewWorkflow, NodeId,
    NodeReport, NodeStatus, OwnerId, Store, StoreError, WorkflowId,
};
use tidings_wire::time::Timestamp;

use crate::fixture::{Backend, Fixture, START_MS};

on_each_backend! {
    workflows_are_put_and_replaced,
    executions_belong_to_their_workflows_owner_unless_they_have_their_own,
    whose_rooms_to_empty,
    deleting_a_workflow_takes_its_executions_along,
    what_a_user_owns_among_many,
    executions_that_ended_long_ago,
    news_wait_with_their_change_until_they_are_removed,
}

fn owner(id: &str) -> OwnerId {
    OwnerId::new(id).unwrap()
}

fn workflow_id(id: &str) -> WorkflowId {
    WorkflowId::new(id).unwrap()
}

fn execution_id(id: &str) -> ExecutionId {
    ExecutionId::new(id).unwrap()
}

fn workflow(id: &str, owner_id: &str) -> NewWorkflow {
    NewWorkflow {
        id: workflow_id(id),
        owner_id: owner(owner_id),
        name: None,
        data: None,
    }
}

fn execution(id: &str, workflow: &str, owner_id: Option<&str>) -> NewExecution {
    NewExecution {
        id: execution_id(id),
        workflow_id: workflow_id(workflow),
        owner_id: owner_id.map(owner),
        total_nodes: None,
    }
}

async fn owner_of(store: &Store, id: &str) -> Option<String> {
    let owner = store.owner_of_execution(&execution_id(id)).await.unwrap();
    owner.map(|owner| owner.as_str().to_owned())
}

async fn workflows_are_put_and_replaced(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    let data = RawValue::from_string(r#"{"b":1.0,"a":2}"#.to_owned()).unwrap();
    let new = NewWorkflow {
        name: Some("First".to_owned()),
        data: Some(data),
        ..workflow("w1", "ann")
    };
    let first = store.put_workflow(new).await.unwrap();
    assert!(first.created && first.previous_owner.is_none());
    let stored = store.workflow(&workflow_id("w1")).await.unwrap().unwrap();
    let expected = r#"{"id":"w1","owner_id":"ann","name":"First","data":{"b":1.0,"a":2},"#.to_owned()
        + r#""created_at":"2026-02-07T12:00:00.000Z","updated_at":"2026-02-07T12:00:00.000Z"}"#;
    assert_eq!(serde_json::to_string(&stored).unwrap(), expected);

    let later = fixture.advance_ms(5);
    let again = store.put_workflow(workflow("w1", "ann")).await.unwrap();
    assert!(!again.created && again.previous_owner.is_none());
    assert_eq!(
        (again.workflow.created_at, again.workflow.updated_at),
        (stored.created_at, later)
    );
    assert!(again.workflow.name.is_none() && again.workflow.data.is_none());

    let moved = store.put_workflow(workflow("w1", "bob")).await.unwrap();
    assert_eq!(moved.previous_owner, Some(owner("ann")));
    assert_eq!(
        store.owner_of_workflow(&workflow_id("w1")).await.unwrap(),
        Some(owner("bob"))
    );
    assert_eq!(store.owner_of_workflow(&workflow_id("w2")).await.unwrap(), None);
    let long = NewWorkflow {
        name: Some("x".repeat(1025)),
        ..workflow("w2", "ann")
    };
    assert!(matches!(
        store.put_workflow(long).await,
        Err(StoreError::Invalid { .. })
    ));
}

async fn executions_belong_to_their_workflows_owner_unless_they_have_their_own(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = fixture.store.clone();
    let refused = store.put_execution(execution("e1", "w1", None)).await;
    assert!(
        matches!(refused, Err(StoreError::NotFound { what: "workflow" })),
        "{refused:?}"
    );
    store.put_workflow(workflow("w1", "ann")).await.unwrap();
    store.put_workflow(workflow("w2", "ann")).await.unwrap();
    assert!(
        store
            .put_execution(execution("e1", "w1", None))
            .await
            .unwrap()
            .created
    );
    assert!(
        store
            .put_execution(execution("e2", "w1", Some("eve")))
            .await
            .unwrap()
            .created
    );
    assert_eq!(owner_of(&store, "e1").await.as_deref(), Some("ann"));
    assert_eq!(owner_of(&store, "e2").await.as_deref(), Some("eve"));
    assert_eq!(owner_of(&store, "e3").await, None);

    store.put_workflow(workflow("w1", "bob")).await.unwrap();
    assert_eq!(owner_of(&store, "e1").await.as_deref(), Some("bob"));
    assert_eq!(owner_of(&store, "e2").await.as_deref(), Some("eve"));

    let same = store.put_execution(execution("e2", "w1", None)).await.unwrap();
    assert!(!same.created && same.news.is_none() && same.previous_owner.is_none());
    assert_eq!(same.execution.owner_id, owner("eve"), "as before");
    let moved = store
        .put_execution(execution("e2", "w1", Some("dan")))
        .await
        .unwrap();
    assert_eq!(moved.previous_owner, Some(owner("eve")));
    assert_eq!(moved.execution.owner_id, owner("dan"));
    assert_eq!(
        store.execution(&execution_id("e2")).await.unwrap(),
        Some(moved.execution)
    );
    store.put_execution(execution("e1", "w1", None)).await.unwrap();
    store.put_workflow(workflow("w1", "ann")).await.unwrap();
    assert_eq!(
        owner_of(&store, "e1").await.as_deref(),
        Some("ann"),
        "still the workflow's"
    );
    let other = store.put_execution(execution("e2", "w2", None)).await;
    assert!(matches!(other, Err(StoreError::Conflict { .. })), "{other:?}");
}

async fn whose_rooms_to_empty(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = fixture.store.clone();
    for (id, owner_id) in [("w1", "ann"), ("w2", "ann")] {
        store.put_workflow(workflow(id, owner_id)).await.unwrap();
    }
    for (id, workflow, owner_id) in [
        ("e1", "w1", None),
        ("e2", "w1", Some("bob")),
        ("e3", "w1", Some("eve")),
        ("e4", "w1", Some("bob")),
        ("e5", "w2", Some("dan")),
    ] {
        store
            .put_execution(execution(id, workflow, owner_id))
            .await
            .unwrap();
    }
    let mut owners = store.own_owners_of_executions(&workflow_id("w1")).await.unwrap();
    owners.sort();
    assert_eq!(owners, ["bob", "eve"].map(owner));
    assert_eq!(
        store.own_owners_of_executions(&workflow_id("w3")).await.unwrap(),
        []
    );
}

async fn deleting_a_workflow_takes_its_executions_along(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = fixture.store.clone();
    store.put_workflow(workflow("w1", "ann")).await.unwrap();
    store
        .put_execution(execution("e1", "w1", Some("eve")))
        .await
        .unwrap();
    let deleted = store.delete_workflow(&workflow_id("w1")).await.unwrap();
    assert_eq!(deleted.unwrap().workflow.owner_id, owner("ann"));
    assert_eq!(owner_of(&store, "e1").await, None);
    assert!(store.delete_workflow(&workflow_id("w1")).await.unwrap().is_none());
}

async fn what_a_user_owns_among_many(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = fixture.store.clone();
    store.put_workflow(workflow("w1", "ann")).await.unwrap();
    store.put_workflow(workflow("w2", "bob")).await.unwrap();
    store.put_execution(execution("e1", "w1", None)).await.unwrap();
    store
        .put_execution(execution("e2", "w1", Some("bob")))
        .await
        .unwrap();
    store
        .put_execution(execution("e3", "w2", Some("ann")))
        .await
        .unwrap();
    // More than are asked for in one statement.
    let mut executions: Vec<ExecutionId> = (0..2500).map(|n| execution_id(&format!("x{n}"))).collect();
    executions.extend(["e1", "e2", "e3"].map(execution_id));
    let mut owned = store.owned_executions(&owner("ann"), &executions).await.unwrap();
    owned.sort();
    assert_eq!(owned, ["e1", "e3"].map(execution_id));
    let workflows = ["w1", "w2", "w3"].map(workflow_id);
    assert_eq!(
        store.owned_workflows(&owner("bob"), &workflows).await.unwrap(),
        [workflow_id("w2")]
    );
    assert!(
        store
            .owned_workflows(&owner("bob"), &[])
            .await
            .unwrap()
            .is_empty()
    );
}

async fn executions_that_ended_long_ago(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    store.put_workflow(workflow("w1", "ann")).await.unwrap();
    for (id, owner_id, status) in [
        ("old", None, ExecutionStatus::Completed),
        ("eves", Some("eve"), ExecutionStatus::Failed),
        ("goes-on", None, ExecutionStatus::Running),
    ] {
        store.put_execution(execution(id, "w1", owner_id)).await.unwrap();
        let node = NodeReport::new(NodeStatus::Running);
        let node_id = NodeId::new("n1").unwrap();
        store
            .report_node_status(&execution_id(id), &node_id, node)
            .await
            .unwrap();
        let report = ExecutionReport::new(status);
        store
            .report_execution_status(&execution_id(id), report)
            .await
            .unwrap();
    }
    fixture.advance_ms(1_000);
    store.put_execution(execution("new", "w1", None)).await.unwrap();
    let report = ExecutionReport::new(ExecutionStatus::Cancelled);
    store
        .report_execution_status(&execution_id("new"), report)
        .await
        .unwrap();
    let before = |offset_ms: i64| Timestamp::from_millis(START_MS + offset_ms);
    assert_eq!(store.ended_executions(before(0)).await.unwrap(), []);
    let mut found = store.ended_executions(before(1_000)).await.unwrap();
    found.sort();
    let expected = ["eves", "old"].map(|id| (execution_id(id), workflow_id("w1")));
    assert_eq!(found, expected);
    for (id, expected) in [
        ("old", Some("ann")),
        ("old", None),
        ("eves", Some("eve")),
        ("goes-on", None),
        ("new", None),
    ] {
        let deleted = store
            .delete_ended_execution(&execution_id(id), before(1_000))
            .await;
        assert_eq!(deleted.unwrap(), expected.map(owner), "{id}");
    }
    for (id, is_there) in [("old", false), ("eves", false), ("goes-on", true), ("new", true)] {
        let found = store.execution(&execution_id(id)).await.unwrap();
        assert_eq!(found.is_some(), is_there, "{id}");
        let node = store
            .node(&execution_id(id), &NodeId::new("n1").unwrap())
            .await
            .unwrap();
        assert_eq!(node.is_some(), id == "goes-on", "{id}");
    }
}

async fn news_wait_with_their_change_until_they_are_removed(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    let put = store.put_workflow(workflow("w1", "ann")).await.unwrap();
    store.put_execution(execution("e1", "w1", None)).await.unwrap();
    let running = ExecutionReport::new(ExecutionStatus::Running);
    let report = store
        .report_execution_status(&execution_id("e1"), running.clone())
        .await
        .unwrap();
    let ExecutionOutcome::Changed {
        news, ended: None, ..
    } = report
    else {
        panic!("{report:?}")
    };
    let again = store
        .report_execution_status(&execution_id("e1"), running)
        .await
        .unwrap();
    assert!(matches!(again, ExecutionOutcome::Unchanged(_)));
    let deleted = store.delete_workflow(&workflow_id("w1")).await.unwrap().unwrap();
    assert!(
        store.claim_news(10).await.unwrap().is_empty(),
        "whoever stored them has them in hand"
    );
    fixture.advance_ms(10_000);
    assert!(
        store.claim_outbox(10).await.unwrap().is_empty(),
        "they are no tenant's"
    );
    let claimed = store.claim_news(10).await.unwrap();
    let numbers: Vec<_> = claimed.iter().map(|stored| stored.number).collect();
    assert_eq!(numbers, [put.news, news, deleted.news]);
    let told: Vec<_> = claimed
        .iter()
        .map(|stored| serde_json::to_string(&stored.news).unwrap())
        .collect();
    let expected = [
        r#"{"workflow":{"id":"w1","change":"created"}}"#,
        r#"{"execution":{"id":"e1"}}"#,
        r#"{"workflow_deleted":{"id":"w1","name":null,"data":null}}"#,
    ];
    assert_eq!(told, expected);
    store.remove_from_outbox(&numbers).await.unwrap();
    fixture.advance_ms(100_000);
    assert!(store.claim_news(10).await.unwrap().is_empty());
}
