//! What becomes of members when the owner changes.

use serde_json::{Value, json};

use super::fixture::{Client, Fixture};

async fn unsubscribed(client: &mut Client) -> Vec<String> {
    let mut rooms: Vec<String> = client
        .drain()
        .await
        .iter()
        .filter(|message| message["event"] == "unsubscribed")
        .map(|message| message["room_id"].as_str().unwrap().to_owned())
        .collect();
    rooms.sort();
    rooms
}

#[tokio::test]
async fn a_new_owner_of_a_workflow_puts_the_old_one_out_of_its_rooms() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let own = r#"{"workflow_id":"w","owner_id":"ann"}"#;
    assert_eq!(fixture.backend("PUT", "/executions/own", own).await.0, 201);
    let mut clients = [fixture.client("ann").await, fixture.client("ann").await];
    for client in &mut clients {
        for room in ["workflow:w", "execution:e", "execution:own"] {
            assert_eq!(client.subscribe(room).await["event"], "subscribed");
        }
    }
    assert_eq!(
        fixture
            .backend("PUT", "/workflows/w", r#"{"owner_id":"bob","name":"his"}"#)
            .await
            .0,
        200
    );
    fixture
        .backend("POST", "/executions/e/status", r#"{"status":"running"}"#)
        .await;
    fixture
        .backend("POST", "/executions/own/status", r#"{"status":"running"}"#)
        .await;
    for client in &mut clients {
        let messages = client.drain().await;
        let kinds: Vec<&Value> = messages.iter().map(|message| &message["type"]).collect();
        assert_eq!(
            kinds,
            ["subscription", "subscription", "execution_update"],
            "nothing of the new owner's"
        );
        assert_eq!(messages[2]["data"]["execution_id"], "own");
        assert_eq!(
            client.subscribe("workflow:w").await["message"],
            "Access denied to room"
        );
    }
    let mut bob = fixture.client("bob").await;
    assert_eq!(bob.subscribe("execution:e").await["event"], "subscribed");
}

#[tokio::test]
async fn a_new_owner_of_an_execution_puts_the_old_one_out() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let mut ann = fixture.client("ann").await;
    ann.subscribe("execution:e").await;
    ann.subscribe("workflow:w").await;
    let (status, execution) = fixture
        .backend("PUT", "/executions/e", r#"{"workflow_id":"w","owner_id":"bob"}"#)
        .await;
    assert_eq!((status, &execution["owner_id"]), (200, &json!("bob")));
    assert_eq!(unsubscribed(&mut ann).await, ["execution:e"]);
}

#[tokio::test]
async fn deleting_a_workflow_empties_its_rooms() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let own = r#"{"workflow_id":"w","owner_id":"bob"}"#;
    fixture.backend("PUT", "/executions/bobs", own).await;
    let (mut ann, mut bob) = (fixture.client("ann").await, fixture.client("bob").await);
    ann.subscribe("workflow:w").await;
    ann.subscribe("execution:e").await;
    bob.subscribe("execution:bobs").await;
    let (status, workflow) = fixture.backend("DELETE", "/workflows/w", "").await;
    assert_eq!((status, &workflow["owner_id"]), (200, &json!("ann")));
    let deleted = ann.json().await;
    assert_eq!(
        (&deleted["type"], &deleted["event"]),
        (&json!("workflow_update"), &json!("deleted"))
    );
    assert_eq!(unsubscribed(&mut ann).await, ["execution:e", "workflow:w"]);
    assert_eq!(unsubscribed(&mut bob).await, ["execution:bobs"]);
    assert_eq!(fixture.backend("DELETE", "/workflows/w", "").await.0, 404);
}
