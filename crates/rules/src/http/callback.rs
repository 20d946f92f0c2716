//! Calling the application's route.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use serde::Serialize;
use tidings_access::{Claims, RoomTarget};

use super::answer::{Answer, NoAnswer};

const USER_AGENT: &str = concat!("tidings/", env!("CARGO_PKG_VERSION"));
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The largest answer.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// How long a connection is kept that nobody needs: less than what Node's servers keep it, so that a call does not meet
/// its end.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// The application's route.
pub(super) struct Callback {
    client: Client,
    url: Url,
}

/// Who wants to enter what.
#[derive(Serialize)]
struct Body<'a> {
    user_id: &'a str,
    issuer: Option<&'a str>,
    scope: &'a [String],
    room: String,
}

pub(super) fn body(claims: &Claims, room: RoomTarget<'_>) -> Vec<u8> {
    let body = Body {
        user_id: claims.sub.as_str(),
        issuer: claims.iss.as_deref(),
        scope: &claims.scope,
        room: room.to_string(),
    };
    serde_json::to_vec(&body).expect("Invariant: texts are always JSON")
}

impl Callback {
    pub(super) fn new(
        url: Url,
        token: Option<String>,
        timeout: Duration,
        connections_max: usize,
    ) -> Result<Callback, reqwest::Error> {
        let mut headers = HeaderMap::from_iter([(ACCEPT, JSON), (CONTENT_TYPE, JSON)]);
        let authorization = token.and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok());
        if let Some(mut value) = authorization {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = Client::builder()
            .timeout(timeout)
            .default_headers(headers)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(connections_max)
            // A redirect could lead to where nobody has looked at the address: inside, or without TLS.
            .redirect(Policy::none())
            .user_agent(USER_AGENT);
        // What stays on this machine does not go through a proxy.
        let client = if is_loopback(&url) {
            client.no_proxy()
        } else {
            client
        };
        Ok(Callback {
            client: client.build()?,
            url,
        })
    }

    /// Asks. The question changes nothing there, so it is asked once more where a kept connection had just ended.
    pub(super) async fn ask(&self, body: Vec<u8>) -> Result<Answer, NoAnswer> {
        let response = match self.send(body.clone()).await {
            Err(error) if error.is_request() && !error.is_connect() && !error.is_timeout() => {
                self.send(body).await
            }
            sent => sent,
        };
        let mut response = response.map_err(broken)?;
        let status = response.status();
        let body = read(&mut response).await?;
        Answer::read(status, &body)
    }

    async fn send(&self, body: Vec<u8>) -> Result<Response, reqwest::Error> {
        self.client.post(self.url.clone()).body(body).send().await
    }
}

/// The body within its bound, also one that nobody looks at: its connection can be used again.
async fn read(response: &mut Response) -> Result<Vec<u8>, NoAnswer> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(broken)? {
        if body.len() + part.len() > ANSWER_BYTES_MAX {
            return Err(NoAnswer::TooLarge(ANSWER_BYTES_MAX));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// What went wrong, with what is behind it, and without the address.
fn broken(error: reqwest::Error) -> NoAnswer {
    if error.is_timeout() {
        return NoAnswer::Late;
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    NoAnswer::Broken(text)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use tidings_access::UserId;

    use super::*;

    #[test]
    fn exact_body() {
        let mut claims = Claims::for_user(UserId::new("ann \"a\"").unwrap());
        let room = RoomTarget::parse("execution:e:1").unwrap();
        let text = |claims: &Claims| String::from_utf8(body(claims, room)).unwrap();
        assert_eq!(
            text(&claims),
            r#"{"user_id":"ann \"a\"","issuer":null,"scope":[],"room":"execution:e:1"}"#
        );
        claims.iss = Some("https://issuer".to_owned());
        claims.scope = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(
            text(&claims),
            r#"{"user_id":"ann \"a\"","issuer":"https://issuer","scope":["a","b"],"room":"execution:e:1"}"#
        );
    }
}
