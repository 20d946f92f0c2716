use serde_json::{Value, json};
use tidings_hub::{Event, EventId, Gateways, RoomName};
use tidings_transport::TransportLimits;
use tidings_wire::time::Timestamp;

use super::fixture::{Client, add_key, gateway, gateway_with};

async fn execute(client: &mut Client, request: &Value) {
    client
        .send(&format!(
            "42/events,{}",
            json!(["execute_voice_command", request])
        ))
        .await;
}

/// The events up to the response, each as `name TYPE`, and the response.
async fn until_response(client: &mut Client) -> (Vec<String>, Value) {
    let mut heard = Vec::new();
    loop {
        let (name, data) = client.event().await;
        if name == "voice_command_response" {
            return (heard, data);
        }
        heard.push(format!("{name} {}", data["type"].as_str().unwrap()));
    }
}

#[tokio::test]
async fn welcome_and_refusals() {
    let gateway = gateway().await;
    let mut client = gateway
        .websocket("/socket.io/?EIO=4&transport=websocket", &[])
        .await;
    client.text().await;
    for (connect, answer) in [
        ("40", r#"44{"message":"Invalid namespace"}"#),
        ("40/other,", r#"44/other,{"message":"Invalid namespace"}"#),
        (
            "40/events,",
            r#"44/events,{"message":"authentication failed: missing API key","data":{"code":"missing_api_key"}}"#,
        ),
        (
            r#"40/events,{"tenantKey":"unknown"}"#,
            r#"44/events,{"message":"authentication failed: invalid API key","data":{"code":"invalid_api_key"}}"#,
        ),
    ] {
        client.send(connect).await;
        assert_eq!(client.text().await, answer);
    }
    client.send(r#"40/events,{"tenantKey":"admin-1"}"#).await;
    assert!(client.text().await.starts_with(r#"40/events,{"sid":""#));
    let welcome = client.text().await;
    let start = r#"42/events,["connected",{"message":"Connected to TekUp Events Gateway","tenantId":"t1","timestamp":""#;
    assert!(welcome.starts_with(start), "{welcome}");
}

#[tokio::test]
async fn a_lead_is_created_listed_and_found() {
    let gateway = gateway().await;
    let mut caller = gateway.socket("admin-1").await;
    let mut colleague = gateway.plain("admin-1").await;
    let mut blind = gateway.socket("metrics-1").await;
    let mut stranger = gateway.socket("admin-2").await;

    let parameters = json!({"name": "John Doe", "email": "john@example.com", "phone": "+45 12 34 56 78"});
    execute(
        &mut caller,
        &json!({"command": "create_lead", "parameters": parameters, "tenantId": "one"}),
    )
    .await;
    let order = [
        "voice_event VOICE_PROCESSING_STARTED",
        "lead_event LEAD_CREATED",
        "voice_event VOICE_COMMAND_EXECUTED",
        "voice_event VOICE_PROCESSING_COMPLETED",
    ];
    let (heard, response) = until_response(&mut caller).await;
    assert_eq!(heard, order);
    assert_eq!(
        (&response["success"], &response["command"], &response["tenant"]),
        (&json!(true), &json!("create_lead"), &json!("t1"))
    );
    let lead = &response["data"]["lead"];
    assert_eq!(
        (&lead["id"], &lead["payload"], &lead["source"]),
        (&response["data"]["leadId"], &parameters, &json!("voice"))
    );

    for expected in order {
        let (name, event) = colleague.event().await;
        assert_eq!(format!("{name} {}", event["type"].as_str().unwrap()), expected);
        match event["type"].as_str().unwrap() {
            "VOICE_PROCESSING_STARTED" => assert_eq!(event["data"], json!({"command": "create_lead"})),
            "LEAD_CREATED" => {
                assert_eq!(event["leadId"], lead["id"]);
                assert_eq!(
                    event["data"],
                    json!({"status": "NEW", "source": "voice", "payload": parameters})
                );
            }
            "VOICE_COMMAND_EXECUTED" => {
                assert_eq!(event["data"]["parameters"], parameters);
                assert_eq!(
                    event["data"]["response"],
                    json!({"leadId": lead["id"], "message": "Lead created"})
                );
                assert!(event["data"]["duration"].is_u64());
            }
            _ => assert_eq!(
                (&event["data"]["success"], event["data"].get("error")),
                (&json!(true), None)
            ),
        }
    }
    for expected in order
        .iter()
        .filter(|expected| !expected.starts_with("lead_event"))
    {
        let (name, event) = blind.event().await;
        assert_eq!(format!("{name} {}", event["type"].as_str().unwrap()), **expected);
    }

    execute(
        &mut caller,
        &json!({"command": "get_leads", "parameters": {"status": "new", "limit": 5}}),
    )
    .await;
    let (_, response) = until_response(&mut caller).await;
    assert_eq!(
        response["data"],
        json!({"leads": [lead], "total": 1, "message": "Found 1 lead"})
    );
    execute(
        &mut caller,
        &json!({"command": "search_leads", "parameters": {"query": "joh"}}),
    )
    .await;
    let (_, response) = until_response(&mut caller).await;
    assert_eq!(
        (&response["data"]["total"], &response["data"]["query"]),
        (&json!(1), &json!("joh"))
    );
    execute(
        &mut caller,
        &json!({"command": "get_metrics", "parameters": {"metric_type": "voice"}}),
    )
    .await;
    let (_, response) = until_response(&mut caller).await;
    assert_eq!(
        response["data"]["metrics"],
        json!({"type": "voice", "period": "month", "total": 3, "succeeded": 3})
    );

    // Another tenant heard nothing: what comes next is the answer to its own request, and it has no leads.
    execute(&mut stranger, &json!({"command": "get_leads"})).await;
    let (heard, response) = until_response(&mut stranger).await;
    assert_eq!((heard.len(), &response["data"]["total"]), (3, &json!(0)));
}

#[tokio::test]
async fn failures_are_told_to_the_caller_alone() {
    let gateway = gateway().await;
    let mut caller = gateway.socket("admin-1").await;
    let mut limited = gateway.socket("metrics-1").await;
    for (request, error) in [
        (json!({"command": "get_leads", "tenantId": "t2"}), "Access denied"),
        (json!({"command": "nonsense"}), "Unknown command"),
        (
            json!({"command": "create_lead", "parameters": {"name": "J"}}),
            "Invalid parameters",
        ),
        (
            json!({"command": "start_backup", "parameters": {"backup_type": "half"}}),
            "Invalid parameters",
        ),
        (json!(7), "Invalid parameters"),
    ] {
        execute(&mut caller, &request).await;
        let (heard, response) = until_response(&mut caller).await;
        assert_eq!((heard.len(), &response["error"]), (0, &json!(error)), "{request}");
        assert_eq!(
            response["command"],
            request.get("command").cloned().unwrap_or_default()
        );
    }
    execute(&mut limited, &json!({"command": "get_leads"})).await;
    let (heard, response) = until_response(&mut limited).await;
    assert_eq!((heard.len(), &response["error"]), (0, &json!("Access denied")));
}

#[tokio::test]
async fn an_acknowledgement_carries_the_response() {
    let gateway = gateway().await;
    let mut client = gateway.socket("admin-1").await;
    client
        .send(r#"42/events,7["execute_voice_command",{"command":"nonsense"}]"#)
        .await;
    let response = client.text().await;
    let start = r#"42/events,["voice_command_response",{"success":false,"command":"nonsense","error":"Unknown command","tenant":"t1","timestamp":""#;
    assert!(response.starts_with(start), "{response}");
    let acknowledgement = client.text().await;
    let object = response
        .strip_prefix(r#"42/events,["voice_command_response","#)
        .unwrap();
    assert_eq!(acknowledgement.strip_prefix("43/events,7["), Some(object));
}

#[tokio::test]
async fn a_namespace_that_was_left_hears_nothing() {
    let gateway = gateway().await;
    let mut client = gateway.socket("admin-1").await;
    client.send("41/events,").await;
    client.send("40/events,").await;
    assert!(client.text().await.starts_with("40/events,"));
    client.text().await;
    client.send("41/events,").await;
    client.send("40/other,").await;
    assert!(
        client.text().await.starts_with("44/other,"),
        "the room was left by now"
    );
    let data = serde_json::value::to_raw_value(&json!({"n": 1})).unwrap();
    let event = Event {
        id: EventId::generate(),
        rooms: vec![RoomName::new("tenant:t1").unwrap()],
        kind: "lead_event".into(),
        name: None,
        key: None,
        data,
        time: Timestamp::from_millis(0),
        gateways: Gateways::ALL,
        exclude: Vec::new(),
        source: "test".into(),
    };
    gateway.bus.publish(event).await.unwrap();
    client.send("40/other,").await;
    assert!(client.text().await.starts_with("44/other,"));
}

#[tokio::test]
async fn a_revoked_key_takes_its_connections_with_it() {
    let gateway = gateway().await;
    let key = add_key(&gateway.store, "t1", "short-lived", "admin").await;
    let mut socket = gateway.socket("short-lived").await;
    let mut plain = gateway.plain("short-lived").await;
    gateway.store.revoke_key(key.id).await.unwrap();
    assert_eq!(socket.text().await, "41/events,");
    assert_eq!(socket.text().await, "close 4403");
    assert_eq!(plain.text().await, "close 4403");
}

#[tokio::test]
async fn connections_of_a_tenant_are_bounded_and_given_back() {
    let gateway = gateway_with(2, TransportLimits::default()).await;
    let mut socket = gateway.socket("admin-1").await;
    let plain = gateway.plain("metrics-1").await;
    let path = "/socket.io/?EIO=4&transport=websocket";
    let mut refused = gateway.websocket(path, &[]).await;
    refused.text().await;
    refused.send(r#"40/events,{"tenantKey":"admin-1"}"#).await;
    assert_eq!(
        refused.text().await,
        "close 4429",
        "no refusal before it: the stock client would stay away"
    );
    let mut refused = gateway.websocket("/events", &[("x-tenant-key", "admin-1")]).await;
    assert_eq!(refused.text().await, "close 4429");
    gateway.socket("admin-2").await;

    // A client that enters again has its own place.
    socket.send("41/events,").await;
    socket.send(r#"40/events,{"tenantKey":"admin-1"}"#).await;
    assert!(socket.text().await.starts_with("40/events,"));
    drop((socket, plain));
    // The server sees the ends when it sees them.
    for _ in 0..1_000 {
        let mut client = gateway.websocket("/events", &[("x-tenant-key", "admin-1")]).await;
        if client.text().await != "close 4429" {
            return;
        }
    }
    panic!("no place was given back");
}

#[tokio::test]
async fn the_limit_of_messages_is_told_and_kept() {
    let limits = TransportLimits {
        message_bytes_max: 2_000_000,
        ..TransportLimits::default()
    };
    let gateway = gateway_with(2, limits).await;
    let mut client = gateway
        .websocket("/socket.io/?EIO=4&transport=websocket", &[])
        .await;
    let handshake = client.text().await;
    assert!(handshake.contains(r#""maxPayload":2000000"#), "{handshake}");
    let handshake = gateway
        .request("GET", "/socket.io/?EIO=4&transport=polling", &[], "")
        .await;
    let opened: Value = serde_json::from_str(&handshake.body[1..]).unwrap();
    let session = format!(
        "/socket.io/?EIO=4&transport=polling&sid={}",
        opened["sid"].as_str().unwrap()
    );
    let padded = |bytes: usize| {
        let around = r#"40/other,{"x":""}"#.len();
        format!(r#"40/other,{{"x":"{}"}}"#, "x".repeat(bytes - around))
    };
    assert_eq!(
        gateway
            .request("POST", &session, &[], &padded(2_000_000))
            .await
            .status,
        200
    );
    assert_eq!(
        gateway
            .request("POST", &session, &[], &padded(2_000_001))
            .await
            .status,
        413
    );
}
