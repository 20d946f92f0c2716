//! Who may enter which room of the workflows gateway.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;
use tidings_access::{ClaimRule, RegistryRule};
use tidings_rules::{BreakerSettings, HttpRule, HttpSettings, SqlRule, SqlSettings};

use super::issuers::is_loopback;
use super::secret::Secret;
use super::section::section;
use super::setting::{Setting, parsed, quoted};
use super::value::{Mismatch, Value};

section! {
    /// Who may enter which room of the workflows gateway: [how-to/access.md](../how-to/access.md).
    ["access"] Access(base) {
        /// The rules that are asked for rooms `execution:…` and `workflow:…`, in this order until one lets the user in: `registry`
        /// (the owner in the store), `claim` (the claim `rooms` of the token), `sql` (`[access.sql]`) and `http`
        /// (`[access.http]`). Nobody enters by a rule that is not listed; with none, only users' own rooms are entered.
        rules: Vec<RuleName> = vec![RuleName::Registry, RuleName::Claim];
        /// How long an owner stays in a room before the store is asked again, in milliseconds; 0: until this server is told of
        /// another owner. Servers that share a database tell each other nothing, and need it.
        registry_ttl_ms: u64 = 0, within 0..=86_400_000;
        /// How long a connection stays in a room whose answer has ended while a rule cannot be asked (`sql`, `http`, the store), in
        /// milliseconds. 0: not at all.
        outage_grace_ms: u64 = 0, within 0..=86_400_000;
        /// Failures in a row (no answer in time, none as agreed on) after which the database or the route is left alone.
        breaker_failures_max: u32 = 5, within 1..=1_000;
        /// How long it is left alone, in milliseconds. Then one question is asked, and its answer decides. Who needs the rule
        /// meanwhile is denied.
        breaker_open_ms: u64 = 5_000, within 100..=600_000;
    }
}

section! {
    /// The rule `sql`: a query on the application's own PostgreSQL, in read-only transactions.
    ["access.sql"] AccessSql(base) {
        /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with `?sslmode=verify-full&sslrootcert=FILE` for TLS. Connected to when it
        /// is first needed.
        url: Option<Secret> = None;
        /// The query. Its parameters are texts: `$1` the user, `$2` `execution` or `workflow`, `$3` the id behind it. The first
        /// column of its first row is a boolean; true lets the user in.
        query: Option<String> = None;
        /// Connections to the database.
        connections_max: u32 = 4, within 1..=1_000;
        /// How long a query may take, and how long it may wait for a connection, in milliseconds.
        timeout_ms: u64 = 1_000, within 10..=30_000;
        /// How long a user stays in a room before the database is asked again, in milliseconds.
        ttl_ms: u64 = 60_000, within 1_000..=86_400_000;
    }
}

section! {
    /// The rule `http`: a call of the application's own route.
    ["access.http"] AccessHttp(base) {
        /// Where `POST` is sent with `{"user_id", "issuer", "scope", "room"}`. It answers `{"allow": true, "ttl_s": 60}` to let the user
        /// in. In production it begins with https://, unless it is on this machine.
        url: Option<CallbackUrl> = None;
        /// Sent as `Authorization: Bearer`, so that the application knows who asks.
        token: Option<Secret> = None;
        /// How long a call may take, and how long it may wait for its turn, in milliseconds.
        timeout_ms: u64 = 2_000, within 10..=30_000;
        /// Calls at one time. 1,024 more may wait.
        concurrency_max: u32 = 64, within 1..=10_000;
        /// How long an answer without `ttl_s` holds, in milliseconds.
        ttl_ms: u64 = 60_000, within 1_000..=86_400_000;
        /// The longest that `ttl_s` may say, in milliseconds. The least is a second.
        ttl_ms_max: u64 = 3_600_000, within 1_000..=86_400_000;
        /// How long it is remembered that somebody is not let in, or that a call had no answer, in milliseconds. `ttl_s` does not
        /// count for these, or it could tell which rooms there are.
        denial_ttl_ms: u64 = 1_000, within 0..=60_000;
        /// Answers that are remembered, about 300 bytes each and the ids. Beyond it, those that end first are forgotten.
        cache_entries_max: u32 = 10_000, within 1..=1_000_000;
    }
}

/// A rule by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleName {
    Registry,
    Claim,
    Sql,
    Http,
}

/// The application's route. Shown and logged, so it holds no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallbackUrl(Url);

/// The text is none of what is expected.
#[derive(Debug)]
pub(crate) struct AccessValueError;

impl Access {
    fn breaker(&self) -> BreakerSettings {
        BreakerSettings {
            failures_max: self.breaker_failures_max,
            open: Duration::from_millis(self.breaker_open_ms),
        }
    }

    /// How long an owner is believed; `None`: until another one is told.
    pub(crate) fn registry_ttl(&self) -> Option<Duration> {
        (self.registry_ttl_ms != 0).then(|| Duration::from_millis(self.registry_ttl_ms))
    }
}

impl AccessSql {
    /// The rule's settings; `None` if it has no address or no query.
    pub(crate) fn settings(&self, access: &Access) -> Option<SqlSettings> {
        Some(SqlSettings {
            url: self.url.as_ref()?.expose().to_owned(),
            query: self.query.clone()?,
            connections_max: self.connections_max,
            timeout: Duration::from_millis(self.timeout_ms),
            holds: Duration::from_millis(self.ttl_ms),
            breaker: access.breaker(),
        })
    }
}

impl AccessHttp {
    /// The rule's settings; `None` if it has no address.
    pub(crate) fn settings(&self, access: &Access) -> Option<HttpSettings> {
        Some(HttpSettings {
            url: self.url.as_ref()?.0.clone(),
            token: self.token.as_ref().map(|token| token.expose().to_owned()),
            timeout: Duration::from_millis(self.timeout_ms),
            concurrency_max: self.concurrency_max as usize,
            holds: Duration::from_millis(self.ttl_ms),
            holds_max: Duration::from_millis(self.ttl_ms_max),
            denial_holds: Duration::from_millis(self.denial_ttl_ms),
            cache_entries_max: self.cache_entries_max as usize,
            breaker: access.breaker(),
        })
    }

    /// Whether answers travel over a network in the clear, where they may be exchanged for others.
    pub(crate) fn is_insecure(&self) -> bool {
        let url = self.url.as_ref().map(|url| &url.0);
        url.is_some_and(|url| url.scheme() != "https" && !is_loopback(url))
    }
}

impl RuleName {
    const ALL: [RuleName; 4] = [RuleName::Registry, RuleName::Claim, RuleName::Sql, RuleName::Http];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            RuleName::Registry => RegistryRule::<()>::NAME,
            RuleName::Claim => ClaimRule::NAME,
            RuleName::Sql => SqlRule::NAME,
            RuleName::Http => HttpRule::NAME,
        }
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for RuleName {
    type Err = AccessValueError;

    fn from_str(text: &str) -> Result<Self, AccessValueError> {
        let mut names = RuleName::ALL.into_iter();
        names.find(|name| name.as_str() == text).ok_or(AccessValueError)
    }
}

impl Setting for RuleName {
    fn expected() -> String {
        "`registry`, `claim`, `sql` or `http`".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        parsed(value)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(self.as_str()))
    }
}

impl FromStr for CallbackUrl {
    type Err = AccessValueError;

    fn from_str(text: &str) -> Result<Self, AccessValueError> {
        let url = Url::parse(text).map_err(|_| AccessValueError)?;
        let has_password = !url.username().is_empty() || url.password().is_some();
        let is_http = matches!(url.scheme(), "https" | "http") && url.host_str().is_some();
        (is_http && !has_password)
            .then_some(Self(url))
            .ok_or(AccessValueError)
    }
}

/// A value that is refused may hold a password: it is not shown.
impl Setting for CallbackUrl {
    const IS_SECRET: bool = true;

    fn expected() -> String {
        "an address that begins with `https://` (or `http://`), without a password in it".into()
    }

    fn read(value: &Value) -> Result<Self, Mismatch> {
        parsed(value)
    }

    fn show(&self) -> Option<String> {
        Some(quoted(self.0.as_str()))
    }
}
