//! Statements that look for what a tenant must not reach. They are the exception among all statements: what they ask
//! for is everybody else's.

use crate::database::{Transaction, sql};
use crate::{LeadId, StoreError, TenantId};

/// A lead of the tenant before this one and one of the tenant behind it, where there are such.
pub(crate) async fn foreign_leads(
    transaction: &mut Transaction,
    tenant: &TenantId,
) -> Result<Vec<LeadId>, StoreError> {
    // In two statements, each of which finds its place in the index, however many leads this tenant has.
    let statements = [
        "SELECT id FROM lead WHERE tenant_id < $1 ORDER BY tenant_id DESC LIMIT 1",
        "SELECT id FROM lead WHERE tenant_id > $1 ORDER BY tenant_id LIMIT 1",
    ];
    let mut leads = Vec::new();
    for statement in statements {
        let found = sql(statement)
            .bind(tenant.as_str())
            .fetch_optional(transaction)
            .await?;
        if let Some(row) = found {
            leads.push(LeadId::stored(&row.get::<Vec<u8>>(0)?)?);
        }
    }
    Ok(leads)
}

/// A table that belongs to tenants, and how to ask for one row of somebody else's: to find one while everybody is in reach,
/// and to ask for it by its place once only the tenant is. Both take the index, however many rows the others have.
pub(crate) struct TenantTable {
    pub(crate) name: &'static str,
    find: &'static str,
    reach: &'static str,
}

macro_rules! tenant_tables {
    ($($table:literal by $column:literal of $own:literal $(where $condition:literal)?),+ $(,)?) => {
        [$(TenantTable {
            name: $table,
            find: concat!(
                "(SELECT ctid::text FROM ", $table, " WHERE ", $column, " < ", $own, $(" AND ", $condition,)?
                " ORDER BY ", $column, " DESC LIMIT 1) UNION ALL
                 (SELECT ctid::text FROM ", $table, " WHERE ", $column, " > ", $own, $(" AND ", $condition,)?
                " ORDER BY ", $column, " LIMIT 1)",
            ),
            reach: concat!(
                "SELECT EXISTS (SELECT 1 FROM ", $table, " WHERE ctid = $2::tid AND ", $column, " <> ", $own, ")",
            ),
        }),+]
    };
}

/// All of them. Only PostgreSQL keeps rows of others back from a statement that does not name the tenant.
pub(crate) const TENANT_TABLES: [TenantTable; 12] = tenant_tables![
    "tenant" by "id" of "$1",
    "tenant_key" by "tenant_id" of "$1",
    "lead" by "tenant_id" of "$1",
    "lead_total" by "tenant_id" of "$1",
    "lead_hour" by "tenant_id" of "$1",
    "lead_change" by "tenant_id" of "$1",
    "outbox" by "tenant_id" of "$1",
    "audit_entry" by "tenant_id" of "$1",
    "audit_head" by "tenant_id" of "$1",
    "metric_rollup" by "tenant_id" of "$1",
    "job" by "tenant_id" of "$1",
    "idempotency_key" by "scope" of "'tenant:' || $1" where "scope >= 'tenant:' AND scope < 'tenant;'",
];

/// Where rows of others are: the neighbours' on both sides, where there are any.
pub(crate) async fn foreign_rows(
    transaction: &mut Transaction,
    table: &TenantTable,
    tenant: &TenantId,
) -> Result<Vec<String>, StoreError> {
    sql(table.find)
        .bind(tenant.as_str())
        .fetch_all(transaction)
        .await?
        .iter()
        .map(|row| row.get(0))
        .collect()
}

/// From here on the transaction reaches this tenant's rows alone, by the same setting as every other.
pub(crate) async fn step_behind_the_wall(
    transaction: &mut Transaction,
    tenant: &TenantId,
) -> Result<(), StoreError> {
    sql("SELECT set_config('tidings.tenant', $1, true)")
        .bind(tenant.as_str())
        .execute(transaction)
        .await?;
    Ok(())
}

/// Whether a row of somebody else's is in reach.
pub(crate) async fn is_reached(
    transaction: &mut Transaction,
    table: &TenantTable,
    tenant: &TenantId,
    place: &str,
) -> Result<bool, StoreError> {
    sql(table.reach)
        .bind(tenant.as_str())
        .bind(place)
        .fetch_one(transaction)
        .await?
        .get(0)
}

/// Tables with rows of tenants on which PostgreSQL's row-level security is not forced.
pub(crate) async fn unwalled_tables(transaction: &mut Transaction) -> Result<Vec<String>, StoreError> {
    sql("SELECT c.relname::text FROM pg_class c
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
           AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
           AND (c.relname IN ('tenant', 'idempotency_key')
                OR EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'))
         ORDER BY 1")
    .fetch_all(transaction)
    .await?
    .iter()
    .map(|row| row.get(0))
    .collect()
}
