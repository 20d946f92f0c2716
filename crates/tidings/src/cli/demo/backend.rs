//! Requests to the server, as any backend would make them, repeated while it is away.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, anyhow};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, Response, StatusCode, Url};
use serde_json::Value;
use tidings_access::{JwtSigner, ServiceScope};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::demo::DEMO_KEYS;
use crate::failure::Failure;
use crate::running::Running;
use crate::signing;

/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const BACKOFF_MIN: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(4);
/// How much of an answer is read, in bytes. Answers are an object each.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// How long a service token is good; each request has one of its own.
const SERVICE_TOKEN_TTL: Duration = Duration::from_mins(5);

/// Why the demo ends before it is done.
#[derive(Debug)]
pub(super) enum Ending {
    /// Somebody has asked for it.
    Interrupted,
    Failed(Failure),
}

impl From<Failure> for Ending {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    Workflows,
    /// Where Dapr's routes are.
    Tasks,
    Flow,
}

/// A request, which may be made again and again.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) api: Api,
    pub(super) method: Method,
    /// The segments of the path; anything may stand in one.
    pub(super) path: &'a [&'a str],
    pub(super) content_type: &'a str,
    /// Has a repetition change nothing, where the request alone does not.
    pub(super) idempotency_key: Option<&'a str>,
    pub(super) body: Value,
    /// What it is for, in a message about it.
    pub(super) what: &'a str,
}

/// What the server says, once it says something that a repetition would not change.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

/// Why an attempt is not the last.
struct Trouble {
    text: String,
    wait: Option<Duration>,
}

impl Trouble {
    fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            wait: None,
        }
    }
}

/// The way to the server that serves the data directory.
pub(super) struct Backend<'a> {
    config: &'a Config,
    client: Client,
    signer: JwtSigner,
    patience: Duration,
    stop: CancellationToken,
    /// What was last told about the server's being away; none while it answers.
    told: Option<String>,
}

impl<'a> Backend<'a> {
    pub(super) fn new(
        config: &'a Config,
        patience: Duration,
        stop: CancellationToken,
    ) -> Result<Self, Failure> {
        let mut builder = Client::builder()
            .timeout(ATTEMPT_TIMEOUT)
            .redirect(Policy::none())
            // What stays on this machine does not go through a proxy.
            .no_proxy()
            .user_agent(concat!("tidings-demo/", env!("CARGO_PKG_VERSION")));
        // A certificate of one's own is signed by nobody whom anybody knows.
        for certificate in own_certificates(config).map_err(Failure::Usage)? {
            builder = builder.add_root_certificate(certificate);
        }
        Ok(Self {
            config,
            client: builder.build().context("cannot make HTTP requests")?,
            signer: JwtSigner::new(&signing::secret(config)?),
            patience,
            stop,
            told: None,
        })
    }

    /// The page's address. Nothing is repeated yet: who starts the demo wants to know at once what is wrong.
    pub(super) async fn board(&self, running: &Running) -> Result<Url, Failure> {
        let base = running.base_url("workflows", self.config).ok_or_else(|| {
            Failure::usage(
                "the workflows gateway is off, or reached by a proxy only; it is what serves the page",
            )
        })?;
        let board = Url::parse(&format!("{base}/board/"))
            .with_context(|| format!("cannot make an address of {base}"))?;
        let probe = board
            .join("addresses.json")
            .context("cannot extend the address")?;
        match self.client.get(probe).send().await {
            Ok(answer) if answer.status() == StatusCode::OK => Ok(board),
            Ok(answer) if answer.status() == StatusCode::NOT_FOUND => Err(Failure::usage(format!(
                "the server at {base} has no page /board/: only one in development mode does"
            ))),
            Ok(answer) => Err(Failure::unavailable(format!(
                "the server at {base} answers {}",
                answer.status()
            ))),
            Err(error) => Err(Failure::unavailable(format!(
                "the server that has written {} does not answer at {base}: {}",
                self.config.server.data_dir.join("listeners.json").display(),
                cause(&error)
            ))),
        }
    }

    /// Whether the API is there to be asked at all.
    pub(super) fn has(&self, running: &Running, api: Api) -> bool {
        running.base_url(self.listener(api), self.config).is_some()
    }

    /// Done when somebody has asked for the end.
    pub(super) async fn interrupted(&self) {
        self.stop.cancelled().await;
    }

    /// Makes a request until it is answered: with a success, 404 or 409, which are the caller's to judge. Other refusals, and a
    /// server that stays away for longer than the patience, end the demo.
    pub(super) async fn ask(&mut self, call: &Call<'_>) -> Result<Answer, Ending> {
        let asked = Instant::now();
        let mut backoff = BACKOFF_MIN;
        loop {
            let attempt = tokio::select! {
                () = self.stop.cancelled() => return Err(Ending::Interrupted),
                attempt = self.attempt(call) => attempt?,
            };
            let trouble = match attempt {
                Ok(answer) => {
                    if self.told.take().is_some() {
                        tell("the server answers again");
                    }
                    return Ok(answer);
                }
                Err(trouble) => trouble,
            };
            let wait = trouble.wait.unwrap_or_default().max(backoff);
            if asked.elapsed().saturating_add(wait) > self.patience {
                let (what, text) = (call.what, trouble.text);
                let patience_s = self.patience.as_secs();
                return Err(
                    Failure::unavailable(format!("{what}: {text}; given up after {patience_s} s")).into(),
                );
            }
            if self.told.as_ref() != Some(&trouble.text) {
                tell(&format!("{}: {}; trying again", call.what, trouble.text));
                self.told = Some(trouble.text);
            }
            tokio::select! {
                () = self.stop.cancelled() => return Err(Ending::Interrupted),
                () = tokio::time::sleep(wait) => {}
            }
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// One attempt, also when the end was asked for, and whatever becomes of it.
    pub(super) async fn last_word(&self, call: &Call<'_>) {
        let _ = self.attempt(call).await;
    }

    async fn attempt(&self, call: &Call<'_>) -> Result<Result<Answer, Trouble>, Ending> {
        // Read each time: a server that was started again may listen elsewhere.
        let running = match Running::read(self.config) {
            Ok(running) => running,
            Err(error) => return Ok(Err(Trouble::new(format!("{error:#}")))),
        };
        let Some(url) = self.url(&running, call) else {
            return Ok(Err(Trouble::new("the server does not listen there")));
        };
        let mut request = self
            .client
            .request(call.method.clone(), url)
            .header(CONTENT_TYPE, call.content_type)
            .body(call.body.to_string());
        if let Some((name, value)) = self.credentials(call.api)? {
            request = request.header(name, value);
        }
        if let Some(key) = call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Ok(Err(Trouble::new(format!("no answer: {}", cause(&error))))),
        };
        let (status, retry_after) = (response.status(), retry_after(&response));
        let body = match body(response).await {
            Ok(body) => body,
            Err(error) => return Ok(Err(Trouble::new(format!("half an answer: {error:#}")))),
        };
        judge(call, status, body, retry_after)
    }

    fn url(&self, running: &Running, call: &Call<'_>) -> Option<Url> {
        let base = running.base_url(self.listener(call.api), self.config)?;
        let mut url = Url::parse(&base).ok()?;
        url.path_segments_mut().ok()?.extend(call.path);
        Some(url)
    }

    /// Whether the page has where to hear of tasks; they are posted elsewhere, if there is a listener for that.
    pub(super) fn has_page_of_tasks(&self, running: &Running) -> bool {
        running.base_url("tasks", self.config).is_some()
    }

    fn listener(&self, api: Api) -> &'static str {
        match api {
            Api::Workflows => "workflows",
            Api::Tasks if self.config.tasks.ingest_listen.is_some() => "ingest",
            Api::Tasks => "tasks",
            Api::Flow => "flow",
        }
    }

    fn credentials(&self, api: Api) -> Result<Option<(&'static str, String)>, Failure> {
        Ok(match api {
            Api::Workflows => {
                let token = self.signer.sign_service(ServiceScope::Service, SERVICE_TOKEN_TTL);
                let token = token.map_err(|error| Failure::Internal(error.into()))?;
                Some((AUTHORIZATION.as_str(), format!("Bearer {}", token.reveal())))
            }
            Api::Tasks => {
                let token = self.config.tasks_dapr.api_token.as_ref();
                token.map(|token| ("dapr-api-token", token.expose().to_owned()))
            }
            Api::Flow => Some(("x-tenant-key", DEMO_KEYS[0].1.to_owned())),
        })
    }
}

/// What an answer means for the request.
fn judge(
    call: &Call<'_>,
    status: StatusCode,
    body: Value,
    retry_after: Option<Duration>,
) -> Result<Result<Answer, Trouble>, Ending> {
    let is_to_be_repeated = status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
        // Dapr's way to say so.
        || body["status"] == "RETRY";
    if is_to_be_repeated {
        return Ok(Err(Trouble {
            text: format!("the server answers {}", said(status, &body)),
            wait: retry_after,
        }));
    }
    if body["status"] == "DROP" {
        let told = "the server drops the event; `tidings dead-letters list` says why";
        return Err(Failure::usage(format!("{}: {told}", call.what)).into());
    }
    if status.is_success() || matches!(status, StatusCode::NOT_FOUND | StatusCode::CONFLICT) {
        return Ok(Ok(Answer { status, body }));
    }
    Err(Failure::usage(format!(
        "{}: the server answers {}; is it served with the same configuration?",
        call.what,
        said(status, &body)
    ))
    .into())
}

/// `409 illegal_transition: from completed to running`
pub(super) fn said(status: StatusCode, body: &Value) -> String {
    let mut text = status.as_u16().to_string();
    for (separator, member) in [(" ", "code"), (": ", "detail")] {
        if let Some(part) = body[member].as_str() {
            text.push_str(separator);
            text.push_str(part);
        }
    }
    text
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The answer's JSON; null if it is none.
async fn body(mut response: Response) -> anyhow::Result<Value> {
    let mut text = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| anyhow!(cause(&error)))? {
        if text.len() + part.len() > ANSWER_BYTES_MAX {
            return Err(anyhow!("it has more than {ANSWER_BYTES_MAX} bytes"));
        }
        text.extend_from_slice(&part);
    }
    Ok(serde_json::from_slice(&text).unwrap_or_default())
}

/// The certificate that the listeners show, if any does.
fn own_certificates(config: &Config) -> anyhow::Result<Vec<Certificate>> {
    let Some(path) = config
        .tls
        .certificate
        .as_ref()
        .filter(|_| !config.tls.listeners.is_empty())
    else {
        return Ok(Vec::new());
    };
    let pem = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Certificate::from_pem_bundle(&pem).with_context(|| format!("no certificate in {}", path.display()))
}

/// What is at the bottom of an error: `Connection refused (os error 111)`.
fn cause(error: &reqwest::Error) -> String {
    let mut deepest: &dyn Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

fn tell(text: &str) {
    // Nobody may be reading; that is no reason not to go on.
    let _ = writeln!(io::stderr(), "tidings: {text}");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_answers_mean() {
        let call = Call {
            api: Api::Workflows,
            method: Method::POST,
            path: &[],
            content_type: "application/json",
            idempotency_key: None,
            body: Value::Null,
            what: "a report",
        };
        let judged = |status: u16, body: Value| match judge(
            &call,
            StatusCode::from_u16(status).unwrap(),
            body,
            None,
        ) {
            Ok(Ok(answer)) => format!("answered {}", answer.status.as_u16()),
            Ok(Err(trouble)) => format!("again: {}", trouble.text),
            Err(Ending::Failed(failure)) => format!("ended: {}", failure.error()),
            Err(Ending::Interrupted) => "interrupted".to_owned(),
        };
        for (status, body, meaning) in [
            (200, json!({"status": "running"}), "answered 200"),
            (201, Value::Null, "answered 201"),
            (204, Value::Null, "answered 204"),
            (404, json!({"code": "not_found"}), "answered 404"),
            (409, json!({"code": "illegal_transition"}), "answered 409"),
            (200, json!({"status": "SUCCESS"}), "answered 200"),
            (200, json!({"status": "RETRY"}), "again: the server answers 200"),
            (
                200,
                json!({"status": "DROP"}),
                "ended: a report: the server drops the event; `tidings dead-letters list` says why",
            ),
            (408, Value::Null, "again: the server answers 408"),
            (
                429,
                json!({"code": "rate_limited"}),
                "again: the server answers 429 rate_limited",
            ),
            (500, Value::Null, "again: the server answers 500"),
            (
                503,
                json!({"code": "bus_unavailable", "detail": "later"}),
                "again: the server answers 503 bus_unavailable: later",
            ),
            (
                401,
                json!({"code": "invalid_token"}),
                "ended: a report: the server answers 401 invalid_token; is it served with the same configuration?",
            ),
            (
                403,
                Value::Null,
                "ended: a report: the server answers 403; is it served with the same configuration?",
            ),
            (
                302,
                Value::Null,
                "ended: a report: the server answers 302; is it served with the same configuration?",
            ),
        ] {
            assert_eq!(judged(status, body), meaning, "{status}");
        }
    }
}
