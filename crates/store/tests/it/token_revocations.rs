use std::time::Duration;

use tidings_store::{
    RevokedToken, StoreError, TOKEN_REVOCATIONS_MAX, TOKEN_REVOCATIONS_PAGE_MAX, TokenRevocationNumber,
};
use tidings_wire::time::Timestamp;

use crate::fixture::{Backend, Fixture, START_MS};

on_each_backend! {
    revocations_are_read_by_number,
    what_is_revoked_anew_has_a_new_number,
    revocations_end,
    revocations_are_bounded,
    revocations_of_many_at_once_are_seen_in_order,
}

fn at(offset_ms: i64) -> Timestamp {
    Timestamp::from_millis(START_MS + offset_ms)
}

fn id(text: &str) -> RevokedToken {
    RevokedToken::Id(text.to_owned())
}

fn user(text: &str) -> RevokedToken {
    RevokedToken::User(text.to_owned())
}

const FIRST: TokenRevocationNumber = TokenRevocationNumber(0);

async fn revocations_are_read_by_number(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    let mut revoked = Vec::new();
    // The id and the user of the same text are two things.
    for token in [id("t1"), user("t1"), id("Ø t2")] {
        fixture.advance_ms(1);
        revoked.push(store.revoke_token(token, at(10_000)).await.unwrap());
    }
    assert_eq!(store.token_revocations(FIRST, 10).await.unwrap(), revoked);
    assert_eq!(store.token_revocations(FIRST, 2).await.unwrap(), revoked[..2]);
    assert_eq!(
        store.token_revocations(revoked[0].number, 10).await.unwrap(),
        revoked[1..]
    );
    assert_eq!(store.token_revocations(revoked[2].number, 10).await.unwrap(), []);
    assert_eq!(
        serde_json::to_string(&revoked[..2]).unwrap(),
        r#"[{"jti":"t1","revokedAt":"2026-02-07T12:00:00.001Z","until":"2026-02-07T12:00:10.000Z"},{"sub":"t1","revokedAt":"2026-02-07T12:00:00.002Z","until":"2026-02-07T12:00:10.000Z"}]"#
    );
}

async fn what_is_revoked_anew_has_a_new_number(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    let first = store.revoke_token(user("ann"), at(10_000)).await.unwrap();
    fixture.advance_ms(5);
    let again = store.revoke_token(user("ann"), at(7_000)).await.unwrap();
    assert!(again.number > first.number);
    assert_eq!(
        (again.revoked_at, again.until),
        (at(5), at(10_000)),
        "the later end holds"
    );
    assert_eq!(store.token_revocations(FIRST, 10).await.unwrap(), [again]);
}

async fn revocations_end(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    store.revoke_token(id("t1"), at(100)).await.unwrap();
    fixture.advance_ms(99);
    assert_eq!(store.token_revocations(FIRST, 10).await.unwrap().len(), 1);
    fixture.advance_ms(1);
    assert_eq!(store.token_revocations(FIRST, 10).await.unwrap(), []);
    // Forgotten with its end: it does not come back longer than it is asked for.
    let again = store.revoke_token(id("t1"), at(101)).await.unwrap();
    assert_eq!(again.until, at(101));
    for until in [at(100), at(0)] {
        let refused = store.revoke_token(id("t2"), until).await;
        assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    }
}

async fn revocations_are_bounded(backend: Backend) {
    let fixture = Fixture::new(backend).await;
    let store = &fixture.store;
    for text in ["", &"x".repeat(1_025), "a\0b"] {
        let refused = store.revoke_token(id(text), at(1_000)).await;
        assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    }
    store
        .revoke_token(id(&"x".repeat(1_024)), at(1_000))
        .await
        .unwrap();
    let numbers = match backend {
        Backend::Sqlite => "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 99999)",
        Backend::Postgres => "WITH n (n) AS (SELECT generate_series(1, 99999))",
    };
    let fill = "SELECT 'id', CAST(n AS TEXT), 0, 9000000000000 FROM n";
    let insert = match backend {
        Backend::Sqlite => {
            format!("INSERT INTO token_revocation (kind, value, revoked_at, until) {numbers} {fill}")
        }
        Backend::Postgres => {
            format!("{numbers} INSERT INTO token_revocation (kind, value, revoked_at, until) {fill}")
        }
    };
    fixture.try_statement(&insert).await.unwrap();
    let refused = store.revoke_token(id("one more"), at(1_000)).await;
    assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    store
        .revoke_token(id("17"), at(1_000))
        .await
        .expect("is among them");
    fixture.advance_ms(1_000);
    store
        .revoke_token(id("one more"), at(2_000))
        .await
        .expect("the first has ended");
    let (mut after, mut count) = (FIRST, 0);
    loop {
        let page = store.token_revocations(after, u32::MAX).await.unwrap();
        assert!(page.len() <= TOKEN_REVOCATIONS_PAGE_MAX as usize);
        let Some(last) = page.last() else { break };
        after = last.number;
        count += page.len();
    }
    assert_eq!(count, TOKEN_REVOCATIONS_MAX as usize);
}

/// Whoever reads above the highest number that it has seen has seen them all.
async fn revocations_of_many_at_once_are_seen_in_order(backend: Backend) {
    const WRITERS: usize = 8;
    const EACH: usize = 25;
    let fixture = Fixture::new(backend).await;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = fixture.store.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    let token = id(&format!("{writer}/{number}"));
                    store.revoke_token(token, at(60_000)).await.unwrap();
                }
            })
        })
        .collect();
    let reader = fixture.store.clone();
    let (mut after, mut seen) = (FIRST, 0);
    let reading = async {
        while seen < WRITERS * EACH {
            for revocation in reader.token_revocations(after, 1_000).await.unwrap() {
                assert!(revocation.number > after);
                after = revocation.number;
                seen += 1;
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), reading)
        .await
        .expect("every revocation is seen");
    for writer in writers {
        writer.await.unwrap();
    }
}
