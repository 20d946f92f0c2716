//! Getting issuers' keys over HTTP.

use std::error::Error;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url, header};
use tidings_access::{BoxFuture, FetchError, FetchKeys, KEY_SET_BYTES_MAX};

use crate::config::is_loopback;

/// Key sets as they are asked for (RFC 7517, section 8.5).
const ACCEPT: &str = "application/jwk-set+json, application/json";
const USER_AGENT: &str = concat!("tidings/", env!("CARGO_PKG_VERSION"));

/// Where an issuer publishes its keys.
pub(crate) struct PublishedKeys {
    client: Client,
    url: Url,
}

impl PublishedKeys {
    /// `timeout` is for a request as a whole.
    pub(crate) fn new(url: Url, timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .timeout(timeout)
            // A redirect could lead to where nobody has looked at the address: inside, or without TLS.
            .redirect(Policy::none())
            .user_agent(USER_AGENT);
        // What stays on this machine does not go through a proxy; without TLS it could answer what it likes.
        let client = if is_loopback(&url) {
            client.no_proxy()
        } else {
            client
        };
        Ok(Self {
            client: client.build()?,
            url,
        })
    }

    async fn get(&self) -> Result<Vec<u8>, FetchError> {
        let request = self.client.get(self.url.clone()).header(header::ACCEPT, ACCEPT);
        let mut response = request.send().await.map_err(reason)?;
        if response.status() != StatusCode::OK {
            return Err(format!("it answers {}", response.status()).into());
        }
        let mut document = Vec::new();
        while let Some(part) = response.chunk().await.map_err(reason)? {
            if document.len() + part.len() > KEY_SET_BYTES_MAX {
                return Err(format!("it answers more than {KEY_SET_BYTES_MAX} bytes").into());
            }
            document.extend_from_slice(&part);
        }
        Ok(document)
    }
}

/// What went wrong, with what is behind it, and without the address, which the log has beside it.
fn reason(error: reqwest::Error) -> FetchError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text.into()
}

impl FetchKeys for PublishedKeys {
    fn fetch(&self) -> BoxFuture<'_, Result<Vec<u8>, FetchError>> {
        Box::pin(self.get())
    }
}
