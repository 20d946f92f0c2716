use axum::http::StatusCode;
use serde_json::json;

use super::fixture::gateway;

const KEY: (&str, &str) = ("x-tenant-key", "admin-1");
const JOHN: &str = r#"{"name":"John Doe","email":"john@example.com","notes":"hi"}"#;

#[tokio::test]
async fn leads_are_created_listed_and_read() {
    let gateway = gateway().await;
    let mut watcher = gateway.plain("admin-1").await;
    let answer = gateway
        .request(
            "POST",
            "/leads",
            &[KEY, ("content-type", "application/json")],
            JOHN,
        )
        .await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let lead = answer.json();
    let id = lead["id"].as_str().unwrap();
    assert!(answer.head.contains(&format!("location: /leads/{id}")));
    assert_eq!(
        (&lead["source"], &lead["status"], &lead["tenantId"]),
        (&json!("http"), &json!("NEW"), &json!("t1"))
    );
    let (name, event) = watcher.event().await;
    assert_eq!(
        (name.as_str(), &event["type"], &event["leadId"]),
        ("lead_event", &json!("LEAD_CREATED"), &json!(id))
    );
    assert_eq!(event["source"], "http");

    let listed = gateway
        .request(
            "GET",
            "/leads?status=new&q=doe&from=2020-01-01&limit=1",
            &[KEY],
            "",
        )
        .await
        .json();
    assert_eq!(
        listed,
        json!({"data": [lead], "meta": {"total": 1, "limit": 1, "nextCursor": null}})
    );
    assert_eq!(
        gateway
            .request("GET", &format!("/leads/{id}"), &[KEY], "")
            .await
            .json(),
        lead
    );
    let foreign = [("x-api-key", "admin-2")];
    gateway
        .request("GET", &format!("/leads/{id}"), &foreign, "")
        .await
        .is(StatusCode::NOT_FOUND, "not_found");
    gateway
        .request("GET", "/leads/17", &foreign, "")
        .await
        .is(StatusCode::NOT_FOUND, "not_found");
    assert_eq!(
        gateway.request("GET", "/leads", &foreign, "").await.json()["meta"]["total"],
        0
    );
}

#[tokio::test]
async fn pages_follow_each_other() {
    let gateway = gateway().await;
    for _ in 0..3 {
        assert_eq!(gateway.request("POST", "/leads", &[KEY], JOHN).await.status, 201);
    }
    let first = gateway.request("GET", "/leads?limit=2", &[KEY], "").await.json();
    let cursor = first["meta"]["nextCursor"].as_str().unwrap();
    let second = gateway
        .request("GET", &format!("/leads?limit=2&cursor={cursor}"), &[KEY], "")
        .await
        .json();
    assert_eq!(
        (
            first["data"].as_array().unwrap().len(),
            second["data"].as_array().unwrap().len()
        ),
        (2, 1)
    );
    assert_eq!(
        second["meta"],
        json!({"total": 3, "limit": 2, "nextCursor": null})
    );
}

#[tokio::test]
async fn refusals() {
    let gateway = gateway().await;
    gateway
        .request("GET", "/leads", &[], "")
        .await
        .is(StatusCode::UNAUTHORIZED, "missing_api_key");
    gateway
        .request("GET", "/leads", &[("x-tenant-key", "x")], "")
        .await
        .is(StatusCode::UNAUTHORIZED, "invalid_api_key");
    let limited = [("x-tenant-key", "metrics-1")];
    gateway
        .request("GET", "/leads", &limited, "")
        .await
        .is(StatusCode::FORBIDDEN, "forbidden");
    gateway
        .request("POST", "/leads", &limited, "nonsense")
        .await
        .is(StatusCode::FORBIDDEN, "forbidden");
    let answer = gateway
        .request("GET", "/leads?limit=101&cursor=x&from=soon&status=", &[KEY], "")
        .await;
    answer.is(StatusCode::BAD_REQUEST, "invalid_parameter");
    let pointers: Vec<_> = answer.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].clone())
        .collect();
    assert_eq!(pointers, ["from", "limit", "cursor"]);
    gateway
        .request("POST", "/leads", &[KEY], "nonsense")
        .await
        .is(StatusCode::BAD_REQUEST, "invalid_body");
    gateway
        .request("POST", "/leads", &[KEY], "[]")
        .await
        .is(StatusCode::BAD_REQUEST, "invalid_body");
    let answer = gateway
        .request("POST", "/leads", &[KEY], r#"{"email":"x"}"#)
        .await;
    answer.is(StatusCode::BAD_REQUEST, "invalid_body");
    assert_eq!(
        answer.json()["errors"],
        json!([{"pointer": "/name", "message": "name is required"}, {"pointer": "/email", "message": "email must be an email address"}])
    );
    let text = ("content-type", "text/plain");
    gateway
        .request("POST", "/leads", &[KEY, text], JOHN)
        .await
        .is(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
}

#[tokio::test]
async fn forms_become_leads() {
    let gateway = gateway().await;
    let mut watcher = gateway.socket("admin-1").await;
    let form = r#"{"source":"landing-page","payload":{"email":"a@b.dk","colour":"red"}}"#;
    let answer = gateway.request("POST", "/ingest/form", &[KEY], form).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert!(
        answer.body.contains(
            r#""source":"landing-page","status":"NEW","payload":{"email":"a@b.dk","colour":"red"}"#
        )
    );
    let (_, event) = watcher.event().await;
    assert_eq!(
        (&event["source"], &event["data"]["source"]),
        (&json!("form"), &json!("landing-page"))
    );
    let answer = gateway
        .request("POST", "/ingest/form", &[KEY], r#"{"payload":{"name":"Ann"}}"#)
        .await;
    answer.is(StatusCode::BAD_REQUEST, "invalid_body");
    assert_eq!(
        answer.json()["errors"],
        json!([{"pointer": "/payload/email", "message": "email or phone is required"}])
    );
}

#[tokio::test]
async fn a_repeated_write_happens_once() {
    let gateway = gateway().await;
    let mut watcher = gateway.plain("admin-1").await;
    let headers = [KEY, ("idempotency-key", "one")];
    let first = gateway.request("POST", "/leads", &headers, JOHN).await;
    let second = gateway.request("POST", "/leads", &headers, JOHN).await;
    assert_eq!(
        (first.status, second.status, &first.body),
        (201, 201, &second.body)
    );
    assert!(second.head.contains("idempotency-replayed: true"));
    let other = JOHN.replace("hi", "ho");
    gateway
        .request("POST", "/leads", &headers, &other)
        .await
        .is(StatusCode::CONFLICT, "conflict");
    let spaces = [KEY, ("idempotency-key", "a b")];
    gateway
        .request("POST", "/leads", &spaces, JOHN)
        .await
        .is(StatusCode::BAD_REQUEST, "invalid_parameter");
    assert_eq!(
        gateway.request("GET", "/leads", &[KEY], "").await.json()["meta"]["total"],
        1
    );
    assert_eq!(watcher.event().await.0, "lead_event");
    watcher
        .send(r#"{"event":"execute_voice_command","data":{"command":"x"}}"#)
        .await;
    assert_eq!(
        watcher.event().await.0,
        "voice_command_response",
        "the repetition published nothing"
    );
}

#[tokio::test]
async fn health() {
    let gateway = gateway().await;
    let health = gateway.flow.health().await;
    assert!(health.is_healthy());
    assert!(
        serde_json::to_string(&health)
            .unwrap()
            .starts_with(r#"{"status":"healthy","service":"flow-api","timestamp":""#)
    );
}
