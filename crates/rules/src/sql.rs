//! The rule `sql`: a query on the application's own PostgreSQL.
//!
//! The query has three parameters, all text: `$1` the user, `$2` the kind of room (`execution` or `workflow`), `$3` the id
//! behind it. The first column of its first row is a boolean: true lets the user in.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor, PgPool, Row};
use tidings_access::{BoxFuture, Claims, RoomRule, RoomTarget, RuleState, Verdict};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::WAITING_MAX;
use crate::breaker::{Breaker, BreakerSettings};

/// How long a connection is kept that nobody needs.
const IDLE_TIMEOUT: Duration = Duration::from_mins(10);

/// What the rule asks, and within which bounds.
#[derive(Clone)]
pub struct SqlSettings {
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub url: String,
    /// The query.
    pub query: String,
    /// Connections to the database, hence queries at one time.
    pub connections_max: u32,
    /// How long a query may take, and how long it may wait for a connection.
    pub timeout: Duration,
    /// How long an answer holds that lets somebody in.
    pub holds: Duration,
    /// When the database is left alone.
    pub breaker: BreakerSettings,
}

/// The settings cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlRuleError {
    /// The address is none of PostgreSQL's.
    #[error("not an address like postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Address,
}

/// Lets in whom the application's database lets in.
pub struct SqlRule {
    pool: PgPool,
    begin: String,
    query: String,
    timeout: Duration,
    holds: Duration,
    places: Semaphore,
    breaker: Breaker,
}

/// Why there is no answer. No secret is in it: the database's messages name its objects, not its users' passwords.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("no answer in time")]
    Late,
    #[error("the first column of the query is no boolean")]
    NoBoolean,
    #[error(transparent)]
    Database(sqlx::Error),
}

impl SqlRule {
    /// Its name.
    pub const NAME: &'static str = "sql";

    /// A rule that connects when it is first asked. To be called inside a runtime.
    pub fn new(settings: SqlSettings) -> Result<SqlRule, SqlRuleError> {
        let is_ours = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| settings.url.starts_with(scheme));
        let connect = PgConnectOptions::from_str(&settings.url);
        let connect = connect
            .ok()
            .filter(|_| is_ours)
            .ok_or(SqlRuleError::Address)?
            .application_name("tidings-rules");
        let pool = PgPoolOptions::new()
            .max_connections(settings.connections_max.max(1))
            .acquire_timeout(settings.timeout)
            .idle_timeout(Some(IDLE_TIMEOUT))
            .connect_lazy_with(connect);
        let places = settings.connections_max as usize + WAITING_MAX;
        Ok(SqlRule {
            pool,
            begin: format!(
                "BEGIN READ ONLY; SET LOCAL statement_timeout = {}",
                settings.timeout.as_millis().max(1)
            ),
            query: settings.query,
            timeout: settings.timeout,
            holds: settings.holds,
            places: Semaphore::new(places),
            breaker: Breaker::new(Self::NAME, settings.breaker),
        })
    }

    async fn answer(&self, user: &str, room: RoomTarget<'_>) -> Verdict {
        let Ok(_place) = self.places.try_acquire() else {
            return Verdict::Failed;
        };
        let Some(pass) = self.breaker.admit() else {
            return Verdict::Failed;
        };
        // A database that has gone silent does not keep the bounds that were set there.
        let answer = timeout(self.timeout * 2, self.query(user, room)).await;
        match answer.unwrap_or(Err(NoAnswer::Late)) {
            Ok(is_allowed) => {
                pass.succeeded();
                if is_allowed {
                    Verdict::Allow(Some(self.holds))
                } else {
                    Verdict::Nothing
                }
            }
            Err(why) => {
                pass.failed(&why);
                Verdict::Failed
            }
        }
    }

    async fn query(&self, user: &str, room: RoomTarget<'_>) -> Result<bool, NoAnswer> {
        let begin = AssertSqlSafe(self.begin.as_str());
        let mut transaction = self.pool.begin_with(begin).await.map_err(NoAnswer::Database)?;
        // The query is the operator's, from the configuration; what clients say are parameters.
        let query = sqlx::query(AssertSqlSafe(self.query.as_str()))
            .bind(user)
            .bind(room.kind.as_str())
            .bind(room.id);
        let answer = match transaction.fetch_optional(query).await {
            Ok(None) => Ok(false),
            Ok(Some(row)) => row
                .try_get::<Option<bool>, _>(0)
                .map(|is_allowed| is_allowed == Some(true))
                .map_err(|_| NoAnswer::NoBoolean),
            // What is no number or UUID is nobody's, and the query's `$3::uuid` says so in this way.
            Err(error) if is_about_data(&error) => Ok(false),
            Err(error) => Err(NoAnswer::Database(error)),
        };
        // It has changed nothing. If this fails, the connection is not used again.
        drop(transaction.rollback().await);
        answer
    }
}

/// Whether the query failed because of its parameters: class 22 of SQLSTATE, data exceptions.
fn is_about_data(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.starts_with("22"))
}

impl RoomRule for SqlRule {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn ask<'a>(&'a self, claims: &'a Claims, room: RoomTarget<'a>) -> BoxFuture<'a, Verdict> {
        Box::pin(self.answer(claims.sub.as_str(), room))
    }

    fn state(&self) -> RuleState {
        RuleState {
            breaker: Some(self.breaker.state()),
            cache: None,
        }
    }
}
