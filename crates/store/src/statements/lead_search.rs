//! Statements on the search index of leads, which each database has in its own way: FTS5 in `SQLite`, a `tsvector` with a
//! GIN index in PostgreSQL.
//!
//! Invariant: every term in the index, and every term looked up in it, begins with its tenant's number in a fixed
//! width. So a tenant's query cannot even name another tenant's entries.
//!
//! What is found is counted and ranked by the index, and by what lies beside it for the filters. Only the leads that are
//! shown are read: to read ten thousand costs more than all the rest.

mod postgres;
mod sqlite;

use super::tenants;
use crate::database::{Statement, Transaction, sql};
use crate::lead::search::IndexedTerms;
use crate::{Lead, LeadHits, LeadSearch, LeadStatus, SEARCH_TOTAL_MAX, StoreError, TenantId};

/// [`SEARCH_TOTAL_MAX`] as the database takes it.
const HITS_MAX: i64 = SEARCH_TOTAL_MAX.cast_signed();
/// Heaviest first: the fewer of these it takes to hold all terms of the query, the better the hit.
const SEARCHED: [&str; 5] = ["name", "email", "company", "phone", "notes"];

/// Makes a lead findable.
pub(crate) async fn insert(
    transaction: &mut Transaction,
    tenant: i64,
    number: i64,
    lead: &Lead,
) -> Result<(), StoreError> {
    insert_all(transaction, tenant, [(number, lead)]).await
}

/// Makes leads findable, each by its number; at least one.
pub(super) async fn insert_all<'a>(
    transaction: &mut Transaction,
    tenant: i64,
    leads: impl IntoIterator<Item = (i64, &'a Lead)>,
) -> Result<(), StoreError> {
    let is_postgres = transaction.is_postgres();
    let mut query = if is_postgres {
        sql("INSERT INTO lead_search (number, status, created_at, document) VALUES ")
    } else {
        sql("INSERT INTO lead_search (rowid, terms) VALUES ")
    };
    for (position, (number, lead)) in leads.into_iter().enumerate() {
        let mut terms = IndexedTerms::default();
        let columns = lead
            .payload
            .texts(SEARCHED)
            .map(|text| terms.of(text.as_deref().unwrap_or_default()));
        query
            .push(if position == 0 { "(" } else { ", (" })
            .push_bind(number);
        if is_postgres {
            query.push(", ").push_bind(lead.status.as_str());
            query.push(", ").push_bind(lead.created_at.as_millis());
            query
                .push(", CAST(")
                .push_bind(postgres::document(tenant, &columns));
            query.push(" AS tsvector)");
        } else {
            query.push(", ").push_bind(sqlite::document(tenant, &columns));
        }
        query.push(")");
    }
    query.execute(transaction).await?;
    Ok(())
}

/// Tells the index a lead's new status. `SQLite` has that in an index of the leads themselves.
pub(super) async fn set_status(
    transaction: &mut Transaction,
    number: i64,
    status: LeadStatus,
) -> Result<(), StoreError> {
    if transaction.is_postgres() {
        sql("UPDATE lead_search SET status = $1 WHERE number = $2")
            .bind(status.as_str())
            .bind(number)
            .execute(transaction)
            .await?;
    }
    Ok(())
}

/// Makes a lead unfindable.
pub(super) async fn delete(transaction: &mut Transaction, number: i64) -> Result<(), StoreError> {
    let query = if transaction.is_postgres() {
        sql("DELETE FROM lead_search WHERE number = $1")
    } else {
        sql("DELETE FROM lead_search WHERE rowid = $1")
    };
    query.bind(number).execute(transaction).await?;
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
    if transaction.is_postgres() {
        postgres::search(transaction, (tenant, number), search, terms, limit).await
    } else {
        sqlite::search(transaction, (tenant, number), search, terms, limit).await
    }
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

/// All of the terms, each as a prefix, in the database's query language.
pub(super) fn match_expression(transaction: &Transaction, tenant: i64, terms: &[String]) -> String {
    if transaction.is_postgres() {
        postgres::prefixes(tenant, terms)
    } else {
        sqlite::prefixes(tenant, terms)
    }
}
