//! Answers that end, or are taken back, and what becomes of those who are in rooms by them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tidings_access::{RoomAccess, RoomRule, UserId, Verdict};
use tidings_hub::RoomName;
use tokio::time::Instant;

use super::fixture::{Client, Fixture};
use super::table_rule::TableRule;
use crate::recheck::{Invalidated, Rechecked};
use crate::{Workflows, WorkflowsLimits, registry_rule};

const MINUTE: Duration = Duration::from_mins(1);
const SECOND: Duration = Duration::from_secs(1);
const FOR_A_MINUTE: Verdict = Verdict::Allow(Some(MINUTE));

/// A gateway with this rule alone, so that nothing but it is waited for.
async fn fixture(rule: &Arc<TableRule>, outage_grace: Duration) -> Fixture {
    let rule: Arc<dyn RoomRule> = rule.clone();
    let limits = WorkflowsLimits {
        outage_grace,
        ..WorkflowsLimits::default()
    };
    Fixture::with_access(limits, |_| RoomAccess::new([rule])).await
}

/// The same with a time that stands unless it is advanced.
async fn paused(rule: &Arc<TableRule>, outage_grace: Duration) -> Fixture {
    let fixture = fixture(rule, outage_grace).await;
    tokio::time::pause();
    fixture
}

/// Lets the time pass; what has become of answers since.
async fn pass(fixture: &Fixture, duration: Duration) -> Rechecked {
    let before = fixture.workflows.rechecked();
    tokio::time::advance(duration).await;
    // The gateway's own sweep, or this one.
    fixture.workflows.0.recheck_due(Instant::now()).await;
    let after = fixture.workflows.rechecked();
    Rechecked {
        kept: after.kept - before.kept,
        ended: after.ended - before.ended,
        deferred: after.deferred - before.deferred,
        overdue: after.overdue - before.overdue,
    }
}

async fn is_subscribed(client: &mut Client, room: &str) -> bool {
    client.subscribe(room).await["event"] == "subscribed"
}

/// The rooms that it was put out of since the last time, sorted.
async fn put_out_of(client: &mut Client) -> Vec<String> {
    let mut rooms: Vec<_> = client
        .drain()
        .await
        .iter()
        .map(|message| {
            assert_eq!(
                (&message["type"], &message["event"]),
                (&json!("subscription"), &json!("unsubscribed"))
            );
            message["room_id"].as_str().unwrap().to_owned()
        })
        .collect();
    rooms.sort();
    rooms
}

async fn invalidate(workflows: &Workflows, user: Option<&str>, room: Option<&str>) -> Invalidated {
    let user = user.map(|user| UserId::new(user).unwrap());
    let room = room.map(|room| RoomName::new(room).unwrap());
    workflows.invalidate(user, room).await
}

#[tokio::test]
async fn an_answer_that_has_ended_is_asked_for_again() {
    let rule = TableRule::new();
    let fixture = paused(&rule, Duration::ZERO).await;
    let gateway = &fixture.workflows.0;
    rule.set("ann", "execution:1", FOR_A_MINUTE);
    rule.set("ann", "execution:2", Verdict::Allow(Some(MINUTE * 3)));
    rule.set("ann", "execution:3", Verdict::Allow(None));
    let mut ann = fixture.client("ann").await;
    for room in ["execution:1", "execution:2", "execution:3"] {
        assert!(is_subscribed(&mut ann, room).await);
    }
    assert_eq!((fixture.workflows.answers(), rule.asked().len()), (2, 3));

    let nothing = pass(&fixture, SECOND / 10 * 599).await;
    assert_eq!((nothing, rule.asked().len()), (Rechecked::default(), 0));
    let kept = pass(&fixture, SECOND / 10).await;
    assert_eq!(rule.asked(), ["ann execution:1"]);
    assert_eq!((kept.kept, kept.ended, fixture.workflows.answers()), (1, 0, 2));
    assert!(put_out_of(&mut ann).await.is_empty());

    rule.set("ann", "execution:1", Verdict::Nothing);
    let ended = pass(&fixture, MINUTE).await;
    assert_eq!((ended.kept, ended.ended, fixture.workflows.answers()), (0, 1, 1));
    assert_eq!(put_out_of(&mut ann).await, ["execution:1"]);
    assert_eq!(gateway.directory.rooms_count(), 3);
    assert_eq!(
        fixture.workflows.rechecked(),
        Rechecked {
            kept: 1,
            ended: 1,
            ..Rechecked::default()
        }
    );
    assert!(!is_subscribed(&mut ann, "execution:1").await);

    // A room that was left, and a connection that is gone, are not asked about.
    ann.send(r#"{"type":"unsubscribe","room_id":"execution:2"}"#)
        .await;
    assert_eq!(fixture.workflows.answers(), 0);
    rule.set("ann", "execution:1", FOR_A_MINUTE);
    assert_eq!(ann.json().await["event"], "unsubscribed");
    assert!(is_subscribed(&mut ann, "execution:1").await);
    assert!(is_subscribed(&mut ann, "execution:1").await, "once more");
    assert_eq!(fixture.workflows.answers(), 1);
    drop(ann);
    assert_eq!(fixture.workflows.answers(), 0);
}

#[tokio::test]
async fn a_rule_that_fails_ends_what_it_had_allowed() {
    let rule = TableRule::new();
    let fixture = paused(&rule, Duration::ZERO).await;
    rule.set("ann", "execution:1", FOR_A_MINUTE);
    let mut ann = fixture.client("ann").await;
    assert!(is_subscribed(&mut ann, "execution:1").await);
    rule.set("ann", "execution:1", Verdict::Failed);
    let rechecked = pass(&fixture, MINUTE).await;
    assert_eq!((rechecked.ended, rechecked.deferred), (1, 0));
    assert_eq!(put_out_of(&mut ann).await, ["execution:1"]);
    assert!(!is_subscribed(&mut ann, "execution:1").await);
}

#[tokio::test]
async fn within_the_grace_a_failure_is_tried_again() {
    let rule = TableRule::new();
    let fixture = paused(&rule, MINUTE).await;
    rule.set("ann", "execution:1", FOR_A_MINUTE);
    rule.set("ann", "execution:2", FOR_A_MINUTE);
    let mut ann = fixture.client("ann").await;
    for room in ["execution:1", "execution:2"] {
        assert!(is_subscribed(&mut ann, room).await);
        rule.set("ann", room, Verdict::Failed);
    }
    let rechecked = pass(&fixture, MINUTE).await;
    assert_eq!((rechecked.ended, rechecked.deferred), (0, 2));
    assert_eq!(fixture.workflows.answers(), 2);
    // A second later, and not before.
    rule.asked();
    pass(&fixture, SECOND / 10 * 9).await;
    assert!(rule.asked().is_empty());
    rule.set("ann", "execution:1", FOR_A_MINUTE);
    rule.set("ann", "execution:2", Verdict::Nothing);
    let rechecked = pass(&fixture, SECOND / 10).await;
    assert_eq!((rechecked.kept, rechecked.ended, rechecked.deferred), (1, 1, 0));
    assert_eq!(put_out_of(&mut ann).await, ["execution:2"]);
    // What was taken back has no grace.
    rule.set("ann", "execution:1", Verdict::Failed);
    let invalidated = invalidate(&fixture.workflows, Some("ann"), None).await;
    assert_eq!((invalidated.kept, invalidated.ended), (0, 1));
    assert_eq!(put_out_of(&mut ann).await, ["execution:1"]);
}

#[tokio::test]
async fn the_grace_ends() {
    let rule = TableRule::new();
    let fixture = paused(&rule, SECOND * 5).await;
    rule.set("ann", "execution:1", FOR_A_MINUTE);
    let mut ann = fixture.client("ann").await;
    assert!(is_subscribed(&mut ann, "execution:1").await);
    rule.set("ann", "execution:1", Verdict::Failed);
    rule.asked();
    // The gateway's own sweep does it.
    let start = Instant::now();
    while fixture.workflows.answers() != 0 {
        assert!(start.elapsed() < MINUTE * 2, "it does not end");
        tokio::time::advance(Duration::from_millis(50)).await;
    }
    let lasted = start.elapsed();
    assert!(lasted > MINUTE + SECOND * 4, "{lasted:?}");
    assert!(lasted < MINUTE + SECOND * 8, "{lasted:?}");
    let asked = rule.asked().len();
    assert!((4..=6).contains(&asked), "{asked}");
    assert_eq!(put_out_of(&mut ann).await, ["execution:1"]);
}

#[tokio::test]
async fn what_cannot_be_asked_about_in_time_ends() {
    let rule = TableRule::new();
    let fixture = paused(&rule, Duration::ZERO).await;
    let mut ann = fixture.client("ann").await;
    for room in ["execution:1", "execution:2"] {
        rule.set("ann", room, FOR_A_MINUTE);
        assert!(is_subscribed(&mut ann, room).await);
    }
    rule.close();
    rule.asked();
    tokio::time::advance(MINUTE).await;
    // The first one waits for its answer, and the second one for the first.
    let mut asked = Vec::new();
    while asked.is_empty() {
        tokio::task::yield_now().await;
        asked = rule.asked();
    }
    assert_eq!(asked.len(), 1);
    tokio::time::advance(SECOND * 30).await;
    rule.open();
    while fixture.workflows.rechecked() == Rechecked::default() {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        fixture.workflows.rechecked(),
        Rechecked {
            kept: 1,
            overdue: 1,
            ..Rechecked::default()
        }
    );
    assert_eq!(rule.asked(), Vec::<String>::new());
    let left = put_out_of(&mut ann).await;
    assert_eq!(left.len(), 1);
    assert_ne!(asked[0], format!("ann {}", left[0]));
}

#[tokio::test]
async fn invalidations_ask_about_what_they_name() {
    for (user, room, expected) in [
        (
            Some("ann"),
            None,
            vec!["ann execution:1", "ann execution:1", "ann execution:2"],
        ),
        (
            None,
            Some("execution:1"),
            vec!["ann execution:1", "ann execution:1", "bob execution:1"],
        ),
        (Some("bob"), Some("execution:1"), vec!["bob execution:1"]),
        (Some("bob"), Some("execution:2"), vec![]),
        (Some("carol"), None, vec![]),
        (
            None,
            None,
            vec![
                "ann execution:1",
                "ann execution:1",
                "ann execution:2",
                "bob execution:1",
            ],
        ),
    ] {
        let rule = TableRule::new();
        let fixture = fixture(&rule, Duration::ZERO).await;
        for (user, room) in [
            ("ann", "execution:1"),
            ("ann", "execution:2"),
            ("bob", "execution:1"),
        ] {
            rule.set(user, room, Verdict::Allow(None));
        }
        let (mut one, mut two, mut bob) = (
            fixture.client("ann").await,
            fixture.client("ann").await,
            fixture.client("bob").await,
        );
        for (client, room) in [
            (&mut one, "execution:1"),
            (&mut two, "execution:1"),
            (&mut bob, "execution:1"),
        ] {
            assert!(is_subscribed(client, room).await);
        }
        assert!(is_subscribed(&mut one, "execution:2").await);
        rule.asked();
        rule.set("ann", "execution:1", Verdict::Nothing);
        let invalidated = invalidate(&fixture.workflows, user, room).await;
        assert_eq!(rule.asked(), expected, "{user:?} {room:?}");
        let ended = expected
            .iter()
            .filter(|&&asked| asked == "ann execution:1")
            .count();
        assert_eq!(invalidated.ended, ended as u64);
        assert_eq!(invalidated.kept, (expected.len() - ended) as u64);
        for client in [&mut one, &mut two] {
            let rooms = put_out_of(client).await;
            assert_eq!(rooms, vec!["execution:1"; ended / 2], "{user:?} {room:?}");
        }
        assert!(put_out_of(&mut bob).await.is_empty());
    }
}

#[tokio::test]
async fn an_invalidation_meets_who_is_just_being_let_in() {
    let rule = TableRule::new();
    let fixture = fixture(&rule, Duration::ZERO).await;
    rule.set("ann", "execution:1", Verdict::Allow(None));
    let mut ann = fixture.client("ann").await;
    rule.close();
    let subscribing = tokio::spawn(async move {
        let answer = ann.subscribe("execution:1").await;
        (ann, answer)
    });
    while rule.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    // It was asked, and the answer is on its way. Now it is taken back.
    rule.set("ann", "execution:1", Verdict::Nothing);
    let workflows = fixture.workflows.clone();
    let invalidating = tokio::spawn(async move { invalidate(&workflows, None, Some("execution:1")).await });
    tokio::task::yield_now().await;
    rule.open();
    let (mut ann, answer) = subscribing.await.unwrap();
    assert_eq!(answer["event"], "subscribed");
    assert_eq!(invalidating.await.unwrap().ended, 1);
    assert_eq!(put_out_of(&mut ann).await, ["execution:1"]);
}

#[tokio::test]
async fn another_owner_is_no_reason_to_ask_others() {
    let rule = TableRule::new();
    let as_rule: Arc<dyn RoomRule> = rule.clone();
    let fixture = Fixture::with_access(WorkflowsLimits::default(), |store| {
        RoomAccess::new([registry_rule(store, None), as_rule])
    })
    .await;
    fixture.registered("ann").await;
    rule.set("ann", "execution:other", FOR_A_MINUTE);
    let mut ann = fixture.client("ann").await;
    for room in ["workflow:w", "execution:e", "execution:other"] {
        assert!(is_subscribed(&mut ann, room).await);
    }
    rule.set("ann", "workflow:w", FOR_A_MINUTE);
    assert_eq!(rule.asked(), ["ann execution:other"]);
    let changed = fixture
        .backend("PUT", "/workflows/w", r#"{"owner_id":"bob"}"#)
        .await;
    assert_eq!(changed.0, 200);
    // Those that she was in as the owner: the next rule lets her stay in one of them, and for a time.
    assert_eq!(rule.asked(), ["ann execution:e", "ann workflow:w"]);
    assert_eq!(fixture.workflows.answers(), 2);
    let messages = ann.drain().await;
    let told: Vec<_> = messages
        .iter()
        .map(|message| (message["event"].as_str().unwrap(), message["room_id"].as_str()))
        .collect();
    assert_eq!(told, [("unsubscribed", Some("execution:e")), ("updated", None)]);
}
