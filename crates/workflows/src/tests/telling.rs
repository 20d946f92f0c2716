//! News that were not told at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tidings_bus::{BoxFuture, Bus, BusError};
use tidings_hub::Event;
use tidings_store::{
    ExecutionId, ExecutionReport, ExecutionStatus, NodeId, NodeReport, NodeStatus, WorkflowId,
};

use super::fixture::Fixture;
use crate::WorkflowsLimits;

/// A bus that can be cut off.
struct Gate {
    bus: Arc<dyn Bus>,
    is_shut: Arc<AtomicBool>,
    /// The data of what came meanwhile.
    refused: Arc<Mutex<Vec<String>>>,
}

impl Bus for Gate {
    fn publish(&self, event: Event) -> BoxFuture<'_, Result<(), BusError>> {
        if self.is_shut.load(Ordering::Relaxed) {
            self.refused.lock().push(event.data.get().to_owned());
            Box::pin(async { Err(BusError::Closed) })
        } else {
            self.bus.publish(event)
        }
    }

    fn health(&self) -> Result<(), BusError> {
        Ok(())
    }
}

fn short(message: &Value) -> String {
    let data = &message["data"];
    match message["type"].as_str().unwrap() {
        "execution_update" => format!("{} {}", data["status"], data["progress_percentage"]),
        "node_update" => format!("{} {}", data["node_id"], data["status"]),
        "notification" => format!("{} {}", message["event"], data),
        _ => message["event"].to_string(),
    }
}

#[tokio::test]
async fn what_the_bus_refuses_is_told_later_as_it_stands_then() {
    let is_shut = Arc::new(AtomicBool::new(false));
    let shut = is_shut.clone();
    let limits = WorkflowsLimits::default();
    let refused = Arc::new(Mutex::new(Vec::new()));
    let kept = refused.clone();
    let gate = |bus| -> Arc<dyn Bus> {
        Arc::new(Gate {
            bus,
            is_shut: shut,
            refused: kept,
        })
    };
    let fixture = Fixture::with_bus(limits, Fixture::rules, gate).await;
    fixture.registered("ann").await;
    let mut client = fixture.client("ann").await;
    client.subscribe("execution:e").await;
    client.subscribe("workflow:w").await;
    let post = async |target: &str, body: Value| {
        let (status, answer) = fixture.backend("POST", target, &body.to_string()).await;
        assert_eq!(status, 200, "{answer}");
        answer
    };
    is_shut.store(true, Ordering::Relaxed);
    post("/executions/e/nodes/a/status", json!({"status": "running"})).await;
    post("/executions/e/nodes/a/status", json!({"status": "completed"})).await;
    post("/executions/e/nodes/b/status", json!({"status": "running"})).await;
    post("/users/ann/notifications", json!({"event": "hello", "data": 1})).await;
    fixture.backend("POST", "/workflows/w/publish", "").await;
    assert!(client.drain().await.is_empty());
    let refused = std::mem::take(&mut *refused.lock());
    // A round may have tried that node again by now, as it stood then.
    let is_first = |data: &String| data.contains(r#""node_id":"a""#);
    assert!(
        !refused.is_empty() && refused.iter().all(is_first),
        "the others wait behind the first: {refused:?}"
    );
    is_shut.store(false, Ordering::Relaxed);
    let mut told = Vec::new();
    for _ in 0..5 {
        told.push(short(&client.json().await));
    }
    // Of the four updates of the execution and the two of the node, each thing's last.
    let expected = [
        r#""a" "completed""#,
        r#""b" "running""#,
        r#""pending" 50"#,
        r#""hello" 1"#,
        r#""published""#,
    ];
    assert_eq!(told, expected);
    post("/executions/e/status", json!({"status": "completed"})).await;
    let told: Vec<_> = client.drain().await.iter().map(short).collect();
    assert_eq!(
        told,
        [
            r#""completed" 100"#.to_owned(),
            format!(
                r#""execution_completed" {}"#,
                json!({"execution_id": "e", "message": null, "status": "completed", "workflow_id": "w"})
            )
        ],
        "nothing came twice, and what comes now is told at once"
    );
    assert_eq!(fixture.workflows.outbox_figures().published_at_once, 3);
}

#[tokio::test]
async fn what_a_server_that_died_had_not_told_is_told_by_the_next() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let mut client = fixture.client("ann").await;
    client.subscribe("execution:e").await;
    let (id, node) = (ExecutionId::new("e").unwrap(), NodeId::new("a").unwrap());
    let report = |status| {
        fixture
            .store()
            .report_node_status(&id, &node, NodeReport::new(status))
    };
    report(NodeStatus::Running).await.unwrap();
    report(NodeStatus::Completed).await.unwrap();
    assert!(client.drain().await.is_empty());
    fixture.advance(10);
    assert_eq!(short(&client.json().await), r#""a" "completed""#);
    assert_eq!(short(&client.json().await), r#""pending" 50"#);
    assert!(client.drain().await.is_empty());
}

#[tokio::test]
async fn late_news_of_what_is_somebody_elses_by_now_are_not_told() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let store = fixture.store();
    let (workflow, execution) = (WorkflowId::new("w").unwrap(), ExecutionId::new("e").unwrap());
    let ended = ExecutionReport::new(ExecutionStatus::Completed);
    store.report_execution_status(&execution, ended).await.unwrap();
    store.delete_workflow(&workflow).await.unwrap();
    fixture.registered("bob").await;
    let mut bob = fixture.client("bob").await;
    bob.subscribe("workflow:w").await;
    bob.subscribe("execution:e").await;
    fixture.advance(10);
    while store.outbox_length().await.unwrap() > 0 {
        tokio::task::yield_now().await;
    }
    let told: Vec<_> = bob.drain().await.iter().map(short).collect();
    assert_eq!(
        told,
        [r#""pending" 0"#],
        "how his execution stands, and nothing else"
    );
}
