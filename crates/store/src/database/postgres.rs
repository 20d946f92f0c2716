//! PostgreSQL: a pool of connections, and a transaction for everything.
//!
//! Each transaction says whose rows it may touch: the setting `tidings.tenant`, which the row-level security policies
//! compare with a row's tenant, is a tenant's id or `*`. Without it no row of a tenant is in reach. Writers take turns by
//! a lock that ends with their transaction, so that what holds of `SQLite`, where one writes at a time, holds here for
//! those who touch the same things.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool, Transaction};

use super::{Turn, migrations};
use crate::{StoreError, StoreOptions, TenantId};

/// The setting's value where every tenant is in reach. No tenant's id.
const EVERY_TENANT: &str = "*";
/// How long a statement may run.
const STATEMENT_TIMEOUT_MS: &str = "30000";

/// A pool of connections.
#[derive(Clone)]
pub(crate) struct Postgres {
    pool: PgPool,
    /// Whether the policies hold for this user.
    is_walled: bool,
}

impl Postgres {
    pub(super) async fn open(options: &StoreOptions) -> Result<Postgres, StoreError> {
        let connect = PgConnectOptions::from_str(&options.url)
            .map_err(|_| StoreError::Configuration {
                what: "store address: not postgres://USER:PASSWORD@HOST:PORT/DATABASE".to_owned(),
            })?
            .application_name("tidings")
            .options([("statement_timeout", STATEMENT_TIMEOUT_MS), ("timezone", "UTC")]);
        let pool = PgPoolOptions::new()
            .max_connections(options.connections_max.max(1))
            .acquire_timeout(options.busy_timeout * 2)
            .idle_timeout(Some(Duration::from_mins(10)))
            .connect_with(connect)
            .await?;
        migrations::run_postgres(&pool, options.migrate).await?;
        let is_let_past: bool =
            sqlx::query_scalar("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
                .fetch_one(&pool)
                .await?;
        Ok(Postgres {
            pool,
            is_walled: !is_let_past,
        })
    }

    pub(super) fn is_walled(&self) -> bool {
        self.is_walled
    }

    pub(super) async fn write(
        &self,
        turn: Turn<'_>,
    ) -> Result<Transaction<'static, sqlx::Postgres>, StoreError> {
        let tenant = match turn {
            Turn::Tenant(tenant) => tenant.as_str(),
            Turn::Of(..) => EVERY_TENANT,
        };
        let mut transaction = self.begin("BEGIN", tenant).await?;
        // A statement of its own, so that those behind it see what the one before has committed.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || $1, 0))")
            .bind(turn.to_string())
            .execute(&mut *transaction)
            .await?;
        Ok(transaction)
    }

    pub(super) async fn read(
        &self,
        tenant: Option<&TenantId>,
    ) -> Result<Transaction<'static, sqlx::Postgres>, StoreError> {
        let tenant = tenant.map_or(EVERY_TENANT, TenantId::as_str);
        self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", tenant)
            .await
    }

    /// Begins a transaction that reaches one tenant's rows, in one message to the server.
    async fn begin(
        &self,
        begin: &str,
        tenant: &str,
    ) -> Result<Transaction<'static, sqlx::Postgres>, StoreError> {
        // Invariant: a tenant's id holds letters, digits, _ and - only, so that quotes suffice.
        let begin = AssertSqlSafe(format!("{begin}; SET LOCAL tidings.tenant = '{tenant}'"));
        Ok(self.pool.begin_with(begin).await?)
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}
