//! Who may call, what is refused, statistics and rooms.

use serde_json::json;
use tidings_access::ServiceScope;

use super::fixture::Fixture;

#[tokio::test]
async fn only_the_backend_reports() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    for (method, target) in [
        ("PUT", "/workflows/w"),
        ("DELETE", "/workflows/w"),
        ("POST", "/workflows/w/publish"),
        ("PUT", "/executions/e"),
        ("POST", "/executions/e/status"),
        ("POST", "/executions/e/nodes/n/status"),
        ("POST", "/users/ann/notifications"),
    ] {
        let cases = [
            (String::new(), 401, "missing_token"),
            ("x.y.z".to_owned(), 401, "invalid_token"),
            (fixture.user_token("ann"), 403, "forbidden"),
        ];
        for (token, status, code) in cases {
            let (got, problem) = fixture.ask(&token, method, target, Some("{}")).await;
            assert_eq!(
                (got, &problem["code"]),
                (status, &json!(code)),
                "{method} {target}"
            );
        }
    }
    let operator = fixture.token(ServiceScope::Operator);
    let (status, _) = fixture
        .ask(
            &operator,
            "POST",
            "/executions/e/status",
            Some(r#"{"status":"running"}"#),
        )
        .await;
    assert_eq!(status, 200);
}

/// Method, target, body; status, code, pointer to the field that is named, if one is.
#[rustfmt::skip]
const WRONG: [(&str, &str, &str, u16, &str, &str); 13] = [
    ("PUT", "/workflows/v", "{}", 400, "invalid_body", ""),
    ("PUT", "/workflows/v", r#"{"owner_id":""}"#, 400, "invalid_body", "/owner_id"),
    ("PUT", "/executions/v", r#"{"workflow_id":"none"}"#, 404, "not_found", ""),
    ("PUT", "/executions/v", r#"{"workflow_id":"w","owner_id":7}"#, 400, "invalid_body", "/owner_id"),
    ("POST", "/executions/e/status", r#"{"status":"sleeping"}"#, 400, "invalid_body", "/status"),
    ("POST", "/executions/e/status", r#"{"status":"running","progress_percentage":101}"#, 400, "invalid_body", ""),
    ("POST", "/executions/e/status", r#"{"status":"running","completed_nodes":-1}"#, 400, "invalid_body", "/completed_nodes"),
    ("POST", "/executions/none/status", r#"{"status":"running"}"#, 404, "not_found", ""),
    ("POST", "/executions/e/nodes/n/status", r#"{"status":"Running"}"#, 400, "invalid_body", "/status"),
    ("POST", "/executions/a%00/status", r#"{"status":"running"}"#, 400, "invalid_parameter", ""),
    ("POST", "/executions/a%FF/status", r#"{"status":"running"}"#, 400, "invalid_parameter", ""),
    ("POST", "/users/ann/notifications", r#"{"event":"","data":1}"#, 400, "invalid_body", "/event"),
    ("POST", "/workflows/none/publish", "", 404, "not_found", ""),
];

#[tokio::test]
async fn wrong_bodies_and_ids_are_problems() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let long = format!("/executions/{}/status", "x".repeat(300));
    let (status, problem) = fixture.backend("POST", &long, r#"{"status":"running"}"#).await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid_parameter")));
    for (method, target, body, status, code, pointer) in WRONG {
        let (got, problem) = fixture.backend(method, target, body).await;
        assert_eq!(
            (got, &problem["code"]),
            (status, &json!(code)),
            "{method} {target} {body} {problem}"
        );
        if !pointer.is_empty() {
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
    }
    fixture
        .backend("PUT", "/workflows/v", r#"{"owner_id":"ann"}"#)
        .await;
    let (status, problem) = fixture
        .backend("PUT", "/executions/e", r#"{"workflow_id":"v"}"#)
        .await;
    assert_eq!((status, &problem["code"]), (409, &json!("conflict")));
}

#[tokio::test]
async fn rooms_are_listed_to_those_who_may_enter_them() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    // Bob is where his token lets him in, and Ann is nowhere.
    let mut claims = fixture.claims("bob");
    claims.rooms = vec!["execution:*".to_owned(), "workflow:w".to_owned()];
    let mut bob = fixture.client_with(claims, false).await;
    for room in ["execution:e", "execution:of-nobody", "workflow:w"] {
        assert_eq!(bob.subscribe(room).await["event"], "subscribed", "{room}");
    }
    let seen = async |token: &str| {
        let (status, page) = fixture.ask(token, "GET", "/ws/rooms", None).await;
        assert_eq!(status, 200, "{page}");
        assert_eq!(
            page["total_rooms"],
            page["active_rooms"].as_array().unwrap().len()
        );
        page["active_rooms"].to_string()
    };
    assert_eq!(
        seen(&fixture.user_token("ann")).await,
        r#"["execution:e","workflow:w"]"#
    );
    assert_eq!(seen(&fixture.user_token("eve")).await, "[]");
    let claimed = fixture.token_for("eve", &["execution:of-*", "user:bob"], 60);
    assert_eq!(seen(&claimed).await, r#"["execution:of-nobody"]"#);
    let bobs = r#"["execution:e","execution:of-nobody","user:bob","workflow:w"]"#;
    assert_eq!(seen(&fixture.user_token("bob")).await, bobs);
    assert_eq!(seen(&fixture.token(ServiceScope::Operator)).await, bobs);
}

#[tokio::test]
async fn statistics_and_rooms() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let mut ann = [fixture.client("ann").await, fixture.client("ann").await];
    let _bob = fixture.client("bob").await;
    ann[0].subscribe("execution:e").await;
    let (user, operator) = (fixture.user_token("ann"), fixture.token(ServiceScope::Operator));
    let service = fixture.token(ServiceScope::Service);
    let ask = async |token: &str, target: &str| fixture.ask(token, "GET", target, None).await;
    let stats = |user_connections: u32| {
        (
            200,
            json!({"total_connections": 3, "user_connections": user_connections, "active_rooms": 3}),
        )
    };
    assert_eq!(ask(&user, "/ws/stats").await, stats(2));
    assert_eq!(ask(&service, "/ws/stats").await, stats(0));
    let rooms = |names: &[&str], total: u32| (200, json!({"active_rooms": names, "total_rooms": total}));
    assert_eq!(
        ask(&user, "/ws/rooms").await,
        rooms(&["execution:e", "user:ann"], 2)
    );
    assert_eq!(ask(&user, "/ws/rooms?limit=1").await, rooms(&["execution:e"], 2));
    assert_eq!(
        ask(&user, "/ws/rooms?limit=1&cursor=execution:e").await,
        rooms(&["user:ann"], 2)
    );
    assert_eq!(
        ask(&operator, "/ws/rooms").await,
        rooms(&["execution:e", "user:ann", "user:bob"], 3)
    );
    assert_eq!(
        ask(&operator, "/ws/rooms?limit=2").await,
        rooms(&["execution:e", "user:ann"], 3)
    );
    assert_eq!(
        ask(&operator, "/ws/rooms?limit=2&cursor=user:ann").await,
        rooms(&["user:bob"], 3)
    );
    for target in ["/ws/rooms?limit=0", "/ws/rooms?limit=x", "/ws/rooms?limit=10001"] {
        assert_eq!(ask(&operator, target).await.0, 400, "{target}");
    }
    assert_eq!(ask(&service, "/ws/rooms").await.0, 403);
    for target in ["/ws/rooms", "/ws/stats"] {
        assert_eq!(ask("", target).await.0, 401);
        assert_eq!(ask("x.y.z", target).await.0, 401);
    }
    assert_eq!(fixture.workflows.health()["connections"], 3);
}
