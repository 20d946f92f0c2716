//! The rule that asks the application's database.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sqlx::{Connection, Executor};
use tidings_access::{BreakerState, RoomRule, Verdict};
use tidings_rules::{BreakerSettings, SqlRule, SqlRuleError, SqlSettings};

use crate::ask;
use crate::database::Database;

const OWNERS: &str = "SELECT true FROM grants WHERE owner = $1 AND kind = $2 AND id = $3";
const MINUTE: Verdict = Verdict::Allow(Some(Duration::from_mins(1)));
const ANN: &str = "INSERT INTO grants VALUES ('ann', 'execution', '1')";

fn rule(settings: SqlSettings) -> SqlRule {
    SqlRule::new(settings).unwrap()
}

#[tokio::test]
async fn queries_and_what_they_allow() {
    let database = Database::new().await;
    database.execute(ANN).await;
    let exists = "SELECT EXISTS (SELECT FROM grants WHERE owner = $1 AND kind = $2 AND id = $3)";
    let numbers = "SELECT true WHERE $1::int = 7";
    let uuids = "SELECT true WHERE $3::uuid = '123e4567-e89b-12d3-a456-426614174000'";
    let table = [
        (OWNERS, "ann", "execution:1", MINUTE),
        (OWNERS, "ann", "execution:2", Verdict::Nothing),
        (OWNERS, "ann", "workflow:1", Verdict::Nothing),
        (OWNERS, "bob", "execution:1", Verdict::Nothing),
        (OWNERS, "ann", "execution:1' OR true --", Verdict::Nothing),
        (OWNERS, "ann' OR true --", "execution:x", Verdict::Nothing),
        (OWNERS, "ann", "execution:%", Verdict::Nothing),
        (exists, "ann", "execution:1", MINUTE),
        (exists, "bob", "execution:1", Verdict::Nothing),
        ("SELECT true", "bob", "execution:x", MINUTE),
        ("SELECT false", "ann", "execution:1", Verdict::Nothing),
        ("SELECT null::boolean", "ann", "execution:1", Verdict::Nothing),
        ("SELECT true WHERE false", "ann", "execution:1", Verdict::Nothing),
        ("SELECT $1 = 'ann', 'more'", "ann", "execution:1", MINUTE),
        ("VALUES (false), (true)", "ann", "execution:1", Verdict::Nothing),
        ("VALUES (true), (false)", "ann", "execution:1", MINUTE),
        // What is no number or UUID belongs to nobody, and nobody is to blame.
        (numbers, "7", "execution:1", MINUTE),
        (numbers, "seven", "execution:1", Verdict::Nothing),
        (numbers, "99999999999", "execution:1", Verdict::Nothing),
        (
            uuids,
            "ann",
            "execution:123e4567-e89b-12d3-a456-426614174000",
            MINUTE,
        ),
        (uuids, "ann", "execution:1", Verdict::Nothing),
        // Not as it was agreed on.
        ("SELECT 1", "ann", "execution:1", Verdict::Failed),
        ("SELECT 'true'", "ann", "execution:1", Verdict::Failed),
        (
            "SELECT count(*) FROM grants",
            "ann",
            "execution:1",
            Verdict::Failed,
        ),
        ("SELECT", "ann", "execution:1", Verdict::Failed),
        ("SELECT true FROM nowhere", "ann", "execution:1", Verdict::Failed),
        ("SELEKT true", "ann", "execution:1", Verdict::Failed),
        ("SELECT true; SELECT true", "ann", "execution:1", Verdict::Failed),
        ("SELECT $4 = 'x'", "ann", "execution:1", Verdict::Failed),
        ("", "ann", "execution:1", Verdict::Nothing),
    ];
    for (query, user, room, expected) in table {
        let verdict = ask(&rule(database.settings(query)), user, room).await;
        assert_eq!(verdict, expected, "{query:?} {user} {room}");
    }
}

#[tokio::test]
async fn a_query_changes_nothing() {
    let database = Database::new().await;
    database.execute(ANN).await;
    for query in [
        "INSERT INTO grants VALUES ($1, $2, $3) RETURNING true",
        "DELETE FROM grants RETURNING true",
        "WITH gone AS (DELETE FROM grants RETURNING true) SELECT true FROM gone",
        "CREATE TABLE mine (id text)",
        "COMMIT",
        "SET TRANSACTION READ WRITE",
    ] {
        let rule = rule(database.settings(query));
        for room in ["execution:1", "execution:2"] {
            let verdict = ask(&rule, "ann", room).await;
            assert!(!matches!(verdict, Verdict::Allow(_)), "{query}");
        }
    }
    assert_eq!(database.count("SELECT count(*) FROM grants").await, 1);
}

#[tokio::test]
async fn a_query_has_a_time() {
    let database = Database::new().await;
    let slow = SqlSettings {
        timeout: Duration::from_millis(200),
        ..database.settings("SELECT true FROM pg_sleep(60)")
    };
    let began = Instant::now();
    assert_eq!(ask(&rule(slow), "ann", "execution:1").await, Verdict::Failed);
    let lasted = began.elapsed();
    assert!(
        lasted >= Duration::from_millis(200) && lasted < Duration::from_secs(10),
        "{lasted:?}"
    );
    let running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' AND pid <> pg_backend_pid()";
    let deadline = Instant::now() + Duration::from_secs(20);
    while database.count(running).await != 0 {
        assert!(Instant::now() < deadline, "it goes on there");
    }
}

#[tokio::test]
async fn a_database_that_is_away_denies_and_is_left_alone() {
    let database = Database::new().await;
    database.execute(ANN).await;
    let link = database.link(0).await;
    let port = link.port;
    let open = Duration::from_secs(2);
    let settings = SqlSettings {
        url: database.url_by(port),
        timeout: Duration::from_secs(1),
        breaker: BreakerSettings {
            failures_max: 2,
            open,
        },
        ..database.settings(OWNERS)
    };
    let rule = rule(settings);
    assert_eq!(ask(&rule, "ann", "execution:1").await, MINUTE);
    link.cut().await;
    assert_eq!(ask(&rule, "ann", "execution:1").await, Verdict::Failed);
    assert_eq!(rule.state().breaker, Some(BreakerState::Closed));
    assert_eq!(ask(&rule, "ann", "execution:1").await, Verdict::Failed);
    assert_eq!(rule.state().breaker, Some(BreakerState::Open));
    let began = Instant::now();
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    listener.set_nonblocking(true).unwrap();
    assert_eq!(ask(&rule, "ann", "execution:1").await, Verdict::Failed);
    let nobody = listener.accept().unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock, "nobody is asked");
    drop(listener);
    let _link = database.link(port).await;
    // It is asked again by itself, as soon as that is allowed.
    let deadline = Instant::now() + Duration::from_secs(20);
    while ask(&rule, "ann", "execution:1").await != MINUTE {
        assert!(Instant::now() < deadline, "it does not come back");
        tokio::task::yield_now().await;
    }
    assert!(began.elapsed() >= open);
    assert_eq!(rule.state().breaker, Some(BreakerState::Closed));
}

#[tokio::test]
async fn nobody_is_connected_to_before_somebody_asks() {
    let database = Database::new().await;
    // Nothing listens there.
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = unused.local_addr().unwrap().port();
    drop(unused);
    let settings = SqlSettings {
        url: database.url_by(port),
        timeout: Duration::from_secs(2),
        ..database.settings("SELECT true")
    };
    let rule = rule(settings);
    assert_eq!(ask(&rule, "ann", "execution:1").await, Verdict::Failed);
    let _link = database.link(port).await;
    assert_eq!(ask(&rule, "ann", "execution:1").await, MINUTE);
}

#[tokio::test]
async fn an_address_of_another_kind_is_refused() {
    let database = Database::new().await;
    for url in ["", "mysql://x/y", "postgres://x:port/y", "sqlite::memory:"] {
        let settings = SqlSettings {
            url: url.to_owned(),
            ..database.settings("SELECT true")
        };
        assert_eq!(SqlRule::new(settings).err(), Some(SqlRuleError::Address), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_bounded_and_questions_wait() {
    let database = Database::new().await;
    let settings = SqlSettings {
        connections_max: 2,
        ..database.settings(
            "SELECT count(*) <= 2 FROM pg_stat_activity, pg_sleep(0.02) WHERE application_name = 'tidings-rules' AND query LIKE '%asked%'",
        )
    };
    let rule = rule(settings);
    let asked = (0..40).map(|number| {
        let room = format!("execution:{number}");
        let rule = &rule;
        async move { ask(rule, "ann", &room).await }
    });
    assert_eq!(join_all(asked).await, [MINUTE; 40]);
}

#[tokio::test]
async fn a_lock_in_the_database_is_waited_for_and_no_longer() {
    let database = Database::new().await;
    database.execute(ANN).await;
    let settings = SqlSettings {
        timeout: Duration::from_secs(1),
        ..database.settings(OWNERS)
    };
    let rule = rule(settings);
    let mut other = database.connect().await;
    let mut transaction = other.begin().await.unwrap();
    transaction
        .execute("LOCK TABLE grants IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    assert_eq!(ask(&rule, "ann", "execution:1").await, Verdict::Failed);
    transaction.rollback().await.unwrap();
    assert_eq!(ask(&rule, "ann", "execution:1").await, MINUTE);
}
