//! Tokens that expire, and those that take their place.

use serde_json::{Value, json};
use tidings_access::{Revocation, RevokedTokens, UserId};
use tidings_transport::{Incoming, Protocol};
use tidings_wire::close_code::CloseCode;
use tidings_wire::time::Timestamp;

use super::fixture::{Client, Fixture};

const INVALID: &str = r#"{"type":"error","message":"Invalid token"}"#;

async fn sweep(fixture: &Fixture) {
    let gateway = &fixture.workflows.0;
    let now_ms = gateway.now().as_millis();
    gateway.warn_due(now_ms).await;
    gateway.tokens.close_due(now_ms).await;
}

fn seconds(at_s: i64) -> Timestamp {
    Timestamp::from_millis(at_s * 1_000)
}

async fn refresh(client: &mut Client, token: &str) -> String {
    client
        .send(&json!({"type": "refresh", "token": token}).to_string())
        .await;
    client.text().await
}

/// The expiry of a token, in seconds since 1970.
fn expiry_s(token: &str) -> i64 {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(payload)
        .unwrap();
    let claims: Value = serde_json::from_slice(&bytes).unwrap();
    claims["exp"].as_i64().unwrap()
}

#[tokio::test]
async fn a_warning_a_minute_before_the_expiry_for_those_who_asked() {
    let fixture = Fixture::new().await;
    let mut claims = fixture.claims("ann");
    let exp = fixture.workflows.0.now_s() + 120;
    claims.exp = Some(exp);
    let mut warned = fixture.client_with(claims.clone(), true).await;
    let mut silent = fixture.client_with(claims, false).await;
    fixture.advance(59);
    sweep(&fixture).await;
    assert!(warned.drain().await.is_empty());
    fixture.advance(1);
    sweep(&fixture).await;
    let expected = format!(r#"{{"type":"expiring","expires_at":"{}"}}"#, seconds(exp));
    assert_eq!(warned.text().await, expected);
    fixture.advance(30);
    sweep(&fixture).await;
    assert!(warned.drain().await.is_empty(), "once");
    assert!(silent.drain().await.is_empty());
    // Less than a minute to go: at once.
    let mut late = fixture.client_with(fixture.claims("bob"), true).await;
    fixture.advance(1);
    sweep(&fixture).await;
    assert_eq!(late.json().await["type"], "expiring");
    // Who has left is not looked for.
    let mut claims = fixture.claims("ann");
    claims.exp = Some(i64::MAX);
    drop(fixture.client_with(claims, true).await);
    drop((warned, late));
    sweep(&fixture).await;
}

#[tokio::test]
async fn a_new_token_keeps_the_connection() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client_with(fixture.claims("ann"), true).await;
    sweep(&fixture).await;
    assert_eq!(client.json().await["type"], "expiring");
    let token = fixture.token_for("ann", &[], 3_600);
    let expected = format!(
        r#"{{"type":"refreshed","expires_at":"{}"}}"#,
        seconds(expiry_s(&token))
    );
    assert_eq!(refresh(&mut client, &token).await, expected);
    // The first token and its grace are over.
    fixture.advance(60 + 25 + 1);
    sweep(&fixture).await;
    assert!(client.drain().await.is_empty());
    // The second one is warned of anew, and ends as the first would have.
    fixture.advance(3_600 - 60 - 86 + 2);
    sweep(&fixture).await;
    let warned = client.drain().await;
    assert_eq!(
        warned,
        [json!({"type": "expiring", "expires_at": seconds(expiry_s(&token)).to_string()})]
    );
    fixture.advance(60 + 26);
    sweep(&fixture).await;
    assert_eq!(client.closed().await, CloseCode::TokenExpired);
    // It is too late now, and it does not matter.
    let late = json!({"type": "refresh", "token": fixture.token_for("ann", &[], 7_200)}).to_string();
    assert_eq!(
        client.session.receive(Incoming::Text(late.as_str().into())).await,
        Ok(())
    );
}

#[tokio::test]
async fn a_refused_token_changes_nothing() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client("ann").await;
    let others = fixture.token_for("bob", &[], 3_600);
    let expired = fixture.token_for("ann", &[], 0);
    let good = fixture.token_for("ann", &[], 3_600);
    let forged = format!("{good}A");
    let service = fixture.token(tidings_access::ServiceScope::Service);
    fixture.advance(10);
    for token in ["", "x", &others, &expired, &forged, &service] {
        assert_eq!(refresh(&mut client, token).await, INVALID, "{token}");
    }
    for message in [
        r#"{"type":"refresh"}"#,
        r#"{"type":"refresh","token":null}"#,
        r#"{"type":"refresh","token":7}"#,
    ] {
        client.send(message).await;
        assert_eq!(client.text().await, INVALID, "{message}");
    }
    fixture.advance(74);
    sweep(&fixture).await;
    assert!(
        client.drain().await.is_empty(),
        "until its own expiry, with the grace"
    );
    fixture.advance(1);
    sweep(&fixture).await;
    assert_eq!(client.closed().await, CloseCode::TokenExpired);
}

#[tokio::test]
async fn rooms_by_claim_are_asked_about_with_the_new_claims() {
    let fixture = Fixture::new().await;
    fixture.registered("ann").await;
    let mut claims = fixture.claims("ann");
    claims.rooms = vec!["execution:a*".to_owned(), "workflow:x".to_owned()];
    let mut client = fixture.client_with(claims, false).await;
    for room in ["execution:a1", "execution:a2", "workflow:x", "execution:e"] {
        assert_eq!(client.subscribe(room).await["event"], "subscribed", "{room}");
    }
    let token = fixture.token_for("ann", &["execution:a2", "execution:b"], 60);
    assert!(
        refresh(&mut client, &token)
            .await
            .starts_with(r#"{"type":"refreshed""#)
    );
    let lost: Vec<_> = client
        .drain()
        .await
        .iter()
        .map(|message| format!("{} {}", message["event"], message["room_id"]))
        .collect();
    assert_eq!(
        lost,
        [
            r#""unsubscribed" "execution:a1""#,
            r#""unsubscribed" "workflow:x""#
        ]
    );
    assert_eq!(client.subscribe("execution:b").await["event"], "subscribed");
    assert_eq!(
        client.subscribe("execution:a1").await["message"],
        "Access denied to room"
    );
    // A refused one leaves them as they are.
    refresh(&mut client, "x").await;
    assert!(client.drain().await.is_empty());
    assert_eq!(fixture.workflows.0.directory.rooms_count(), 4);
}

#[tokio::test]
async fn the_connection_rests_on_the_new_token_alone() {
    let fixture = Fixture::new().await;
    let gateway = &fixture.workflows.0;
    let revocations = gateway.authenticator.revocations();
    let revoke = |id: &str| Revocation {
        tokens: RevokedTokens::Id(id.to_owned()),
        // Tokens are signed by a clock that goes on.
        revoked_at_s: gateway.now_s() + 10,
        until_s: gateway.now_s() + 1_000,
    };
    let mut claims = fixture.claims("ann");
    claims.jti = Some("first".to_owned());
    let mut client = fixture.client_with(claims, false).await;
    let token = fixture.token_for("ann", &[], 60);
    assert!(
        refresh(&mut client, &token)
            .await
            .starts_with(r#"{"type":"refreshed""#)
    );
    revocations.apply([revoke("first")]);
    fixture.workflows.close_revoked().await;
    assert!(client.drain().await.is_empty());
    // All tokens of the user, the new one too.
    revocations.apply([Revocation {
        tokens: RevokedTokens::User(UserId::new("ann").unwrap()),
        ..revoke("")
    }]);
    assert_eq!(
        refresh(&mut client, &token).await,
        INVALID,
        "a revoked token is refused"
    );
    fixture.workflows.close_revoked().await;
    assert_eq!(client.closed().await, CloseCode::Forbidden);
}
