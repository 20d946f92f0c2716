//! Statements on the search index of leads, which each database has in its own way: FTS5 in `SQLite`, a `tsvector` with a
//! GIN index in PostgreSQL.
//!
//! Invariant: every term in the index, and every term looked up in it, begins with its tenant's number in a fixed
//! width. So a tenant's query cannot even name another tenant's entries.

use std::fmt::Write as _;

use super::leads::{COLUMNS, from_row, push_status_and_range};
use super::tenants;
use crate::database::{Statement, Transaction, sql};
use crate::lead::search::IndexedTerms;
use crate::{LeadHits, LeadPayload, LeadSearch, SEARCH_TOTAL_MAX, StoreError, TenantId};

/// [`SEARCH_TOTAL_MAX`] as the database takes it.
const HITS_MAX: i64 = SEARCH_TOTAL_MAX.cast_signed();
const SEARCHED: [&str; 5] = ["name", "email", "company", "phone", "notes"];
/// A hit in the name weighs most, one in the notes least; the best rank is the lowest number. The columns are
/// [`SEARCHED`].
const SQLITE_RANK: &str = "bm25(lead_search, 8.0, 6.0, 4.0, 4.0, 1.0)";
/// The same by PostgreSQL's four labels, D to A, that a term's place can have.
const POSTGRES_RANK: &str = "-ts_rank('{0.125, 0.5, 0.75, 1.0}', s.document, CAST($1 AS tsquery))";
const POSTGRES_LABELS: [char; 5] = ['A', 'B', 'C', 'C', 'D'];
/// PostgreSQL counts a term's place no further.
const POSTGRES_PLACE_MAX: usize = 16_383;

/// Makes a lead findable.
pub(crate) async fn insert(
    transaction: &mut Transaction,
    tenant: i64,
    lead: i64,
    payload: &LeadPayload,
) -> Result<(), StoreError> {
    insert_all(transaction, tenant, [(lead, payload)]).await
}

/// Makes leads findable, each by its number; at least one.
pub(super) async fn insert_all<'a>(
    transaction: &mut Transaction,
    tenant: i64,
    leads: impl IntoIterator<Item = (i64, &'a LeadPayload)>,
) -> Result<(), StoreError> {
    let is_postgres = transaction.is_postgres();
    let mut query = if is_postgres {
        sql("INSERT INTO lead_search (number, document) VALUES ")
    } else {
        sql("INSERT INTO lead_search (rowid, name, email, company, phone, notes) VALUES ")
    };
    for (position, (lead, payload)) in leads.into_iter().enumerate() {
        let mut terms = IndexedTerms::default();
        let columns = payload
            .texts(SEARCHED)
            .map(|text| terms.of(text.as_deref().unwrap_or_default()));
        query
            .push(if position == 0 { "(" } else { ", (" })
            .push_bind(lead);
        if is_postgres {
            query
                .push(", CAST(")
                .push_bind(postgres_document(tenant, &columns))
                .push(" AS tsvector)");
        } else {
            for terms in &columns {
                query.push(", ").push_bind(sqlite_text(tenant, terms));
            }
        }
        query.push(")");
    }
    query.execute(transaction).await?;
    Ok(())
}

/// Makes a lead unfindable.
pub(super) async fn delete(transaction: &mut Transaction, lead: i64) -> Result<(), StoreError> {
    let query = if transaction.is_postgres() {
        sql("DELETE FROM lead_search WHERE number = $1")
    } else {
        sql("DELETE FROM lead_search WHERE rowid = $1")
    };
    query.bind(lead).execute(transaction).await?;
    Ok(())
}

pub(crate) async fn search(
    transaction: &mut Transaction,
    tenant: &TenantId,
    search: &LeadSearch,
    terms: &[String],
    limit: u32,
) -> Result<LeadHits, StoreError> {
    let Some(number) = tenants::number(transaction, tenant).await? else {
        return Ok(LeadHits::default());
    };
    // Ranking costs time for every hit, so it stops where the total does. Both come from the same list of hits.
    let mut query = sql("WITH hit AS MATERIALIZED (SELECT l.number, ");
    let expression = match_expression(transaction, number, terms);
    if transaction.is_postgres() {
        query = query.bind(expression);
        query.push(POSTGRES_RANK).push(
            " AS rank FROM lead_search s JOIN lead l ON l.number = s.number WHERE s.document @@ CAST($1 AS tsquery)",
        );
    } else {
        query.push(SQLITE_RANK).push(
            " AS rank FROM lead_search CROSS JOIN lead l ON l.number = lead_search.rowid WHERE lead_search MATCH ",
        );
        query.push_bind(expression);
    }
    query.push(" AND l.tenant_id = ").push_bind(tenant.as_str());
    push_status_and_range(&mut query, search.status, search.created);
    query.push(" ORDER BY l.number DESC LIMIT ").push_bind(HITS_MAX);
    query.push(") SELECT ").push(COLUMNS);
    query.push(", (SELECT count(*) FROM hit) FROM hit JOIN lead l ON l.number = hit.number");
    query
        .push(" ORDER BY hit.rank, l.created_at DESC, l.id DESC LIMIT ")
        .push_bind(limit);

    let rows = query.fetch_all(transaction).await?;
    let total = rows
        .first()
        .map(|row| row.number(8))
        .transpose()?
        .unwrap_or_default();
    let leads = rows.iter().map(from_row).collect::<Result<_, _>>()?;
    Ok(LeadHits { leads, total })
}

/// The leads' numbers that match, as a query within another.
pub(super) fn push_numbers<'q>(query: &mut Statement<'q>, transaction: &Transaction, expression: &'q str) {
    if transaction.is_postgres() {
        query.push("SELECT number FROM lead_search WHERE document @@ CAST(");
        query.push_bind(expression).push(" AS tsquery)");
    } else {
        query
            .push("SELECT rowid FROM lead_search WHERE lead_search MATCH ")
            .push_bind(expression);
    }
}

/// All of the terms, each as a prefix: `"t"* AND "u"*`, or in PostgreSQL `'t':* & 'u':*`. Terms hold letters and digits
/// only, so that quotes suffice.
pub(super) fn match_expression(transaction: &Transaction, tenant: i64, terms: &[String]) -> String {
    let (quote, prefix, and) = if transaction.is_postgres() {
        ('\'', ":*", " & ")
    } else {
        ('"', "*", " AND ")
    };
    let terms: Vec<String> = terms
        .iter()
        .map(|term| format!("{quote}{tenant:08x}{term}{quote}{prefix}"))
        .collect();
    terms.join(and)
}

fn sqlite_text(tenant: i64, terms: &[String]) -> String {
    let terms: Vec<String> = terms.iter().map(|term| format!("{tenant:08x}{term}")).collect();
    terms.join(" ")
}

/// A `tsvector` as text: `'t':1A 'u':2B`.
fn postgres_document(tenant: i64, columns: &[Vec<String>; 5]) -> String {
    let mut document = String::new();
    let mut place = 0;
    for (terms, label) in columns.iter().zip(POSTGRES_LABELS) {
        for term in terms {
            place = (place + 1).min(POSTGRES_PLACE_MAX);
            // Writing to a String cannot fail.
            let _ = write!(document, "'{tenant:08x}{term}':{place}{label} ");
        }
    }
    document
}
