//! Targets and headers of requests: parameters are those of the URL standard, of repeated ones the first counts, and a
//! credential is found where it stands.

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidings_flow::fuzzing as flow;
use tidings_hub::RoomName;
use tidings_tasks::fuzzing as tasks;
use tidings_transport::{OriginPolicy, bearer_token, fuzzing as transport, offered_token};
use tidings_wire::websocket::accept_key;
use tidings_workflows::fuzzing as workflows;

/// The target on the first line, headers on the others.
pub(crate) fn run(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let target = lines.next().unwrap_or_default();
    let Ok(uri) = Uri::try_from(target) else { return };
    let mut parts = Request::new(()).into_parts().0;
    for line in lines {
        let mut halves = line.splitn(2, |byte| *byte == b':');
        let name = halves.next().and_then(|name| HeaderName::try_from(name).ok());
        let value = halves.next().map(<[u8]>::trim_ascii);
        if let (Some(name), Some(Ok(value))) = (name, value.map(HeaderValue::from_bytes)) {
            parts.headers.append(name, value);
        }
    }
    parts.uri = uri;
    query(&parts.uri, &parts.headers);
    credentials(&parts.headers);
    upgrade(&parts);
    origins(&parts.headers);
    conditions(&parts.headers);
}

fn conditions(headers: &HeaderMap) {
    let conditions = flow::conditions(headers);
    if !headers.contains_key(header::IF_MATCH) && !headers.contains_key(header::IF_NONE_MATCH) {
        assert!(
            matches!(conditions, Ok((true, false))),
            "no condition, no answer to it"
        );
    }
}

fn query(uri: &Uri, headers: &HeaderMap) {
    let pairs = form_urlencoded(uri.query().unwrap_or_default());
    let first = |name: &str| {
        pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    let present = |name| first(name).filter(|value| !value.is_empty());

    let [version, transport, sid] = transport::engineio(uri);
    // An empty `sid` is none, so that the next one counts.
    let sids = pairs
        .iter()
        .find(|(key, value)| key == "sid" && !value.is_empty());
    assert_eq!((version, transport), (first("EIO"), first("transport")));
    assert_eq!(sid.as_ref(), sids.map(|(_, value)| value));
    if let Some(sid) = &sid {
        let id = transport::session_id(sid);
        assert!(id.is_none_or(|id| id == *sid), "two spellings of a session");
    }
    assert_eq!(workflows::token(uri), present("token"));
    let rooms = pairs.iter().filter(|(key, _)| key == "room");
    let rooms: Vec<_> = rooms.map(|(_, room)| RoomName::new(room).ok()).collect();
    assert_eq!(workflows::rooms(uri), rooms);
    let (user, token) = tasks::credentials(uri, headers, &[]);
    assert_eq!(user, present("user_id"));
    let bearer = bearer_token(headers).filter(|token| !token.is_empty());
    assert_eq!(token, present("token").or(bearer.map(str::to_owned)));
    if flow::listing(&pairs).is_ok() {
        let limit = present("limit").map(|limit| limit.parse::<u32>());
        assert!(limit.is_none_or(|limit| matches!(limit, Ok(1..=100))));
    }
}

/// WHATWG URL, section 5.1.
fn form_urlencoded(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    let mut rest = text.as_bytes();
    let mut output = Vec::new();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let escaped = after
            .first_chunk::<2>()
            .filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        match escaped {
            Some(byte) => {
                output.push(byte);
                rest = &after[2..];
            }
            None => output.push(if *first == b'+' { b' ' } else { *first }),
        }
    }
    String::from_utf8_lossy(&output).into_owned()
}

fn credentials(headers: &HeaderMap) {
    let keys = flow::keys(headers, None);
    assert!(keys.len() <= 5 && keys.iter().all(|key| !key.is_empty()));
    if let Some(key) = keys.first() {
        let values = ["x-tenant-key", "x-api-key"].map(|name| headers.get_all(name).iter());
        let mut values = values.into_iter().flatten();
        assert!(values.any(|value| String::from_utf8_lossy(value.as_bytes()).trim() == key));
    }
    let protocols: Vec<String> = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|protocol| protocol.trim().to_owned())
        .collect();
    if let Some(token) = offered_token(&protocols) {
        let (before, _) = protocols
            .iter()
            .zip(&protocols[1..])
            .find(|(_, after)| *after == token)
            .expect("it is offered");
        assert!(before == "bearer" || protocols.iter().filter(|protocol| *protocol == token).count() > 1);
    }
}

fn upgrade(parts: &Parts) {
    let answer = transport::upgrade(parts);
    let mut others = parts.clone();
    others.method = Method::POST;
    assert!(transport::upgrade(&others).is_err(), "an upgrade by POST");
    let Ok(answer) = answer else { return };
    let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).expect("a key");
    let key = key.to_str().expect("base64").trim();
    assert!(STANDARD.decode(key).is_ok_and(|key| key.len() == 16));
    assert_eq!(answer, *accept_key(key));
}

fn origins(headers: &HeaderMap) {
    let has_origin = headers.contains_key(header::ORIGIN);
    let loopback = OriginPolicy::Loopback.allowed_origin(headers);
    assert!(OriginPolicy::Any.permits(headers) || headers.get_all(header::ORIGIN).iter().count() > 1);
    assert_eq!(OriginPolicy::List(Vec::new()).permits(headers), !has_origin);
    if let Some(origin) = loopback {
        // A browser that sends this has it from this machine.
        let uri = Uri::try_from(origin.as_bytes()).expect("an origin");
        assert!(
            matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]")),
            "{uri}"
        );
    }
}
