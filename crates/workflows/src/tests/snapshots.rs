//! Entering an execution's room with its present state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tidings_access::{RoomAccess, RoomRule, Verdict};
use tidings_store::ExecutionId;
use tokio::task::JoinSet;

use super::fixture::{Client, Fixture};
use super::table_rule::TableRule;
use crate::{WorkflowsLimits, updates};

const NODES: usize = 20;
const STATUSES: [&str; 3] = ["pending", "running", "completed"];

async fn report(fixture: &Fixture, node: &str, status: &str) -> u16 {
    let target = format!("/executions/e/nodes/{node}/status");
    let body = json!({"status": status, "node_execution_id": node}).to_string();
    fixture.backend("POST", &target, &body).await.0
}

async fn show(client: &mut Client, room: &str) {
    let message = json!({"type": "subscribe", "room_id": room, "snapshot": true});
    client.send(&message.to_string()).await;
}

#[tokio::test]
async fn the_state_stands_between_two_confirmations() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    for (node, status) in [("b", "running"), ("a", "completed")] {
        assert_eq!(report(&fixture, node, status).await, 200);
    }
    let mut client = fixture.client("ann").await;
    show(&mut client, "execution:e").await;
    let now = fixture.workflows.0.now();
    let subscribed = r#"{"type":"subscription","event":"subscribed","room_id":"execution:e""#;
    let node = |id: &str, status: &str| {
        format!(
            r#"{{"type":"node_update","event":"status_changed","data":{{"execution_id":"e","node_execution_id":"{id}","node_id":"{id}","node_name":"{id}","status":"{status}","message":null}},"timestamp":"{now}"}}"#
        )
    };
    let expected = [
        format!(r#"{subscribed},"timestamp":"{now}"}}"#),
        format!(
            r#"{{"type":"execution_update","event":"status_changed","data":{{"execution_id":"e","status":"pending","progress_percentage":50,"completed_nodes":1,"total_nodes":2,"current_node":"b"}},"timestamp":"{now}"}}"#
        ),
        node("a", "completed"),
        node("b", "running"),
        format!(r#"{subscribed},"recovered":false,"timestamp":"{now}"}}"#),
    ];
    for text in expected {
        assert_eq!(client.text().await, text);
    }
    assert_eq!(report(&fixture, "b", "completed").await, 200);
    assert_eq!(client.text().await, node("b", "completed"));
}

#[tokio::test]
async fn what_follows_the_subscription_finds_the_member_in_its_room() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let mut client = fixture.client("ann").await;
    let id = ExecutionId::new("e").unwrap();
    let execution = fixture.store().execution(&id).await.unwrap().unwrap();
    show(&mut client, "execution:e").await;
    // At once, on the thread that the shards run on: they have had no turn but the one that the subscription waited for.
    let gateway = &fixture.workflows.0;
    let update = updates::execution(&execution, gateway.now());
    gateway.bus.publish(update).await.unwrap();
    let types: Vec<Value> = client
        .drain()
        .await
        .iter()
        .map(|message| message["type"].clone())
        .collect();
    assert_eq!(
        types,
        [
            "subscription",
            "execution_update",
            "subscription",
            "execution_update"
        ]
    );
}

#[tokio::test]
async fn who_may_not_enter_is_shown_nothing() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    report(&fixture, "a", "running").await;
    let mut bob = fixture.client("bob").await;
    for room in ["execution:e", "execution:none", "user:ann", "nonsense"] {
        show(&mut bob, room).await;
        let denied = json!({"type": "error", "message": "Access denied to room", "room_id": room});
        assert_eq!(bob.drain().await, [denied]);
    }
}

#[tokio::test]
async fn rooms_without_a_state_are_confirmed_twice() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let mut claims = fixture.claims("ann");
    claims.rooms = tidings_access::Claims::for_user(claims.sub.clone()).rooms;
    let mut client = fixture.client_with(claims, false).await;
    for room in ["workflow:w", "user:ann"] {
        show(&mut client, room).await;
        let messages = client.drain().await;
        let shapes: Vec<(&Value, &Value)> = messages
            .iter()
            .map(|message| (&message["event"], &message["recovered"]))
            .collect();
        assert_eq!(
            shapes,
            [
                (&json!("subscribed"), &Value::Null),
                (&json!("subscribed"), &json!(false))
            ],
            "{room}"
        );
    }
}

#[tokio::test]
async fn nodes_that_do_not_fit_are_counted() {
    let fixture = Fixture::with(WorkflowsLimits {
        snapshot_bytes_max: 500,
        ..WorkflowsLimits::default()
    })
    .await;
    fixture.registered("ann").await;
    for node in ["a", "b", "c", "d", "e"] {
        report(&fixture, node, "running").await;
    }
    let mut client = fixture.client("ann").await;
    show(&mut client, "execution:e").await;
    let messages = client.drain().await;
    let shown: Vec<&str> = messages
        .iter()
        .filter_map(|message| message["data"]["node_id"].as_str())
        .collect();
    assert_eq!(shown, ["a", "b"]);
    assert_eq!(messages.last().unwrap()["omitted_nodes"], 3);
}

/// What a client knows: the status of each node, and the progress.
#[derive(Default)]
struct View {
    nodes: BTreeMap<String, String>,
    progress: f64,
    is_live: bool,
}

impl View {
    fn take(&mut self, message: &Value) {
        let data = &message["data"];
        match message["type"].as_str().unwrap() {
            "subscription" => self.is_live = message["recovered"] == false,
            "execution_update" => {
                let progress = data["progress_percentage"].as_f64().unwrap();
                assert!(progress >= self.progress, "progress goes back");
                self.progress = progress;
            }
            "node_update" => {
                let (id, status) = (
                    data["node_id"].as_str().unwrap(),
                    data["status"].as_str().unwrap(),
                );
                let place = |status: &str| STATUSES.iter().position(|known| *known == status);
                let before = self.nodes.insert(id.to_owned(), status.to_owned());
                assert!(
                    before.is_none_or(|before| place(&before) < place(status)),
                    "{id} is {status} twice, or goes back"
                );
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn between_the_state_and_what_follows_nothing_is_missing_and_nothing_comes_twice() {
    let fixture = std::sync::Arc::new(Fixture::new().await);
    fixture.registered("ann").await;
    let total = json!({"workflow_id": "w", "total_nodes": NODES}).to_string();
    fixture.backend("PUT", "/executions/e", &total).await;
    let mut reporters = JoinSet::new();
    for status in STATUSES {
        for reporter in 0..4 {
            let fixture = fixture.clone();
            // Each status is reported by some while others report the next one: what comes too late is refused.
            reporters.spawn(async move {
                for number in (reporter..NODES).step_by(4) {
                    report(&fixture, &format!("n{number}"), status).await;
                }
            });
        }
    }
    let mut clients = Vec::new();
    while !reporters.is_empty() {
        let mut client = fixture.client("ann").await;
        show(&mut client, "execution:e").await;
        clients.push(client);
        for _ in 0..2 {
            reporters.join_next().await;
        }
    }
    for number in 0..NODES {
        report(&fixture, &format!("n{number}"), "completed").await;
    }
    let id = ExecutionId::new("e").unwrap();
    let stored = fixture.store().nodes(&id, None, 1_000).await.unwrap();
    let stored: BTreeMap<String, String> = stored
        .into_iter()
        .map(|node| (node.node_id.to_string(), node.status.to_string()))
        .collect();
    let progress = fixture.store().execution(&id).await.unwrap().unwrap();
    assert!(clients.len() >= 6);
    for client in &mut clients {
        let mut view = View::default();
        client.drain().await.iter().for_each(|message| view.take(message));
        assert!(view.is_live);
        assert_eq!(view.nodes, stored);
        assert_eq!(
            view.progress.total_cmp(&progress.progress_percentage),
            std::cmp::Ordering::Equal
        );
    }
}

async fn with_table() -> (Arc<TableRule>, Fixture) {
    let table = TableRule::new();
    let rule: Arc<dyn RoomRule> = table.clone();
    let access = |_| RoomAccess::new([rule]);
    let fixture = Fixture::with_access(WorkflowsLimits::default(), access).await;
    fixture.registered("ann").await;
    (table, fixture)
}

#[tokio::test]
async fn the_first_answer_about_a_room_is_the_answer() {
    let (table, fixture) = with_table().await;
    let mut client = fixture.client("bob").await;
    show(&mut client, "execution:e").await;
    assert_eq!(client.json().await["message"], "Access denied to room");
    table.set("bob", "execution:e", Verdict::Allow(None));
    show(&mut client, "execution:e").await;
    let types: Vec<Value> = client
        .drain()
        .await
        .iter()
        .map(|message| message["type"].clone())
        .collect();
    assert_eq!(types, ["subscription", "execution_update", "subscription"]);
    assert_eq!(
        table.asked(),
        ["bob execution:e", "bob execution:e"],
        "once for each"
    );
}

#[tokio::test]
async fn a_rule_that_is_slow_to_answer_keeps_no_report_waiting() {
    let (table, fixture) = with_table().await;
    table.set("bob", "execution:e", Verdict::Allow(None));
    let mut client = fixture.client("bob").await;
    table.close();
    let subscribing = tokio::spawn(async move {
        show(&mut client, "execution:e").await;
        client
    });
    while table.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    let reported = tokio::time::timeout(Duration::from_secs(5), report(&fixture, "a", "running"));
    assert_eq!(reported.await.expect("a report while the rule is asked"), 200);
    table.open();
    let told = subscribing.await.unwrap().drain().await;
    let types: Vec<&Value> = told.iter().map(|message| &message["type"]).collect();
    assert_eq!(
        types,
        ["subscription", "execution_update", "node_update", "subscription"]
    );
}

/// A subscription of Bob's that was allowed while somebody reports on the execution, until `meanwhile` has been done; and what he
/// is told.
async fn allowed_while_somebody_reports(
    table: &TableRule,
    fixture: &Fixture,
    meanwhile: impl AsyncFnOnce(),
) -> Vec<Value> {
    table.set("bob", "execution:e", Verdict::Allow(None));
    let mut client = fixture.client("bob").await;
    let id = ExecutionId::new("e").unwrap();
    let turn = fixture.workflows.0.execution_turns.of(&id).await;
    let subscribing = tokio::spawn(async move {
        show(&mut client, "execution:e").await;
        client
    });
    while table.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    meanwhile().await;
    drop(turn);
    let subscribed = tokio::time::timeout(Duration::from_secs(5), subscribing);
    subscribed.await.expect("an end").unwrap().drain().await
}

#[tokio::test]
async fn who_waits_for_those_who_report_asks_the_rules_once() {
    let (table, fixture) = with_table().await;
    // From then on no question is answered.
    let told = allowed_while_somebody_reports(&table, &fixture, async || table.close()).await;
    let types: Vec<&Value> = told.iter().map(|message| &message["type"]).collect();
    assert_eq!(types, ["subscription", "execution_update", "subscription"]);
    assert!(table.asked().is_empty());
    table.open();
}

#[tokio::test]
async fn an_answer_that_was_taken_back_meanwhile_is_none() {
    let (table, fixture) = with_table().await;
    let told = allowed_while_somebody_reports(&table, &fixture, async || {
        table.set("bob", "execution:e", Verdict::Nothing);
        let bob = tidings_access::UserId::new("bob").unwrap();
        fixture.workflows.invalidate(Some(bob), None).await;
    })
    .await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["message"], "Access denied to room");
}
