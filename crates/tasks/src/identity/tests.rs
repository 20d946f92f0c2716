use super::*;
use serde_json::{Map, json};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};
use tidings_access::{JwtSecret, JwtSigner, ServiceScope};

struct Signed {
    signer: JwtSigner,
    authenticator: Authenticator,
}

impl Signed {
    fn new() -> Signed {
        let secret = JwtSecret::new("0123456789abcdef0123456789abcdef").unwrap();
        Signed {
            signer: JwtSigner::new(&secret),
            authenticator: Authenticator::local(&secret),
        }
    }

    fn user(&self, user: &str) -> String {
        let user = UserId::new(user).unwrap();
        let token = self
            .signer
            .sign_user(&user, Duration::from_mins(1), Map::new())
            .unwrap();
        token.reveal().to_owned()
    }

    fn identify(
        &self,
        target: &str,
        headers: &[(&str, &str)],
        is_required: bool,
    ) -> Result<String, CloseCode> {
        self.identify_at(target, headers, is_required, now_s())
            .map(|identity| identity.user.to_string())
    }

    fn identify_at(
        &self,
        target: &str,
        headers: &[(&str, &str)],
        is_required: bool,
        now_s: i64,
    ) -> Result<Identity, CloseCode> {
        let mut map = HeaderMap::new();
        let mut protocols = Vec::new();
        for (name, value) in headers {
            if *name == "sec-websocket-protocol" {
                protocols.extend(value.split(", ").map(str::to_owned));
            } else {
                map.insert(
                    axum::http::HeaderName::try_from(*name).unwrap(),
                    value.parse().unwrap(),
                );
            }
        }
        let credentials = Credentials::read(&target.parse().unwrap(), &map, &protocols);
        let identifying = credentials.identify(&self.authenticator, now_s, is_required);
        match pin!(identifying).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(identity) => identity,
            Poll::Pending => panic!("a key that is known is not waited for"),
        }
    }
}

fn now_s() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        .try_into()
        .unwrap()
}

#[test]
fn a_user_id_is_believed_where_no_token_is_required() {
    let signed = Signed::new();
    let longest = "u".repeat(200);
    let table = [
        ("/ws?user_id=user-123", Ok("user-123")),
        ("/ws?user_id=a%40b.c+d%2Be", Ok("a@b.c d+e")),
        ("/ws?user_id=%C3%A4", Ok("ä")),
        ("/ws?user_id=a&user_id=b", Ok("a")),
        ("/ws?user_id=a&token=", Ok("a")),
        ("/ws?x=1&user_id=a", Ok("a")),
        (&format!("/ws?user_id={longest}"), Ok(longest.as_str())),
        ("/ws", Err(CloseCode::MissingUserId)),
        ("/ws?user_id", Err(CloseCode::MissingUserId)),
        ("/ws?user_id=", Err(CloseCode::MissingUserId)),
        ("/ws?user_id=&user_id=b", Err(CloseCode::MissingUserId)),
        ("/ws?USER_ID=a", Err(CloseCode::MissingUserId)),
        ("/ws?user_id=a%00", Err(CloseCode::InvalidUserId)),
        ("/ws?user_id=a%0A", Err(CloseCode::InvalidUserId)),
        ("/ws?user_id=%FF", Err(CloseCode::InvalidUserId)),
        (&format!("/ws?user_id={longest}u"), Err(CloseCode::InvalidUserId)),
        ("/ws?user_id=a&token=x", Err(CloseCode::InvalidToken)),
    ];
    for (target, expected) in table {
        assert_eq!(
            signed.identify(target, &[], false),
            expected.map(str::to_owned),
            "{target}"
        );
    }
}

#[test]
fn a_required_token_is_missed() {
    let signed = Signed::new();
    for (target, code) in [
        ("/ws?user_id=a", CloseCode::MissingToken),
        ("/ws?user_id=a&token=", CloseCode::MissingToken),
        ("/ws", CloseCode::MissingUserId),
    ] {
        assert_eq!(signed.identify(target, &[], true), Err(code), "{target}");
    }
}

#[test]
fn the_subject_of_a_token_is_the_user_wherever_the_token_stands() {
    let signed = Signed::new();
    let (ada, bob) = (signed.user("ada"), signed.user("bob"));
    for is_required in [false, true] {
        let identify =
            |target: &str, headers: &[(&str, &str)]| signed.identify(target, headers, is_required).unwrap();
        let authorization = format!("Bearer {ada}");
        let lower_case = format!("bearer  {ada}");
        let protocol = format!("bearer, {ada}");
        assert_eq!(identify(&format!("/ws?token={ada}"), &[]), "ada");
        assert_eq!(
            identify(&format!("/ws?user_id=anonymous&token={ada}"), &[]),
            "ada"
        );
        assert_eq!(identify(&format!("/ws?token={ada}&token={bob}"), &[]), "ada");
        assert_eq!(identify("/ws", &[("authorization", &authorization)]), "ada");
        assert_eq!(identify("/ws?token=", &[("authorization", &lower_case)]), "ada");
        assert_eq!(
            identify("/ws?user_id=bob", &[("sec-websocket-protocol", &protocol)]),
            "ada"
        );
        assert_eq!(
            identify(&format!("/ws?token={bob}"), &[("authorization", &authorization)]),
            "bob"
        );
    }
}

#[test]
fn tokens_that_do_not_verify_are_no_way_in() {
    let signed = Signed::new();
    let ada = signed.user("ada");
    let service = signed
        .signer
        .sign_service(ServiceScope::Operator, Duration::from_mins(1))
        .unwrap();
    let claims = json!({ "type": "refresh" }).as_object().unwrap().clone();
    let refresh = signed
        .signer
        .sign_user(&UserId::new("ada").unwrap(), Duration::from_mins(1), claims)
        .unwrap();
    let cut = &ada[..ada.len() - 2];
    for token in [cut, "a.b.c", service.reveal(), refresh.reveal()] {
        let target = format!("/ws?user_id=ada&token={token}");
        assert_eq!(signed.identify(&target, &[], false), Err(CloseCode::InvalidToken));
    }
    let target = format!("/ws?token={ada}");
    assert_eq!(
        signed.identify_at(&target, &[], false, now_s() + 3_600),
        Err(CloseCode::InvalidToken)
    );
    let identity = signed.identify_at(&target, &[], false, now_s()).unwrap();
    assert!((0..=2).contains(&(identity.token.unwrap().expiry_s.unwrap() - now_s() - 60).abs()));
}
