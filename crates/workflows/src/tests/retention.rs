//! Executions that ended long ago.

use std::time::Duration;

use serde_json::json;

use super::fixture::Fixture;
use crate::WorkflowsLimits;

#[tokio::test]
async fn an_execution_is_forgotten_some_time_after_its_end_and_its_members_are_told() {
    let limits = WorkflowsLimits {
        ended_execution_retention: Some(Duration::from_secs(20)),
        ..WorkflowsLimits::default()
    };
    let fixture = Fixture::with(limits).await;
    fixture.registered("ann").await;
    let body = r#"{"workflow_id":"w"}"#;
    assert_eq!(fixture.backend("PUT", "/executions/goes-on", body).await.0, 201);
    let mut client = fixture.client("ann").await;
    for room in ["execution:e", "execution:goes-on"] {
        assert_eq!(client.subscribe(room).await["event"], "subscribed");
    }
    let report = async |id: &str, status: &str| {
        let body = json!({"status": status}).to_string();
        let target = format!("/executions/{id}/status");
        fixture.backend("POST", &target, &body).await.0
    };
    assert_eq!(report("goes-on", "running").await, 200);
    assert_eq!(report("e", "completed").await, 200);
    let told = client.drain().await;
    assert_eq!(told.len(), 3, "two updates and the end: {told:?}");
    fixture.advance(20);
    fixture.workflows.0.forget_ended().await;
    assert!(client.drain().await.is_empty(), "not before the time is over");
    fixture.advance(1);
    fixture.workflows.0.forget_ended().await;
    let told = client.json().await;
    assert_eq!(
        (&told["event"], &told["room_id"]),
        (&json!("unsubscribed"), &json!("execution:e"))
    );
    assert_eq!(fixture.workflows.executions_forgotten(), 1);
    assert_eq!(report("e", "completed").await, 404);
    assert_eq!(report("goes-on", "completed").await, 200);
}
