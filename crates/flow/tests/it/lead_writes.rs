//! Changing and deleting leads over HTTP.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::fixture::{Client, Gateway, gateway};

const KEY: (&str, &str) = ("x-tenant-key", "admin-1");

async fn lead(gateway: &Gateway, watcher: &mut Client) -> Value {
    let body = r#"{"name":"Ann","email":"ann@example.com","phone":"+45 12345678"}"#;
    let answer = gateway.request("POST", "/leads", &[KEY], body).await;
    assert_eq!(answer.status, 201);
    assert!(answer.head.contains("etag: \"1\""), "{}", answer.head);
    assert_eq!(watcher.event().await.1["type"], "LEAD_CREATED");
    answer.json()
}

fn path(lead: &Value, more: &str) -> String {
    format!("/leads/{}{more}", lead["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_patch_merges_and_tells_what_changed() {
    let gateway = gateway().await;
    let mut watcher = gateway.plain("admin-1").await;
    let before = lead(&gateway, &mut watcher).await;
    let body = r#"{"payload":{"phone":null,"company":"Acme","name":"Ann"}}"#;
    let answer = gateway.request("PATCH", &path(&before, ""), &[KEY], body).await;
    assert_eq!(
        (answer.status, answer.head.contains("etag: \"2\"")),
        (200, true),
        "{}",
        answer.body
    );
    let after = answer.json();
    let payload = json!({"name": "Ann", "email": "ann@example.com", "company": "Acme"});
    assert_eq!(
        (&after["payload"], &after["createdAt"]),
        (&payload, &before["createdAt"])
    );
    let (name, event) = watcher.event().await;
    assert_eq!(
        (name.as_str(), &event["type"], &event["leadId"], &event["source"]),
        (
            "lead_event",
            &json!("LEAD_UPDATED"),
            &before["id"],
            &json!("http")
        )
    );
    assert_eq!(
        event["data"],
        json!({"status": "NEW", "source": "http", "payload": payload, "changes": {"phone": null, "company": "Acme"}})
    );
    // The same once more changes nothing and tells nobody.
    let again = gateway.request("PATCH", &path(&before, ""), &[KEY], body).await;
    assert_eq!((again.status, again.json()), (200, after));
    gateway.request("DELETE", &path(&before, ""), &[KEY], "").await;
    assert_eq!(watcher.event().await.1["type"], "LEAD_DELETED");
}

#[tokio::test]
async fn a_status_goes_its_legal_ways() {
    let gateway = gateway().await;
    let mut watcher = gateway.plain("admin-1").await;
    let lead = lead(&gateway, &mut watcher).await;
    let change = async |status: &str| {
        let body = json!({"status": status}).to_string();
        gateway
            .request("PATCH", &path(&lead, "/status"), &[KEY], &body)
            .await
    };
    let answer = change("contacted").await;
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (200, &json!("CONTACTED"))
    );
    let event = watcher.event().await.1;
    assert_eq!(
        (&event["type"], &event["data"]),
        (
            &json!("LEAD_STATUS_CHANGED"),
            &json!({"from": "NEW", "to": "CONTACTED", "status": "CONTACTED", "source": "http"})
        )
    );
    assert_eq!(change("CONTACTED").await.status, 200);
    change("NEW").await.is(StatusCode::CONFLICT, "illegal_transition");
    assert_eq!(change("LOST").await.status, 200);
    assert_eq!(
        watcher.event().await.1["data"]["to"],
        "LOST",
        "nothing was told in between"
    );
    let history = gateway
        .request("GET", &path(&lead, "/history"), &[KEY], "")
        .await
        .json();
    let kinds: Vec<_> = history["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["kind"])
        .collect();
    assert_eq!(kinds, ["created", "status_changed", "status_changed"]);
    assert_eq!(
        history["data"][1]["detail"],
        json!({"from": "NEW", "to": "CONTACTED"})
    );
}

#[tokio::test]
async fn a_deleted_lead_is_gone() {
    let gateway = gateway().await;
    let mut watcher = gateway.plain("admin-1").await;
    let lead = lead(&gateway, &mut watcher).await;
    let answer = gateway.request("DELETE", &path(&lead, ""), &[KEY], "").await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    let event = watcher.event().await.1;
    assert_eq!(
        (&event["type"], &event["leadId"], &event["data"]),
        (&json!("LEAD_DELETED"), &lead["id"], &json!({}))
    );
    for (method, body) in [("GET", ""), ("DELETE", ""), ("PATCH", r#"{"payload":{}}"#)] {
        gateway
            .request(method, &path(&lead, ""), &[KEY], body)
            .await
            .is(StatusCode::NOT_FOUND, "not_found");
    }
}

#[tokio::test]
async fn conditions() {
    let gateway = gateway().await;
    let mut watcher = gateway.plain("admin-1").await;
    let lead = lead(&gateway, &mut watcher).await;
    let patch = async |tag: &str| {
        let body = json!({"payload": {"note": tag}}).to_string();
        gateway
            .request("PATCH", &path(&lead, ""), &[KEY, ("if-match", tag)], &body)
            .await
    };
    assert_eq!(patch("\"1\"").await.status, 200);
    patch("\"1\"")
        .await
        .is(StatusCode::PRECONDITION_FAILED, "precondition_failed");
    assert_eq!(patch("\"1\", \"2\"").await.status, 200);
    assert_eq!(patch("*").await.status, 200);
    patch("nonsense")
        .await
        .is(StatusCode::BAD_REQUEST, "invalid_parameter");
    let stale = [KEY, ("if-match", "\"1\"")];
    gateway
        .request("DELETE", &path(&lead, ""), &stale, "")
        .await
        .is(StatusCode::PRECONDITION_FAILED, "precondition_failed");
    let known = gateway
        .request("GET", &path(&lead, ""), &[KEY, ("if-none-match", "\"4\"")], "")
        .await;
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    let unknown = gateway
        .request("GET", &path(&lead, ""), &[KEY, ("if-none-match", "\"3\"")], "")
        .await;
    assert_eq!(unknown.status, 200);
}

#[tokio::test]
async fn a_repeated_write_happens_once_and_tells_once() {
    let gateway = gateway().await;
    let mut watcher = gateway.plain("admin-1").await;
    let lead = lead(&gateway, &mut watcher).await;
    let headers = [KEY, ("idempotency-key", "k1")];
    let status = r#"{"status":"CONTACTED"}"#;
    let first = gateway
        .request("PATCH", &path(&lead, "/status"), &headers, status)
        .await;
    let second = gateway
        .request("PATCH", &path(&lead, "/status"), &headers, status)
        .await;
    assert_eq!(
        (first.status, second.status, first.json()),
        (200, 200, second.json())
    );
    assert!(second.head.contains("idempotency-replayed: true"));
    let headers = [KEY, ("idempotency-key", "k2")];
    for replayed in [false, true] {
        let answer = gateway.request("DELETE", &path(&lead, ""), &headers, "").await;
        assert_eq!(
            (answer.status, answer.head.contains("idempotency-replayed")),
            (204, replayed)
        );
    }
    // A key stands for one request.
    gateway
        .request("DELETE", &path(&lead, "0"), &headers, "")
        .await
        .is(StatusCode::NOT_FOUND, "not_found");
    gateway
        .request("PATCH", &path(&lead, ""), &headers, r#"{"payload":{}}"#)
        .await
        .is(StatusCode::CONFLICT, "conflict");
    let types = [watcher.event().await.1, watcher.event().await.1].map(|event| event["type"].clone());
    assert_eq!(types, ["LEAD_STATUS_CHANGED", "LEAD_DELETED"]);
}

#[tokio::test]
async fn refusals() {
    let gateway = gateway().await;
    let mut watcher = gateway.plain("admin-1").await;
    let lead = lead(&gateway, &mut watcher).await;
    let foreign = [("x-tenant-key", "admin-2")];
    let limited = [("x-tenant-key", "metrics-1")];
    for (method, more, body) in [
        ("PATCH", "", r#"{"payload":{"name":"Mallory"}}"#),
        ("PATCH", "/status", r#"{"status":"LOST"}"#),
        ("DELETE", "", ""),
    ] {
        let path = path(&lead, more);
        gateway
            .request(method, &path, &foreign, body)
            .await
            .is(StatusCode::NOT_FOUND, "not_found");
        gateway
            .request(method, &path, &limited, body)
            .await
            .is(StatusCode::FORBIDDEN, "forbidden");
        gateway
            .request(method, &path, &[], body)
            .await
            .is(StatusCode::UNAUTHORIZED, "missing_api_key");
    }
    gateway
        .request("GET", &path(&lead, "/history"), &foreign, "")
        .await
        .is(StatusCode::NOT_FOUND, "not_found");
    for (more, body) in [
        ("", "{}"),
        ("", "[]"),
        ("", r#"{"payload":[]}"#),
        ("", r#"{"payload":{"email":"nobody"}}"#),
        ("", r#"{"payload":{"phone":7}}"#),
        ("/status", "{}"),
        ("/status", r#"{"status":"WON"}"#),
        ("/status", r#"{"status":null}"#),
    ] {
        let answer = gateway.request("PATCH", &path(&lead, more), &[KEY], body).await;
        answer.is(StatusCode::BAD_REQUEST, "invalid_body");
    }
    let unchanged = gateway.request("GET", &path(&lead, ""), &[KEY], "").await.json();
    assert_eq!(unchanged, lead);
}
