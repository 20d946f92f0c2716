//! The search index in PostgreSQL. A row of it holds the lead's terms, and what the filters ask for.

use std::fmt::Write as _;

use super::super::leads::{COLUMNS, from_row, push_status_and_range};
use super::{HITS_MAX, SEARCHED};
use crate::database::{Transaction, sql};
use crate::{LeadHits, LeadSearch, StoreError, TenantId};

/// What a term's place says of the field it is in, by [`SEARCHED`].
const LABELS: [char; SEARCHED.len()] = ['A', 'B', 'C', 'C', 'D'];
/// How the terms of the best hits stand in the index, those of the second best, and so on: as whole words or as prefixes,
/// at places with which labels.
const RANKS: [(&str, &str); 4] = [(":A", "0"), (":*A", "1"), (":*AB", "2"), (":*ABC", "3")];
/// PostgreSQL counts a term's place no further.
const PLACE_MAX: usize = 16_383;

pub(super) async fn search(
    transaction: &mut Transaction,
    (tenant, number): (&TenantId, i64),
    search: &LeadSearch,
    terms: &[String],
    limit: u32,
) -> Result<LeadHits, StoreError> {
    // A plan for every query: how to find a rare term is not how to find a common one, and without the values PostgreSQL
    // takes the limit for a low one, and reads through all leads in the order of their numbers.
    sql("SET LOCAL plan_cache_mode = force_custom_plan")
        .execute(transaction)
        .await?;
    let mut query = sql("WITH hit AS MATERIALIZED (SELECT number, created_at, CASE");
    for (suffix, rank) in RANKS {
        query.push(" WHEN document @@ CAST(");
        query.push_bind(expression(number, terms, suffix));
        query.push(" AS tsquery) THEN ").push(rank);
    }
    query.push(" ELSE 4 END AS rank FROM lead_search WHERE document @@ CAST(");
    query.push_bind(prefixes(number, terms)).push(" AS tsquery)");
    push_status_and_range(&mut query, search.status, search.created);
    query.push(" ORDER BY number DESC LIMIT ").push_bind(HITS_MAX);
    query.push("), best AS (SELECT * FROM hit ORDER BY rank, created_at DESC, number DESC LIMIT ");
    query.push_bind(limit).push(") SELECT ").push(COLUMNS);
    query.push(", (SELECT count(*) FROM hit) FROM best JOIN lead l ON l.number = best.number");
    query.push(" WHERE l.tenant_id = ").push_bind(tenant.as_str());
    query.push(" ORDER BY best.rank, best.created_at DESC, best.number DESC");

    let rows = query.fetch_all(transaction).await?;
    let total = rows
        .first()
        .map(|row| row.number(8))
        .transpose()?
        .unwrap_or_default();
    let leads = rows.iter().map(from_row).collect::<Result<_, _>>()?;
    Ok(LeadHits { leads, total })
}

/// All of the terms, each as a prefix: `'t':* & 'u':*`.
pub(super) fn prefixes(tenant: i64, terms: &[String]) -> String {
    expression(tenant, terms, ":*")
}

/// All of the terms, with what is said of each. Terms hold letters and digits only, so that quotes suffice.
fn expression(tenant: i64, terms: &[String], suffix: &str) -> String {
    let terms: Vec<String> = terms
        .iter()
        .map(|term| format!("'{tenant:08x}{term}'{suffix}"))
        .collect();
    terms.join(" & ")
}

/// A `tsvector` as text: `'t':1A 'u':2B`.
pub(super) fn document(tenant: i64, columns: &[Vec<String>; SEARCHED.len()]) -> String {
    let mut document = String::new();
    let mut place = 0;
    for (terms, label) in columns.iter().zip(LABELS) {
        for term in terms {
            place = (place + 1).min(PLACE_MAX);
            // Writing to a String cannot fail.
            let _ = write!(document, "'{tenant:08x}{term}':{place}{label} ");
        }
    }
    document
}
