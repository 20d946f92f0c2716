use axum::http::StatusCode;

use super::fixture::gateway;

#[tokio::test]
async fn refusals_come_in_order() {
    let gateway = gateway().await;
    let key = ("x-tenant-key", "admin-1");
    let upgrade = [("upgrade", "websocket"), ("connection", "Upgrade")];
    let version = ("sec-websocket-version", "13");
    gateway
        .request("GET", "/events", &upgrade, "")
        .await
        .is(StatusCode::UNAUTHORIZED, "missing_api_key");
    let wrong = ("x-tenant-key", "unknown");
    gateway
        .request("GET", "/events", &[wrong, version], "")
        .await
        .is(StatusCode::UNAUTHORIZED, "invalid_api_key");
    gateway
        .request("GET", "/events", &[key], "")
        .await
        .is(StatusCode::UPGRADE_REQUIRED, "upgrade_required");
    let answer = gateway
        .request("GET", "/events", &[key, upgrade[0], upgrade[1]], "")
        .await;
    answer.is(StatusCode::UPGRADE_REQUIRED, "upgrade_required");
    assert!(answer.head.contains("sec-websocket-version: 13"));
    let answer = gateway
        .request("GET", "/events", &[key, upgrade[0], upgrade[1], version], "")
        .await;
    answer.is(StatusCode::BAD_REQUEST, "bad_upgrade");
}

#[tokio::test]
async fn commands_without_socket_io() {
    let gateway = gateway().await;
    let mut client = gateway.plain("admin-1").await;
    for ignored in ["ping", "[]", r#"{"event":"other","data":1}"#, r#"{"event":7}"#] {
        client.send(ignored).await;
    }
    client
        .send(r#"{"event":"execute_voice_command","data":{"command":"get_leads","parameters":{"limit":0}}}"#)
        .await;
    let text = client.text().await;
    let start = r#"{"event":"voice_command_response","data":{"success":false,"command":"get_leads","error":"Invalid parameters","details":[{"parameter":"limit","expected":"an integer from 1 to 100","message":"limit must be an integer from 1 to 100"}],"tenant":"t1","timestamp":""#;
    assert!(text.starts_with(start), "{text}");
    client
        .send(r#"{"event":"execute_voice_command","data":{"command":"get_leads"}}"#)
        .await;
    for expected in [
        "voice_event",
        "voice_event",
        "voice_event",
        "voice_command_response",
    ] {
        assert_eq!(client.event().await.0, expected);
    }
}
