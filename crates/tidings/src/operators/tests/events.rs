//! Events that backends post.

use super::*;

#[tokio::test]
async fn posted_events_go_by_the_rules_and_are_answered_one_by_one() {
    let fixture = Fixture::new("localhost:0").await;
    let event = |id: &str, data: Value| json!({"specversion": "1.0", "id": id, "source": "s", "type": "t", "data": data});
    let post = async |content_type: &str, body: Value| {
        let request = Request::post("/api/v1/events")
            .header(header::CONTENT_TYPE, content_type)
            .header(header::AUTHORIZATION, format!("Bearer {}", fixture.service));
        let (status, body) = fixture.ask(request.body(body.to_string().into()).unwrap()).await;
        (status, serde_json::from_slice::<Value>(&body).unwrap())
    };
    let structured = "application/cloudevents+json";
    let (status, answer) = post(structured, event("1", json!({"user_id": 7}))).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer, json!({"id": fixture.bus.events.lock()[0].id.to_string()}));
    assert_eq!(fixture.bus.events.lock()[0].rooms[0].as_str(), "user:7");
    let again = post(structured, event("1", json!({"user_id": 7}))).await;
    assert_eq!(again, (StatusCode::OK, json!({"duplicate": true})));
    let (status, problem) = post(structured, event("2", json!({}))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["code"], "undeliverable_event");
    assert_eq!(problem["detail"], "no_user; the event is kept as a dead letter");
    let batch = json!([event("1", json!({"user_id": 7})), event("3", json!(1))]);
    let (status, answer) = post("application/cloudevents-batch+json", batch).await;
    assert_eq!(
        (status, &answer["results"][0]),
        (StatusCode::OK, &json!({"duplicate": true}))
    );
    assert_eq!(answer["results"][1]["error"]["code"], "undeliverable_event");
    assert_eq!(fixture.store.dead_letter_account().await.unwrap().kept, 2);
    *fixture.bus.is_down.lock() = true;
    let (status, problem) = post(structured, event("4", json!({"user_id": 7}))).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"bus_unavailable".into())
    );
}
