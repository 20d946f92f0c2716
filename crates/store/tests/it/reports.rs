use tidings_store::{
    Execution, ExecutionId, ExecutionOutcome, ExecutionReport, ExecutionStatus, NewExecution, NewWorkflow,
    NodeId, NodeOutcome, NodeReport, NodeStatus, OwnerId, Store, StoreError, WorkflowId,
};

use crate::fixture::{Backend, Fixture};

on_each_backend! {
    an_execution_from_pending_to_completed,
    progress_is_given_or_computed_and_never_falls,
    illegal_transitions_change_nothing,
    nodes_move_the_execution,
    what_is_said_about_a_node,
    late_node_reports_do_not_reopen_what_has_ended,
    a_total_that_becomes_known_later,
    concurrent_reports_with_repeats_count_each_node_once,
}

fn id() -> ExecutionId {
    ExecutionId::new("e1").unwrap()
}

fn node(id: &str) -> NodeId {
    NodeId::new(id).unwrap()
}

async fn put(store: &Store, total_nodes: Option<u32>) -> bool {
    let workflow_id = WorkflowId::new("w1").unwrap();
    let owner_id = OwnerId::new("ann").unwrap();
    let workflow = NewWorkflow {
        id: workflow_id.clone(),
        owner_id,
        name: None,
        data: None,
    };
    store.put_workflow(workflow).await.unwrap();
    let execution = NewExecution {
        id: id(),
        workflow_id,
        owner_id: None,
        total_nodes,
    };
    store.put_execution(execution).await.unwrap().news.is_some()
}

async fn report(store: &Store, report: ExecutionReport) -> ExecutionOutcome {
    let outcome = store.report_execution_status(&id(), report).await.unwrap();
    let stored = store.execution(&id()).await.unwrap().unwrap();
    assert_eq!(*outcome.execution(), stored, "what is returned is what is stored");
    outcome
}

async fn report_node(store: &Store, node_id: &str, status: NodeStatus) -> NodeOutcome {
    store
        .report_node_status(&id(), &node(node_id), NodeReport::new(status))
        .await
        .unwrap()
}

fn changed(outcome: ExecutionOutcome) -> (Execution, bool) {
    match outcome {
        ExecutionOutcome::Changed { execution, ended, .. } => (execution, ended.is_some()),
        ExecutionOutcome::Unchanged(execution) => panic!("unchanged: {execution:?}"),
    }
}

/// Progress and completed nodes, if the report changed the execution.
fn progress(outcome: NodeOutcome) -> Option<(f64, u32)> {
    match outcome {
        NodeOutcome::Changed { execution, .. } => {
            execution.map(|(execution, _)| (execution.progress_percentage, execution.completed_nodes))
        }
        NodeOutcome::Unchanged(node) => panic!("unchanged: {node:?}"),
    }
}

async fn an_execution_from_pending_to_completed(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    put(store, Some(7)).await;
    let running = ExecutionReport {
        progress_percentage: Some(45.5),
        completed_nodes: Some(3),
        current_node: Some("node-3".to_owned()),
        ..ExecutionReport::new(ExecutionStatus::Running)
    };
    fixture.advance_ms(10);
    let (execution, ended) = changed(report(store, running.clone()).await);
    assert!(!ended);
    let expected = r#"{"id":"e1","workflow_id":"w1","owner_id":"ann","status":"running","#.to_owned()
        + r#""progress_percentage":45.5,"completed_nodes":3,"total_nodes":7,"current_node":"node-3","#
        + r#""message":null,"created_at":"2026-02-07T12:00:00.000Z","updated_at":"2026-02-07T12:00:00.010Z"}"#;
    assert_eq!(serde_json::to_string(&execution).unwrap(), expected);
    assert!(
        matches!(report(store, running).await, ExecutionOutcome::Unchanged(_)),
        "a repeat"
    );
    let done = ExecutionReport {
        message: Some("all well".to_owned()),
        ..ExecutionReport::new(ExecutionStatus::Completed)
    };
    let (execution, ended) = changed(report(store, done.clone()).await);
    assert!(ended);
    assert!((execution.progress_percentage - 100.0).abs() < f64::EPSILON);
    assert_eq!(execution.message.as_deref(), Some("all well"));
    let repeat = ExecutionReport {
        progress_percentage: Some(1.0),
        message: None,
        ..done
    };
    assert!(
        matches!(report(store, repeat).await, ExecutionOutcome::Unchanged(_)),
        "a late repeat"
    );
}

async fn progress_is_given_or_computed_and_never_falls(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = fixture.store.clone();
    put(&store, None).await;
    let running = ExecutionReport::new(ExecutionStatus::Running);
    let (execution, _) = changed(report(&store, running.clone()).await);
    assert_eq!((execution.progress_percentage, execution.total_nodes), (0.0, 0));
    let steps = [
        (
            ExecutionReport {
                total_nodes: Some(8),
                completed_nodes: Some(2),
                ..running.clone()
            },
            Some(25.0),
        ),
        (
            ExecutionReport {
                progress_percentage: Some(60.0),
                ..running.clone()
            },
            Some(60.0),
        ),
        (
            ExecutionReport {
                progress_percentage: Some(30.0),
                ..running.clone()
            },
            None,
        ),
        (
            ExecutionReport {
                completed_nodes: Some(1),
                ..running.clone()
            },
            None,
        ),
        // Computed it would be 37.5, but 60 was told.
        (
            ExecutionReport {
                completed_nodes: Some(3),
                ..running.clone()
            },
            Some(60.0),
        ),
        (
            ExecutionReport {
                completed_nodes: Some(6),
                ..running.clone()
            },
            Some(75.0),
        ),
        (
            ExecutionReport {
                completed_nodes: Some(900),
                ..running.clone()
            },
            Some(100.0),
        ),
    ];
    for (step, expected) in steps {
        let progress = match report(&store, step.clone()).await {
            ExecutionOutcome::Changed { execution, .. } => Some(execution.progress_percentage),
            ExecutionOutcome::Unchanged(_) => None,
        };
        assert_eq!(progress, expected, "{step:?}");
    }
    for wrong in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
        let wrong = ExecutionReport {
            progress_percentage: Some(wrong),
            ..running.clone()
        };
        let refusal = store.report_execution_status(&id(), wrong).await;
        assert!(matches!(refusal, Err(StoreError::Invalid { .. })), "{refusal:?}");
    }
}

async fn illegal_transitions_change_nothing(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = fixture.store.clone();
    put(&store, Some(2)).await;
    let refused = async |status| match store
        .report_execution_status(&id(), ExecutionReport::new(status))
        .await
    {
        Err(StoreError::IllegalTransition { from, to }) => (from, to),
        other => panic!("{other:?}"),
    };
    // Skipping ahead is legal.
    let (before, ended) = changed(report(&store, ExecutionReport::new(ExecutionStatus::Failed)).await);
    assert!(ended && before.progress_percentage == 0.0);
    assert_eq!(refused(ExecutionStatus::Running).await, ("failed", "running"));
    assert_eq!(refused(ExecutionStatus::Completed).await, ("failed", "completed"));
    assert_eq!(store.execution(&id()).await.unwrap(), Some(before));
    report_node(&store, "n1", NodeStatus::Completed).await;
    let backwards = store
        .report_node_status(&id(), &node("n1"), NodeReport::new(NodeStatus::Running))
        .await;
    assert!(matches!(
        backwards,
        Err(StoreError::IllegalTransition {
            from: "completed",
            to: "running"
        })
    ));
    assert_eq!(
        store.nodes(&id(), None, 10).await.unwrap()[0].status,
        NodeStatus::Completed
    );
    let nobody = ExecutionId::new("nobody").unwrap();
    let unknown = store
        .report_execution_status(&nobody, ExecutionReport::new(ExecutionStatus::Running))
        .await;
    assert!(matches!(unknown, Err(StoreError::NotFound { what: "execution" })));
    let unknown = store
        .report_node_status(&nobody, &node("n1"), NodeReport::new(NodeStatus::Running))
        .await;
    assert!(matches!(unknown, Err(StoreError::NotFound { what: "execution" })));
}

async fn nodes_move_the_execution(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = fixture.store.clone();
    put(&store, Some(4)).await;
    report(&store, ExecutionReport::new(ExecutionStatus::Running)).await;
    assert_eq!(
        progress(report_node(&store, "n1", NodeStatus::Pending).await),
        None
    );
    // The current node changes, the numbers do not.
    assert_eq!(
        progress(report_node(&store, "n1", NodeStatus::Running).await),
        Some((0.0, 0))
    );
    assert_eq!(
        progress(report_node(&store, "n1", NodeStatus::Completed).await),
        Some((25.0, 1))
    );
    // A skipped node counts as done with, not as completed.
    assert_eq!(
        progress(report_node(&store, "n2", NodeStatus::Skipped).await),
        Some((50.0, 1))
    );
    assert_eq!(
        progress(report_node(&store, "n3", NodeStatus::Failed).await),
        None
    );
    let repeat = report_node(&store, "n1", NodeStatus::Completed).await;
    assert!(matches!(repeat, NodeOutcome::Unchanged(_)));
    assert_eq!(
        progress(report_node(&store, "n4", NodeStatus::Completed).await),
        Some((75.0, 2))
    );
    let execution = store.execution(&id()).await.unwrap().unwrap();
    let shown = (execution.current_node.as_deref(), execution.status);
    assert_eq!(shown, (Some("n1"), ExecutionStatus::Running));
    let ids = store.nodes(&id(), Some(&node("n1")), 2).await.unwrap();
    assert_eq!(
        ids.iter().map(|node| node.node_id.as_str()).collect::<Vec<_>>(),
        ["n2", "n3"]
    );
}

async fn what_is_said_about_a_node(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = fixture.store.clone();
    put(&store, Some(4)).await;
    let first = report_node(&store, "n1", NodeStatus::Running)
        .await
        .node()
        .clone();
    assert_eq!(first.node_name, "n1");
    assert_eq!(first.node_execution_id.len(), 36);
    let named = NodeReport {
        node_name: Some("Support Agent".to_owned()),
        message: Some("Processing".to_owned()),
        ..NodeReport::new(NodeStatus::Running)
    };
    let outcome = store
        .report_node_status(&id(), &node("n1"), named.clone())
        .await
        .unwrap();
    let NodeOutcome::Changed {
        node: second,
        execution: None,
        ..
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(second.node_execution_id, first.node_execution_id);
    assert_eq!(
        (second.node_name.as_str(), second.message.as_deref()),
        ("Support Agent", Some("Processing"))
    );
    let repeat = store.report_node_status(&id(), &node("n1"), named).await.unwrap();
    assert!(matches!(repeat, NodeOutcome::Unchanged(_)));
    let last = report_node(&store, "n1", NodeStatus::Completed)
        .await
        .node()
        .clone();
    assert_eq!((last.node_name.as_str(), last.message), ("Support Agent", None));
    assert_eq!(
        store.nodes(&id(), None, 10).await.unwrap(),
        [report_node(&store, "n1", NodeStatus::Completed)
            .await
            .node()
            .clone()]
    );
    let long = NodeReport {
        message: Some("x".repeat(16 * 1024 + 1)),
        ..NodeReport::new(NodeStatus::Running)
    };
    let refusal = store.report_node_status(&id(), &node("n2"), long).await;
    assert!(matches!(refusal, Err(StoreError::Invalid { .. })));
}

async fn late_node_reports_do_not_reopen_what_has_ended(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = fixture.store.clone();
    put(&store, Some(2)).await;
    report(&store, ExecutionReport::new(ExecutionStatus::Completed)).await;
    assert_eq!(
        progress(report_node(&store, "n1", NodeStatus::Running).await),
        None
    );
    assert_eq!(
        progress(report_node(&store, "n1", NodeStatus::Completed).await),
        Some((100.0, 1))
    );
    let execution = store.execution(&id()).await.unwrap().unwrap();
    assert_eq!(
        (execution.status, execution.current_node),
        (ExecutionStatus::Completed, None)
    );
}

async fn a_total_that_becomes_known_later(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = fixture.store.clone();
    put(&store, None).await;
    assert_eq!(
        progress(report_node(&store, "n1", NodeStatus::Completed).await),
        Some((0.0, 1))
    );
    assert!(put(&store, Some(4)).await, "progress becomes known");
    assert!(!put(&store, None).await, "and stays known");
    let execution = store.execution(&id()).await.unwrap().unwrap();
    assert_eq!((execution.progress_percentage, execution.total_nodes), (25.0, 4));
}

async fn concurrent_reports_with_repeats_count_each_node_once(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = fixture.store.clone();
    put(&store, Some(20)).await;
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut ended = 0;
                for step in 0..20 {
                    let node_id = node(&format!("n{}", (step * 7 + task * 3) % 20));
                    for status in [NodeStatus::Running, NodeStatus::Completed] {
                        match store
                            .report_node_status(&id(), &node_id, NodeReport::new(status))
                            .await
                        {
                            Ok(NodeOutcome::Changed { node, .. }) => {
                                ended += u32::from(node.status == NodeStatus::Completed);
                            }
                            Ok(NodeOutcome::Unchanged(_)) | Err(StoreError::IllegalTransition { .. }) => {}
                            Err(error) => panic!("{error:?}"),
                        }
                    }
                }
                ended
            })
        })
        .collect();
    let mut ended = 0;
    for task in tasks {
        ended += task.await.unwrap();
    }
    let execution = store.execution(&id()).await.unwrap().unwrap();
    assert_eq!((ended, execution.completed_nodes), (20, 20));
    assert!((execution.progress_percentage - 100.0).abs() < f64::EPSILON);
}
