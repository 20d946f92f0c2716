//! The page in `examples/board`: a user's runs, tasks and leads, as they come. Served in development mode only.
//!
//! The page is as public as the demo keys. What is a user's own it gets by a token, which is in the fragment of the link that
//! `tidings demo` prints: no server ever sees it there.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Serialize;
use tidings_transport::{Problem, ProblemCode};

use crate::listening::Listening;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const JSON: &str = "application/json";

/// A file of the page by its name: its type and its text.
macro_rules! file {
    ($name:literal, $content_type:expr) => {
        (
            $name,
            $content_type,
            include_str!(concat!("../../../examples/board/", $name)),
        )
    };
}

const FILES: [(&str, &str, &str); 11] = [
    file!("index.html", HTML),
    file!("board.css", CSS),
    file!("icon.svg", SVG),
    file!("workflow-websocket.js", SCRIPT),
    file!("board.js", SCRIPT),
    file!("leads.js", SCRIPT),
    file!("link.js", SCRIPT),
    file!("runs.js", SCRIPT),
    file!("socket-io.js", SCRIPT),
    file!("tasks.js", SCRIPT),
    file!("token.js", SCRIPT),
];

/// Where the page finds the gateways, on the host that it came from.
#[derive(Debug, Clone, Serialize)]
struct Addresses {
    workflows: Option<Endpoint>,
    tasks: Option<Endpoint>,
    flow: Option<Endpoint>,
}

/// A gateway's listener, which may be the page's own; none if it is off.
#[derive(Debug, Clone, Copy, Serialize)]
struct Endpoint {
    port: u16,
    /// Whether it speaks TLS.
    secure: bool,
}

/// The routes, for the workflows listener. `listening` is what all listeners have bound.
pub(crate) fn routes(listening: &Listening) -> Router {
    Router::new()
        .route("/board", get(async || Redirect::temporary("/board/")))
        .route("/board/", get(page))
        .route("/board/{name}", get(named))
        .with_state(Arc::new(Addresses::of(listening)))
}

async fn page(State(addresses): State<Arc<Addresses>>, uri: Uri, headers: HeaderMap) -> Response {
    let host = host(&uri, &headers);
    file("index.html", &addresses, host.as_deref())
}

async fn named(
    State(addresses): State<Arc<Addresses>>,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let host = host(&uri, &headers);
    file(&name, &addresses, host.as_deref())
}

fn file(name: &str, addresses: &Addresses, host: Option<&str>) -> Response {
    let (content_type, content) = if name == "addresses.json" {
        let text = serde_json::to_string(addresses)
            .expect("Invariant: addresses are numbers and truth values, which are always JSON");
        (JSON, text.into_response())
    } else if let Some((_, content_type, text)) = FILES.iter().find(|(file, ..)| *file == name) {
        (*content_type, text.into_response())
    } else {
        return Problem::new(ProblemCode::NotFound).into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::CONTENT_SECURITY_POLICY, addresses.policy(host)),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin".to_owned(),
        ),
    ];
    (headers, content).into_response()
}

/// The host that the browser asked for.
fn host(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    if let Some(host) = uri.host() {
        return Some(host.to_owned());
    }
    let authority: Authority = headers.get(header::HOST)?.to_str().ok()?.parse().ok()?;
    Some(authority.host().to_owned())
}

impl Addresses {
    fn of(listening: &Listening) -> Self {
        let endpoint = |gateway| {
            listening.first(gateway).map(|address| Endpoint {
                port: address.port(),
                secure: listening.is_secure(gateway),
            })
        };
        Self {
            workflows: endpoint("workflows"),
            tasks: endpoint("tasks"),
            flow: endpoint("flow"),
        }
    }

    /// Nothing from elsewhere, no script in the page, no text that becomes HTML; connections to the gateways alone.
    fn policy(&self, host: Option<&str>) -> String {
        let mut policy = String::from(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'; connect-src 'self'",
        );
        let Some(host) = host.filter(|host| is_plain(host)) else {
            return policy;
        };
        for endpoint in [self.workflows, self.tasks, self.flow].into_iter().flatten() {
            let scheme = if endpoint.secure { "wss" } else { "ws" };
            // Writing to a String cannot fail. A policy has no way to write an IPv6 address; its scheme has to do.
            let _ = if host.starts_with('[') {
                write!(policy, " {scheme}:")
            } else {
                write!(policy, " {scheme}://{host}:{}", endpoint.port)
            };
        }
        policy
    }
}

/// Whether it is a name or an address and nothing that could mean more in a policy.
fn is_plain(host: &str) -> bool {
    let is_name = |host: &str| {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
    };
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => matches!(address.parse(), Ok(IpAddr::V6(_))),
        None => is_name(host),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    fn listening() -> Listening {
        let mut listening = Listening::default();
        listening.add("workflows", "127.0.0.1:8000".parse().unwrap());
        listening.add("tasks", "127.0.0.1:8004".parse().unwrap());
        listening.secure("tasks");
        listening
    }

    async fn get(target: &str, host: Option<&str>) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::get(target);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = routes(&listening()).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (
            parts.status,
            parts.headers,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    #[tokio::test]
    async fn every_file_has_its_type() {
        for (name, content_type, text) in FILES {
            let (status, headers, body) = get(&format!("/board/{name}"), None).await;
            assert_eq!(
                (status, headers["content-type"].to_str().unwrap(), body.as_str()),
                (StatusCode::OK, content_type, text),
                "{name}"
            );
        }
        let (_, headers, body) = get("/board/", None).await;
        assert_eq!(
            (headers["content-type"].to_str().unwrap(), body.as_str()),
            (HTML, FILES[0].2)
        );
        let (status, headers, _) = get("/board", None).await;
        assert_eq!(
            (status, headers["location"].to_str().unwrap()),
            (StatusCode::TEMPORARY_REDIRECT, "/board/")
        );
        assert_eq!(get("/board/nothing.js", None).await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn the_page_is_told_where_the_gateways_are() {
        let (_, headers, body) = get("/board/addresses.json", None).await;
        assert_eq!(headers["content-type"], JSON);
        assert_eq!(
            body,
            r#"{"workflows":{"port":8000,"secure":false},"tasks":{"port":8004,"secure":true},"flow":null}"#
        );
    }

    #[tokio::test]
    async fn the_page_may_connect_to_the_gateways_and_nowhere_else() {
        for (host, sources) in [
            (
                Some("localhost:8000"),
                "'self' ws://localhost:8000 wss://localhost:8004",
            ),
            (
                Some("127.0.0.1"),
                "'self' ws://127.0.0.1:8000 wss://127.0.0.1:8004",
            ),
            (Some("[::1]:8000"), "'self' ws: wss:"),
            (Some("a;b"), "'self'"),
            (Some("a,b"), "'self'"),
            (Some("[::1;b]"), "'self'"),
            (Some("'unsafe-inline'"), "'self'"),
            (Some(""), "'self'"),
            (None, "'self'"),
        ] {
            let (_, headers, _) = get("/board/", host).await;
            let policy = headers["content-security-policy"].to_str().unwrap();
            let allowed = policy.rsplit_once("; connect-src ").unwrap().1;
            assert_eq!(allowed, sources, "{host:?}");
            assert!(
                policy.starts_with("default-src 'none'; script-src 'self';"),
                "{policy}"
            );
            for (name, value) in [
                ("cache-control", "no-store"),
                ("referrer-policy", "no-referrer"),
                ("x-content-type-options", "nosniff"),
            ] {
                assert_eq!(headers[name], value);
            }
        }
    }
}
