//! Reports and the events that follow from them.

use serde_json::{Value, json};
use tidings_store::ExecutionId;

use super::fixture::Fixture;

fn shapes(messages: &[Value]) -> Vec<String> {
    let shape = |message: &Value| {
        let text = |key: &str| message[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("type"), text("event"))
    };
    messages.iter().map(shape).collect()
}

#[tokio::test]
async fn an_execution_from_pending_to_completed() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let mut client = fixture.client("ann").await;
    client.subscribe("execution:e").await;
    let running = r#"{"status":"running","progress_percentage":55.5,"completed_nodes":1,"current_node":"n"}"#;
    let (status, execution) = fixture.backend("POST", "/executions/e/status", running).await;
    assert_eq!(
        (status, &execution["status"], &execution["owner_id"]),
        (200, &json!("running"), &json!("ann"))
    );
    let now = fixture.workflows.0.now();
    assert_eq!(
        client.text().await,
        format!(
            r#"{{"type":"execution_update","event":"status_changed","data":{{"execution_id":"e","status":"running","progress_percentage":55.5,"completed_nodes":1,"total_nodes":2,"current_node":"n"}},"timestamp":"{now}"}}"#
        )
    );
    assert_eq!(
        fixture
            .backend("POST", "/executions/e/status", r#"{"status":"running"}"#)
            .await
            .0,
        200
    );
    assert!(
        client.drain().await.is_empty(),
        "the same status again is not published"
    );
    fixture
        .backend(
            "POST",
            "/executions/e/status",
            r#"{"status":"completed","message":"done"}"#,
        )
        .await;
    let messages = client.drain().await;
    assert_eq!(
        shapes(&messages),
        [
            "execution_update status_changed",
            "notification execution_completed"
        ]
    );
    assert_eq!(messages[0]["data"]["progress_percentage"], 100);
    let end = json!({"execution_id": "e", "workflow_id": "w", "status": "completed", "message": "done"});
    assert_eq!(messages[1]["data"], end);
    let (status, problem) = fixture
        .backend("POST", "/executions/e/status", r#"{"status":"running"}"#)
        .await;
    assert_eq!((status, &problem["code"]), (409, &json!("illegal_transition")));
    assert!(client.drain().await.is_empty());
}

#[tokio::test]
async fn nodes() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let mut client = fixture.client("ann").await;
    client.subscribe("execution:e").await;
    let (status, node) = fixture
        .backend(
            "POST",
            "/executions/e/nodes/n%2F1/status",
            r#"{"status":"completed"}"#,
        )
        .await;
    assert_eq!(
        (status, &node["node_id"], &node["node_name"]),
        (200, &json!("n/1"), &json!("n/1"))
    );
    let messages = client.drain().await;
    assert_eq!(
        shapes(&messages),
        ["node_update status_changed", "execution_update status_changed"]
    );
    assert_eq!(messages[0]["data"]["message"], Value::Null);
    assert_eq!(messages[1]["data"]["progress_percentage"], 50);
    fixture
        .backend(
            "POST",
            "/executions/e/nodes/n%2F1/status",
            r#"{"status":"completed"}"#,
        )
        .await;
    assert!(client.drain().await.is_empty());
    let (status, _) = fixture
        .backend(
            "POST",
            "/executions/e/nodes/n%2F1/status",
            r#"{"status":"running"}"#,
        )
        .await;
    assert_eq!(status, 409);
}

#[tokio::test]
async fn workflow_changes_and_notifications() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let mut client = fixture.client("ann").await;
    client.subscribe("workflow:w").await;
    let body = r#"{"owner_id":"ann","name":"Renamed","data":{"b":1.50,"a":[]}}"#;
    let (status, stored) = fixture.backend("PUT", "/workflows/w", body).await;
    assert_eq!((status, &stored["name"]), (200, &json!("Renamed")));
    let text = client.text().await;
    assert!(
        text.contains(r#""data":{"workflow_id":"w","name":"Renamed","data":{"b":1.50,"a":[]}}"#),
        "{text}"
    );
    assert_eq!(fixture.backend("POST", "/workflows/w/publish", "").await.0, 200);
    assert_eq!(shapes(&client.drain().await), ["workflow_update published"]);
    let (status, answer) = fixture
        .backend(
            "POST",
            "/users/ann/notifications",
            r#"{"event":"hello","data":[1]}"#,
        )
        .await;
    assert_eq!(status, 200);
    assert!(answer["id"].as_str().unwrap().starts_with("evt_"));
    let messages = client.drain().await;
    assert_eq!(shapes(&messages), ["notification hello"]);
    assert_eq!(messages[0]["data"], json!([1]));
}

#[tokio::test]
async fn a_new_total_is_published() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let mut client = fixture.client("ann").await;
    client.subscribe("execution:e").await;
    let put = |total: u32| format!(r#"{{"workflow_id":"w","total_nodes":{total}}}"#);
    assert_eq!(fixture.backend("PUT", "/executions/e", &put(5)).await.0, 200);
    assert_eq!(client.json().await["data"]["total_nodes"], 5);
    assert_eq!(fixture.backend("PUT", "/executions/e", &put(5)).await.0, 200);
    assert!(client.drain().await.is_empty());
}

#[tokio::test]
async fn concurrent_reports_are_published_in_the_order_of_their_commits() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    fixture
        .backend("PUT", "/executions/e", r#"{"workflow_id":"w","total_nodes":40}"#)
        .await;
    let mut client = fixture.client("ann").await;
    client.subscribe("execution:e").await;
    let mut reports = tokio::task::JoinSet::new();
    let (routes, token) = (
        fixture.workflows.routes(),
        fixture.token(tidings_access::ServiceScope::Service),
    );
    for node in 0..40 {
        let request = axum::http::Request::post(format!("/api/v1/executions/e/nodes/{node}/status"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(axum::body::Body::from(r#"{"status":"completed"}"#))
            .unwrap();
        reports.spawn(tower::ServiceExt::oneshot(routes.clone(), request));
    }
    while let Some(answer) = reports.join_next().await {
        assert_eq!(answer.unwrap().unwrap().status(), 200);
    }
    let updates = client.drain().await;
    let completed: Vec<u64> = updates
        .iter()
        .filter_map(|update| update["data"]["completed_nodes"].as_u64())
        .collect();
    assert_eq!(completed, (1..=40).collect::<Vec<_>>());
    let stored = fixture
        .store()
        .execution(&ExecutionId::new("e").unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.completed_nodes, 40);
}
