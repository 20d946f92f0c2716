//! Compliance checks on an in-memory store: the order of what is heard, and jobs that nobody can carry out.

use axum::http::StatusCode;
use serde_json::{Value, json, value::to_raw_value};
use tidings_store::{Actor, JobId, JobKind, JobPriority, NewJob, TenantId};

use crate::fixture::{Client, Gateway, add_key, gateway};

const REPORTS: &str = "/compliance/reports";

async fn execute(client: &mut Client, request: &Value) {
    let message = json!(["execute_voice_command", request]);
    client.send(&format!("42/events,{message}")).await;
}

/// Everything up to the end of a check, each as its type, and what the end says.
async fn until_completed(client: &mut Client) -> (Vec<String>, Value) {
    let mut heard = Vec::new();
    loop {
        let (name, data) = client.event().await;
        let kind = data["type"].as_str().unwrap_or(&name).to_owned();
        heard.push(kind);
        if data["type"] == "SYNC_COMPLETED" {
            return (heard, data["data"].clone());
        }
    }
}

async fn report(gateway: &Gateway, key: &str, id: &Value) -> Value {
    let path = format!("{REPORTS}/{}", id.as_str().unwrap());
    let answer = gateway.request("GET", &path, &[("x-tenant-key", key)], "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

#[tokio::test]
async fn the_end_is_heard_behind_the_answer_on_every_entry() {
    let gateway = gateway().await;
    let order = [
        "VOICE_PROCESSING_STARTED",
        "SYNC_STARTED",
        "VOICE_COMMAND_EXECUTED",
        "VOICE_PROCESSING_COMPLETED",
        "voice_command_response",
        "SYNC_COMPLETED",
    ];
    let mut socket = gateway.socket("admin-1").await;
    for _ in 0..20 {
        execute(&mut socket, &json!({"command": "compliance_check"})).await;
        let (heard, _) = until_completed(&mut socket).await;
        assert_eq!(heard, order);
    }
    let mut plain = gateway.plain("admin-1").await;
    let request = json!({"event": "execute_voice_command", "data": {"command": "compliance_check", "parameters": {"check_type": "all"}}});
    plain.send(&request.to_string()).await;
    let (heard, completed) = until_completed(&mut plain).await;
    assert_eq!(heard, order);
    let result = &completed["result"];
    assert_eq!(
        report(&gateway, "admin-1", &result["id"]).await["result"],
        *result
    );
}

/// A job past the command, with what nobody asked for.
async fn request(gateway: &Gateway, kind: JobKind, parameters: Value) -> JobId {
    let new = NewJob {
        tenant: TenantId::new("t1").unwrap(),
        kind,
        priority: JobPriority::Normal,
        parameters: to_raw_value(&parameters).unwrap(),
        actor: Actor::system(),
    };
    let attach = |_: &_| tidings_store::Attached::default();
    gateway.store.request_job(new, attach).await.unwrap().value.id
}

#[tokio::test]
async fn what_nobody_can_read_fails_and_is_told() {
    let gateway = gateway().await;
    let mut socket = gateway.socket("admin-1").await;
    let id = request(&gateway, JobKind::ComplianceCheck, json!({"type": "hipaa"})).await;
    let (_, event) = socket.event().await;
    let failure = json!({
        "service": "tidings",
        "error": "the job could not be done: what is to be checked cannot be read",
        "retryable": false
    });
    let mut told = failure.clone();
    told["operation"] = json!("compliance_check");
    assert_eq!(
        (&event["type"], &event["data"]),
        (&json!("EXTERNAL_SERVICE_ERROR"), &told)
    );
    let shown = report(&gateway, "admin-1", &json!(id)).await;
    assert_eq!((&shown["status"], &shown["result"]), (&json!("failed"), &failure));
}

#[tokio::test]
async fn a_report_is_its_tenants_and_a_backup_is_no_report() {
    let gateway = gateway().await;
    add_key(&gateway.store, "t1", "compliance-1", "compliance:run").await;
    let mut socket = gateway.socket("admin-1").await;
    execute(&mut socket, &json!({"command": "compliance_check"})).await;
    let (_, completed) = until_completed(&mut socket).await;
    let id = &completed["result"]["id"];
    assert_eq!(report(&gateway, "compliance-1", id).await["status"], "completed");
    let backup = json!(request(&gateway, JobKind::Restore, json!({})).await);
    for (key, id) in [
        ("admin-2", id),
        ("admin-1", &backup),
        ("admin-1", &json!(JobId::generate())),
    ] {
        let path = format!("{REPORTS}/{}", id.as_str().unwrap());
        let answer = gateway.request("GET", &path, &[("x-tenant-key", key)], "").await;
        answer.is(StatusCode::NOT_FOUND, "not_found");
    }
    let path = format!("{REPORTS}/{}", id.as_str().unwrap());
    let answer = gateway
        .request("GET", &path, &[("x-tenant-key", "metrics-1")], "")
        .await;
    answer.is(StatusCode::FORBIDDEN, "forbidden");
}
