//! Statements on leads and their search index.

use std::fmt::Write as _;

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};
use tidings_wire::time::Timestamp;

use super::tenants;
use crate::lead::search::all_terms;
use crate::{
    Lead, LeadCursor, LeadFilter, LeadHits, LeadId, LeadPayload, LeadSearch, LeadSource, LeadStatus,
    SEARCH_TOTAL_MAX, StoreError, TenantId, TimeRange,
};

/// [`SEARCH_TOTAL_MAX`] as the database takes it.
const HITS_MAX: i64 = SEARCH_TOTAL_MAX.cast_signed();
const SEARCHED: [&str; 5] = ["name", "email", "company", "phone", "notes"];
const COLUMNS: &str = "l.id, l.tenant_id, l.source, l.status, l.payload, l.created_at, l.updated_at";
/// A hit in the name weighs most, one in the notes least. The columns are [`SEARCHED`].
const RANK: &str = "bm25(lead_search, 8.0, 6.0, 4.0, 4.0, 1.0)";

pub(crate) async fn insert(connection: &mut SqliteConnection, lead: &Lead) -> Result<(), StoreError> {
    let Some(tenant) = tenants::number(connection, &lead.tenant_id).await? else {
        return Err(StoreError::NotFound { what: "tenant" });
    };
    let number = sqlx::query(
        "INSERT INTO lead (id, tenant_id, source, status, payload, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(lead.id.as_bytes())
    .bind(lead.tenant_id.as_str())
    .bind(lead.source.as_str())
    .bind(lead.status.as_str())
    .bind(lead.payload.as_raw().get())
    .bind(lead.created_at.as_millis())
    .bind(lead.updated_at.as_millis())
    .execute(&mut *connection)
    .await?
    .last_insert_rowid();

    let [name, email, company, phone, notes] = lead
        .payload
        .texts(SEARCHED)
        .map(|text| index_text(tenant, text.as_deref().unwrap_or_default()));
    sqlx::query(
        "INSERT INTO lead_search (rowid, name, email, company, phone, notes) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(number)
    .bind(name)
    .bind(email)
    .bind(company)
    .bind(phone)
    .bind(notes)
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn find(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    id: LeadId,
) -> Result<Option<Lead>, StoreError> {
    sqlx::query(
        "SELECT id, tenant_id, source, status, payload, created_at, updated_at
         FROM lead WHERE id = ? AND tenant_id = ?",
    )
    .bind(id.as_bytes())
    .bind(tenant.as_str())
    .fetch_optional(connection)
    .await?
    .map(|row| from_row(&row))
    .transpose()
}

pub(crate) async fn counts(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    since: Option<Timestamp>,
) -> Result<Vec<(LeadStatus, u64)>, StoreError> {
    sqlx::query("SELECT status, count(*) FROM lead WHERE tenant_id = ? AND created_at >= ? GROUP BY status")
        .bind(tenant.as_str())
        .bind(since.map_or(i64::MIN, Timestamp::as_millis))
        .fetch_all(connection)
        .await?
        .iter()
        .map(|row| Ok((status(row.try_get(0)?)?, row.try_get::<i64, _>(1)?.unsigned_abs())))
        .collect()
}

/// The leads that a listing is about.
pub(crate) struct Matching<'a> {
    tenant: &'a TenantId,
    filter: &'a LeadFilter,
    expression: Option<String>,
}

impl<'a> Matching<'a> {
    pub(crate) async fn new(
        connection: &mut SqliteConnection,
        tenant: &'a TenantId,
        filter: &'a LeadFilter,
        terms: Option<&[String]>,
    ) -> Result<Matching<'a>, StoreError> {
        let expression = match terms {
            None => None,
            Some(terms) => {
                let number = tenants::number(connection, tenant).await?;
                Some(match_expression(number.unwrap_or_default(), terms))
            }
        };
        Ok(Matching {
            tenant,
            filter,
            expression,
        })
    }

    pub(crate) async fn count(&self, connection: &mut SqliteConnection) -> Result<u64, StoreError> {
        let mut query = QueryBuilder::new("SELECT count(*) FROM lead l WHERE ");
        self.push_conditions(&mut query);
        let count: i64 = query.build_query_scalar().fetch_one(connection).await?;
        Ok(count.unsigned_abs())
    }

    pub(crate) async fn newest(
        &self,
        connection: &mut SqliteConnection,
        limit: u32,
        after: Option<&LeadCursor>,
    ) -> Result<Vec<Lead>, StoreError> {
        let mut query = QueryBuilder::new("SELECT ");
        query.push(COLUMNS).push(" FROM lead l WHERE ");
        self.push_conditions(&mut query);
        if let Some(cursor) = after {
            query
                .push(" AND (l.created_at, l.id) < (")
                .push_bind(cursor.created_at.as_millis());
            query
                .push(", ")
                .push_bind(cursor.id.as_bytes().to_vec())
                .push(")");
        }
        query
            .push(" ORDER BY l.created_at DESC, l.id DESC LIMIT ")
            .push_bind(limit);
        query
            .build()
            .fetch_all(connection)
            .await?
            .iter()
            .map(from_row)
            .collect()
    }

    fn push_conditions(&self, query: &mut QueryBuilder<Sqlite>) {
        query
            .push("l.tenant_id = ")
            .push_bind(self.tenant.as_str().to_owned());
        push_status_and_range(query, self.filter.status, self.filter.created);
        if let Some(source) = &self.filter.source {
            query.push(" AND l.source = ").push_bind(source.clone());
        }
        if let Some(expression) = &self.expression {
            query.push(" AND l.number IN (SELECT rowid FROM lead_search WHERE lead_search MATCH ");
            query.push_bind(expression.clone()).push(")");
        }
    }
}

pub(crate) async fn search(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    search: &LeadSearch,
    terms: &[String],
    limit: u32,
) -> Result<LeadHits, StoreError> {
    let Some(number) = tenants::number(connection, tenant).await? else {
        return Ok(LeadHits::default());
    };
    // Ranking costs time for every hit, so it stops where the total does. Both come from the same list of hits.
    let mut query = QueryBuilder::new("WITH hit AS MATERIALIZED (SELECT l.number, ");
    query.push(RANK).push(
        " AS rank FROM lead_search CROSS JOIN lead l ON l.number = lead_search.rowid WHERE lead_search MATCH ",
    );
    query.push_bind(match_expression(number, terms));
    query
        .push(" AND l.tenant_id = ")
        .push_bind(tenant.as_str().to_owned());
    push_status_and_range(&mut query, search.status, search.created);
    query
        .push(" ORDER BY lead_search.rowid DESC LIMIT ")
        .push_bind(HITS_MAX);
    query.push(") SELECT ").push(COLUMNS);
    query.push(", (SELECT count(*) FROM hit) FROM hit JOIN lead l ON l.number = hit.number");
    query
        .push(" ORDER BY hit.rank, l.created_at DESC, l.id DESC LIMIT ")
        .push_bind(limit);

    let rows = query.build().fetch_all(connection).await?;
    let total = rows
        .first()
        .map(|row| row.try_get::<i64, _>(7))
        .transpose()?
        .unwrap_or_default();
    let leads = rows.iter().map(from_row).collect::<Result<_, _>>()?;
    Ok(LeadHits {
        leads,
        total: total.unsigned_abs(),
    })
}

fn push_status_and_range(query: &mut QueryBuilder<Sqlite>, status: Option<LeadStatus>, created: TimeRange) {
    if let Some(status) = status {
        query.push(" AND l.status = ").push_bind(status.as_str());
    }
    if let Some(from) = created.from {
        query.push(" AND l.created_at >= ").push_bind(from.as_millis());
    }
    if let Some(to) = created.to {
        query.push(" AND l.created_at <= ").push_bind(to.as_millis());
    }
}

/// Invariant: every term in the index, and every term looked up in it, begins with its tenant's number in a fixed
/// width. So a tenant's query cannot even name another tenant's entries.
fn index_text(tenant: i64, text: &str) -> String {
    let mut indexed = String::with_capacity(text.len() * 2);
    for term in all_terms(text) {
        let separator = if indexed.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = write!(indexed, "{separator}{tenant:08x}{term}");
    }
    indexed
}

/// `"t"* AND "u"*` for the terms t and u. They hold letters and digits only, so that quotes suffice.
fn match_expression(tenant: i64, terms: &[String]) -> String {
    let quoted: Vec<String> = terms
        .iter()
        .map(|term| format!("\"{tenant:08x}{term}\"*"))
        .collect();
    quoted.join(" AND ")
}

fn from_row(row: &SqliteRow) -> Result<Lead, StoreError> {
    Ok(Lead {
        id: LeadId::stored(row.try_get(0)?)?,
        tenant_id: TenantId::stored(row.try_get(1)?),
        source: LeadSource::stored(row.try_get(2)?),
        status: status(row.try_get(3)?)?,
        payload: LeadPayload::stored(row.try_get(4)?)?,
        created_at: Timestamp::from_millis(row.try_get(5)?),
        updated_at: Timestamp::from_millis(row.try_get(6)?),
    })
}

fn status(text: &str) -> Result<LeadStatus, StoreError> {
    text.parse()
        .map_err(|_| StoreError::corrupt("a lead has an unknown status"))
}
