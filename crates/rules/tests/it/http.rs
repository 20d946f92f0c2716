//! The rule that calls the application's route.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tidings_access::{AnswersAbout, BreakerState, CacheFigures, RoomRule, RoomTarget, UserId, Verdict};
use tidings_rules::{BreakerSettings, HttpRule, HttpSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::application::{Application, settings};
use crate::{ask, claims};

const ALLOWED: &str = r#"{"allow": true, "ttl_s": 30}"#;

/// The verdict with the time that it holds in whole seconds, of which a moment has passed.
fn in_seconds(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Allow(Some(holds)) => {
            let nearly = holds + Duration::from_millis(999);
            Verdict::Allow(Some(Duration::from_secs(nearly.as_secs())))
        }
        verdict => verdict,
    }
}

fn is_allowed(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Allow(_))
}

#[tokio::test]
async fn who_asks_and_what() {
    let application = Application::start().await;
    let settings = HttpSettings {
        token: Some("the application knows us by this".to_owned()),
        ..application.settings()
    };
    let rule = HttpRule::new(settings).unwrap();
    application.set("ann", "execution:e 1", 200, ALLOWED).await;
    let mut claims = claims("ann");
    claims.iss = Some("https://issuer".to_owned());
    claims.scope = vec!["a".to_owned()];
    let verdict = rule
        .ask(&claims, RoomTarget::parse("execution:e 1").unwrap())
        .await;
    assert_eq!(in_seconds(verdict), Verdict::Allow(Some(Duration::from_secs(30))));
    let asked = application.state.asked.lock().await;
    let header = |name: &str| asked[0].headers[name].to_str().unwrap();
    assert_eq!(
        asked[0].body,
        r#"{"user_id":"ann","issuer":"https://issuer","scope":["a"],"room":"execution:e 1"}"#
    );
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("authorization"), "Bearer the application knows us by this");
    assert!(header("user-agent").starts_with("tidings/"));
}

#[tokio::test]
async fn answers_and_what_they_allow() {
    let application = Application::start().await;
    let rule = application.rule();
    let holds = |seconds| Verdict::Allow(Some(Duration::from_secs(seconds)));
    let large = format!(r#"{{"allow": true, "more": "{}"}}"#, "x".repeat(16 * 1024));
    let table = [
        (200, ALLOWED, holds(30)),
        (201, r#"{"allow": true}"#, holds(60)),
        (200, r#"{"allow": true, "ttl_s": 0}"#, holds(1)),
        (200, r#"{"allow": true, "ttl_s": 1000000}"#, holds(3_600)),
        (200, r#"{"allow": false, "ttl_s": 30}"#, Verdict::Nothing),
        (403, ALLOWED, Verdict::Nothing),
        (404, "", Verdict::Nothing),
        (401, "", Verdict::Nothing),
        (302, ALLOWED, Verdict::Failed),
        (500, ALLOWED, Verdict::Failed),
        (200, "", Verdict::Failed),
        (200, &large, Verdict::Failed),
    ];
    for (number, (status, body, expected)) in table.into_iter().enumerate() {
        let room = format!("execution:{number}");
        application.set("ann", &room, status, body).await;
        let verdict = in_seconds(ask(&rule, "ann", &room).await);
        assert_eq!(verdict, expected, "{status} {body}");
    }
}

#[tokio::test]
async fn answers_are_remembered_for_their_time() {
    let application = Application::start().await;
    let settings = HttpSettings {
        denial_holds: Duration::from_mins(1),
        ..application.settings()
    };
    let rule = HttpRule::new(settings).unwrap();
    application.set("ann", "execution:1", 200, ALLOWED).await;
    application.set("ann", "execution:2", 500, "").await;
    for _ in 0..3 {
        assert!(is_allowed(ask(&rule, "ann", "execution:1").await));
        assert_eq!(ask(&rule, "ann", "execution:2").await, Verdict::Failed);
        assert_eq!(ask(&rule, "ann", "execution:3").await, Verdict::Nothing);
        assert_eq!(ask(&rule, "bob", "execution:1").await, Verdict::Nothing);
    }
    assert_eq!(application.count().await, 4);
    let figures = CacheFigures {
        entries: 4,
        hits: 8,
        joined: 0,
        misses: 4,
    };
    assert_eq!(rule.state().cache, Some(figures));

    // Taken back: what is said from then on is another answer.
    application.set("ann", "execution:1", 403, "").await;
    application.set("bob", "execution:1", 200, ALLOWED).await;
    let room = RoomTarget::parse("execution:1");
    let ann = UserId::new("ann").unwrap();
    let about = AnswersAbout {
        user: Some(&ann),
        room,
    };
    assert_eq!(rule.forget(about), 1);
    assert_eq!(ask(&rule, "ann", "execution:1").await, Verdict::Nothing);
    assert_eq!(ask(&rule, "bob", "execution:1").await, Verdict::Nothing);
    assert_eq!(rule.forget(AnswersAbout { user: None, room }), 2);
    assert!(is_allowed(ask(&rule, "bob", "execution:1").await));

    // Denials that are not remembered.
    let settings = HttpSettings {
        denial_holds: Duration::ZERO,
        ..application.settings()
    };
    let rule = HttpRule::new(settings).unwrap();
    let before = application.count().await;
    for _ in 0..3 {
        assert_eq!(ask(&rule, "ann", "execution:1").await, Verdict::Nothing);
    }
    assert_eq!(application.count().await - before, 3);
}

#[tokio::test]
async fn one_call_for_all_who_ask_the_same_at_one_time() {
    let application = Application::start().await;
    application.set("ann", "execution:1", 200, ALLOWED).await;
    application.close();
    let rule = std::sync::Arc::new(application.rule());
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let rule = rule.clone();
            tokio::spawn(async move { ask(&*rule, "ann", "execution:1").await })
        })
        .collect();
    let joined = || rule.state().cache.unwrap().joined;
    while joined() < 49 || application.count().await == 0 {
        tokio::task::yield_now().await;
    }
    // Who asked first leaves, and the others have their answer all the same.
    asking[0].abort();
    application.open();
    for asked in asking.into_iter().skip(1) {
        assert!(is_allowed(asked.await.unwrap()));
    }
    assert_eq!(application.count().await, 1);
}

#[tokio::test]
async fn calls_at_one_time_and_those_that_wait_are_bounded() {
    let application = Application::start().await;
    application.close();
    let settings = HttpSettings {
        concurrency_max: 3,
        denial_holds: Duration::ZERO,
        timeout: Duration::from_mins(1),
        ..application.settings()
    };
    let rule = std::sync::Arc::new(HttpRule::new(settings).unwrap());
    let mut asking: Vec<_> = (0..3 + 1_024)
        .map(|number| {
            let rule = rule.clone();
            tokio::spawn(async move { ask(&*rule, "ann", &format!("execution:{number}")).await })
        })
        .collect();
    while rule.state().cache.unwrap().misses < 3 + 1_024 || application.count().await < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask(&*rule, "ann", "execution:one-more").await, Verdict::Failed);
    application.open();
    let verdicts = join_all(asking.drain(..)).await;
    assert!(
        verdicts
            .into_iter()
            .all(|verdict| verdict.unwrap() == Verdict::Nothing)
    );
    assert_eq!(application.state.under_way_most.load(SeqCst), 3);
    assert_eq!(ask(&*rule, "ann", "execution:one-more").await, Verdict::Nothing);
}

#[tokio::test]
async fn an_application_that_does_not_answer_denies_and_is_left_alone() {
    let application = Application::start().await;
    application
        .set("ann", "execution:1", 200, r#"{"allow": true, "ttl_s": 1}"#)
        .await;
    let open = Duration::from_secs(2);
    let settings = HttpSettings {
        timeout: Duration::from_millis(500),
        denial_holds: Duration::ZERO,
        breaker: BreakerSettings {
            failures_max: 3,
            open,
        },
        ..application.settings()
    };
    let rule = HttpRule::new(settings).unwrap();
    // It hangs.
    application.close();
    for number in 0..3 {
        assert_eq!(rule.state().breaker, Some(BreakerState::Closed), "{number}");
        let began = Instant::now();
        assert_eq!(ask(&rule, "ann", "execution:1").await, Verdict::Failed);
        assert!(began.elapsed() < Duration::from_secs(5));
    }
    assert_eq!(rule.state().breaker, Some(BreakerState::Open));
    let (count, opened) = (application.count().await, Instant::now());
    assert_eq!(ask(&rule, "ann", "execution:1").await, Verdict::Failed);
    assert_eq!(application.count().await, count, "nobody is asked");
    // It is gone, and comes back.
    let (port, state) = application.stop().await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while rule.state().breaker != Some(BreakerState::Open) || opened.elapsed() < open * 2 {
        assert_eq!(ask(&rule, "ann", "execution:1").await, Verdict::Failed);
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    let application = Application::start_at(port, state).await;
    application.open();
    while !is_allowed(ask(&rule, "ann", "execution:1").await) {
        assert!(Instant::now() < deadline, "it does not come back");
        tokio::task::yield_now().await;
    }
    assert_eq!(rule.state().breaker, Some(BreakerState::Closed));
}

#[tokio::test]
async fn refusals_are_no_failures() {
    let application = Application::start().await;
    let settings = HttpSettings {
        denial_holds: Duration::ZERO,
        breaker: BreakerSettings {
            failures_max: 1,
            open: Duration::from_mins(1),
        },
        ..application.settings()
    };
    let rule = HttpRule::new(settings).unwrap();
    for status in [400, 401, 403, 404, 410, 422] {
        application.set("ann", "execution:1", status, "").await;
        assert_eq!(
            ask(&rule, "ann", "execution:1").await,
            Verdict::Nothing,
            "{status}"
        );
    }
    assert_eq!(rule.state().breaker, Some(BreakerState::Closed));
}

/// A server that says so much of an answer on each connection, and then ends it, waits, or goes on.
async fn raw(answers: &'static [&'static str], then: Then) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4_096];
                for answer in answers {
                    // The whole question comes in one piece.
                    if stream.read(&mut buffer).await.unwrap_or(0) == 0 {
                        return;
                    }
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
                match then {
                    Then::End => {
                        // With the next question, as a server does that had let the connection go just then.
                        let _ = stream.read(&mut buffer).await;
                    }
                    Then::Wait => std::future::pending().await,
                }
            });
        }
    });
    port
}

#[derive(Clone, Copy)]
enum Then {
    End,
    Wait,
}

#[tokio::test]
async fn a_kept_connection_that_has_ended_is_no_failure() {
    const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"allow\": true}";
    let port = raw(&[ANSWER], Then::End).await;
    let rule = HttpRule::new(settings(port)).unwrap();
    for number in 0..20 {
        let verdict = ask(&rule, "ann", &format!("execution:{number}")).await;
        assert!(is_allowed(verdict), "{number}");
    }
}

#[tokio::test]
async fn an_answer_that_never_ends_has_a_time_and_a_size() {
    const BEGUN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"allow\": ";
    const ENDLESS: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n";
    for answer in [&[BEGUN], &[ENDLESS]] {
        let port = raw(answer, Then::Wait).await;
        let settings = HttpSettings {
            timeout: Duration::from_millis(300),
            ..settings(port)
        };
        let began = Instant::now();
        let rule = HttpRule::new(settings).unwrap();
        assert_eq!(ask(&rule, "ann", "execution:1").await, Verdict::Failed);
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}
