//! `start_backup`: the answer at once, the backup behind it.

use std::path::Path;

use serde_json::{Value, json};
use tidings_store::{JobId, JobKind, JobStatus, TenantId};

use super::fixture::{Client, Gateway, add_key, gateway};

async fn start(client: &mut Client, parameters: &Value) -> (Vec<Value>, Value) {
    let request = json!({"command": "start_backup", "parameters": parameters});
    client
        .send(&format!(r#"42/events,["execute_voice_command",{request}]"#))
        .await;
    let mut heard = Vec::new();
    loop {
        let (name, data) = client.event().await;
        if name == "voice_command_response" {
            return (heard, data);
        }
        heard.push(data);
    }
}

/// The next event of this type; what comes before it is of other jobs.
async fn until(client: &mut Client, kind: &str) -> Value {
    loop {
        let (_, event) = client.event().await;
        if event["type"] == kind {
            return event;
        }
    }
}

/// What a backup came to. It may have been quicker than the answer.
async fn completion(client: &mut Client, heard: &[Value]) -> Value {
    match heard.iter().find(|event| event["type"] == "SYNC_COMPLETED") {
        Some(event) => event.clone(),
        None => until(client, "SYNC_COMPLETED").await,
    }
}

fn id(response: &Value) -> JobId {
    response["data"]["backup"]["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

async fn job(gateway: &Gateway, id: JobId) -> tidings_store::Job {
    let tenant = TenantId::new("t1").unwrap();
    gateway.store.job(&tenant, id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_backup_follows_its_answer() {
    let gateway = gateway().await;
    let mut caller = gateway.socket("admin-1").await;
    let body = r#"{"name":"Ann","email":"ann@example.com"}"#;
    gateway
        .request("POST", "/leads", &[("x-tenant-key", "admin-1")], body)
        .await;
    until(&mut caller, "LEAD_CREATED").await;
    let (heard, response) = start(&mut caller, &json!({"priority": "high"})).await;
    let kinds: Vec<_> = heard
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    let in_order = [
        "VOICE_PROCESSING_STARTED",
        "SYNC_STARTED",
        "VOICE_COMMAND_EXECUTED",
    ];
    let voice: Vec<_> = kinds
        .iter()
        .filter(|kind| in_order.contains(kind))
        .copied()
        .collect();
    assert_eq!(voice, in_order);
    let id = id(&response);
    let backup = &response["data"]["backup"];
    assert_eq!(
        response["data"],
        json!({
            "backup": {"id": id.to_string(), "type": "full", "priority": "high", "status": "started", "timestamp": backup["timestamp"]},
            "message": "Backup started"
        })
    );
    let started = &heard[1];
    assert_eq!(
        (&started["data"], &started["source"]),
        (
            &json!({"operation": "backup", "result": {"id": id.to_string(), "type": "full", "priority": "high"}}),
            &json!("voice")
        )
    );
    let executed = heard
        .iter()
        .find(|event| event["type"] == "VOICE_COMMAND_EXECUTED")
        .unwrap();
    assert_eq!(executed["data"]["response"], response["data"]);

    let completed = completion(&mut caller, &heard).await;
    let tenant = TenantId::new("t1").unwrap();
    let manifest = gateway.backups.manifest(&tenant, id).await.unwrap();
    assert_eq!(
        completed["data"],
        json!({
            "operation": "backup",
            "result": {
                "id": id.to_string(), "type": "full", "base": null, "size": manifest.data.bytes, "rows": manifest.rows.total(),
                "leads": 1, "sha256": manifest.data.sha256, "auditHead": manifest.point.audit_head.to_string(),
            },
            "duration": completed["data"]["duration"],
        })
    );
    assert_eq!(completed["source"], "system");
    assert_eq!(job(&gateway, id).await.status, JobStatus::Completed);
    let audit = gateway.store.list_audit(&tenant, 0, 100).await.unwrap();
    let of_it: Vec<_> = audit
        .iter()
        .filter(|entry| entry.detail.get().contains(&id.to_string()))
        .map(|entry| (entry.action.as_str(), entry.outcome.as_str()))
        .collect();
    assert_eq!(of_it, [("start_backup", "success"), ("backup", "success")]);
}

#[tokio::test]
async fn an_incremental_backup_stands_upon_the_last_one() {
    let gateway = gateway().await;
    let mut caller = gateway.socket("admin-1").await;
    let mut ids = Vec::new();
    // Two behind a full one are allowed.
    for _ in 0..4 {
        let (heard, response) = start(&mut caller, &json!({"backup_type": "incremental"})).await;
        completion(&mut caller, &heard).await;
        ids.push(id(&response));
    }
    let (manifests, damaged) = gateway.backups.list(&TenantId::new("t1").unwrap()).await.unwrap();
    assert!(damaged.is_empty());
    let told: Vec<_> = manifests
        .iter()
        .map(|manifest| (manifest.id, manifest.base.as_ref().map(|base| base.id)))
        .collect();
    assert_eq!(
        told,
        [
            (ids[0], None),
            (ids[1], Some(ids[0])),
            (ids[2], Some(ids[1])),
            (ids[3], None)
        ]
    );
}

#[tokio::test]
async fn a_target_that_fails_is_told() {
    let gateway = gateway().await;
    let mut caller = gateway.socket("admin-1").await;
    // A file stands where the tenant's folder has to be.
    let directory = gateway.backups.to_string();
    std::fs::write(Path::new(&directory).join("t1"), "").unwrap();
    let (heard, response) = start(&mut caller, &json!({})).await;
    assert_eq!(response["success"], true);
    let event = match heard
        .iter()
        .find(|event| event["type"] == "EXTERNAL_SERVICE_ERROR")
    {
        Some(event) => event.clone(),
        None => until(&mut caller, "EXTERNAL_SERVICE_ERROR").await,
    };
    assert_eq!(
        event["data"],
        json!({"operation": "backup", "service": "backup_target", "error": "the backup target failed", "retryable": true})
    );
    let job = job(&gateway, id(&response)).await;
    assert_eq!(job.status, JobStatus::Failed);
    assert!(job.result.unwrap().get().contains("backup_target"));
}

#[tokio::test]
async fn a_database_that_is_away_is_told_to_every_tenant() {
    let gateway = gateway().await;
    let (mut one, mut two) = (gateway.socket("admin-1").await, gateway.plain("admin-2").await);
    gateway.store.close().await;
    for (client, tenant) in [(&mut one, "t1"), (&mut two, "t2")] {
        let event = until(client, "EXTERNAL_SERVICE_ERROR").await;
        assert_eq!(
            (&event["tenantId"], &event["data"]),
            (
                &json!(tenant),
                &json!({"operation": "store", "service": "database", "error": "the database does not answer", "retryable": true})
            )
        );
    }
}

#[tokio::test]
async fn only_who_may_and_not_too_many() {
    let gateway = gateway().await;
    add_key(&gateway.store, "t1", "backup-1", "backup:run").await;
    let mut limited = gateway.socket("metrics-1").await;
    assert_eq!(start(&mut limited, &json!({})).await.1["error"], "Access denied");
    let mut allowed = gateway.socket("backup-1").await;
    assert_eq!(start(&mut allowed, &json!({})).await.1["success"], true);
    // Jobs that nobody comes to.
    let tenant = TenantId::new("t2").unwrap();
    for _ in 0..tidings_store::JOBS_UNFINISHED_MAX {
        let new = tidings_store::NewJob {
            tenant: tenant.clone(),
            kind: JobKind::Backup,
            priority: tidings_store::JobPriority::Low,
            parameters: serde_json::value::to_raw_value(&json!({})).unwrap(),
            actor: tidings_store::Actor::system(),
        };
        gateway
            .store
            .begin_job(new, |_| tidings_store::Attached::default())
            .await
            .unwrap();
    }
    let mut other = gateway.socket("admin-2").await;
    let (heard, response) = start(&mut other, &json!({})).await;
    assert_eq!(response["error"], "Rate limited");
    let kinds: Vec<_> = heard.iter().map(|event| event["type"].clone()).collect();
    assert_eq!(kinds, ["VOICE_PROCESSING_STARTED", "VOICE_PROCESSING_COMPLETED"]);
}
