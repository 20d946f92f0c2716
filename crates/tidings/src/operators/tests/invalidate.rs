//! Taking back what rules about rooms have said.

use super::*;

const PATH: &str = "/api/v1/access/invalidate";

#[tokio::test]
async fn by_user_by_room_by_both_and_all() {
    let fixture = Fixture::new("localhost:0").await;
    let bodies = [
        r#"{"user":"ann"}"#,
        r#"{"room":"execution:e 1"}"#,
        r#"{"user":"ann","room":"workflow:w"}"#,
        r#"{"user":null}"#,
        r#"{"more":1}"#,
    ];
    for body in bodies {
        let answer = fixture.post(PATH, Some(&fixture.service), body).await;
        assert_eq!(
            answer,
            (StatusCode::OK, json!({"answers": 1, "kept": 2, "ended": 3})),
            "{body}"
        );
    }
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        *fixture.invalidated.lock(),
        [
            (text("ann"), None),
            (None, text("execution:e 1")),
            (text("ann"), text("workflow:w")),
            (None, None),
            (None, None),
        ]
    );
}

#[tokio::test]
async fn what_is_no_user_and_no_room_is_refused() {
    let fixture = Fixture::new("localhost:0").await;
    let long = format!(r#"{{"room":"execution:{}"}}"#, "x".repeat(256));
    for (body, pointer) in [
        (r#"{"user":""}"#, "/user"),
        (r#"{"user":7}"#, "/user"),
        (r#"{"user":"a\u0000"}"#, "/user"),
        (r#"{"user":"ann","room":"user:ann"}"#, "/room"),
        (r#"{"room":"execution:"}"#, "/room"),
        (r#"{"room":"tenant:demo1"}"#, "/room"),
        (r#"{"room":["execution:1"]}"#, "/room"),
        (&long, "/room"),
    ] {
        let (status, problem) = fixture.post(PATH, Some(&fixture.service), body.to_owned()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
    }
    for body in ["", "[]", "null", "{"] {
        let (status, _) = fixture.post(PATH, Some(&fixture.service), body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    }
    for (token, expected) in [
        (None, StatusCode::UNAUTHORIZED),
        (Some(&fixture.user), StatusCode::UNAUTHORIZED),
    ] {
        let (status, _) = fixture.post(PATH, token.map(String::as_str), "{}").await;
        assert_eq!(status, expected);
    }
    assert!(fixture.invalidated.lock().is_empty());
}
