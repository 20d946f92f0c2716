//! Statements on the search index of leads, which each database has in its own way: FTS5 in `SQLite`, a `tsvector` with a
//! GIN index in PostgreSQL.
//!
//! Invariant: every term in the index, and every term looked up in it, begins with its tenant's number in a fixed
//! width. So a tenant's query cannot even name another tenant's entries.
//!
//! Behind it stands the rank of the field that the term is in, so that the index alone tells how good a hit is. Hits are
//! counted by the index too, and by what lies beside it for the filters. Only the leads that are shown are read: to read ten
//! thousand costs more than all the rest.

mod postgres;
mod sqlite;

use std::cmp::Reverse;

use super::leads::{COLUMNS, from_row};
use super::tenants;
use crate::database::{Statement, Transaction, sql};
use crate::lead::search::IndexedTerms;
use crate::{Lead, LeadEdited, LeadHits, LeadSearch, SEARCH_TOTAL_MAX, StoreError, TenantId};

/// So many hits are looked at: one more than is counted, which tells that there are more.
const HITS_MAX: i64 = SEARCH_TOTAL_MAX.cast_signed() + 1;
/// Heaviest first: the fewer of these it takes to hold all terms of the query, the better the hit.
const SEARCHED: [&str; 5] = ["name", "email", "company", "phone", "notes"];
/// The rank of a field, by [`SEARCHED`].
const FIELD_RANKS: [usize; SEARCHED.len()] = [0, 1, 2, 2, 3];
/// The rank of a hit is 0 where the name has all terms as whole words, and otherwise one more than the rank of the last
/// field that it takes; so this is the rank of every hit.
const ANY_RANK: usize = 4;

/// Makes a lead findable.
pub(crate) async fn insert(
    transaction: &mut Transaction,
    tenant: i64,
    number: i64,
    lead: &Lead,
) -> Result<(), StoreError> {
    insert_all(transaction, tenant, &[(number, lead)]).await
}

/// Makes leads of one tenant findable, each by its number; at least one.
pub(super) async fn insert_all(
    transaction: &mut Transaction,
    tenant: i64,
    leads: &[(i64, &Lead)],
) -> Result<(), StoreError> {
    if transaction.is_postgres() {
        postgres::insert_all(transaction, tenant, leads).await
    } else {
        sqlite::insert_all(transaction, tenant, leads).await
    }
}

/// Makes a lead findable by what an edit left.
pub(super) async fn update(
    transaction: &mut Transaction,
    number: i64,
    edited: &LeadEdited,
) -> Result<(), StoreError> {
    let (before, after) = (&edited.before, &edited.after);
    let has_new_status = before.status != after.status;
    if before.payload != after.payload || (has_new_status && !transaction.is_postgres()) {
        let tenant = tenants::number(transaction, &after.tenant_id).await?;
        delete(transaction, number).await?;
        insert(transaction, tenant.unwrap_or_default(), number, after).await
    } else if has_new_status {
        postgres::set_status(transaction, number, after.status).await
    } else {
        Ok(())
    }
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

/// What a search asks for.
struct Terms<'a> {
    /// All terms, which the best hits have as whole words.
    words: &'a [String],
    /// Those that are no beginning of another one: a field with a word that begins `hundredth` has one that begins `h`.
    prefixes: Vec<&'a str>,
}

impl<'a> Terms<'a> {
    fn of(words: &'a [String]) -> Terms<'a> {
        let is_implied = |word: &&String| {
            words
                .iter()
                .any(|longer| longer.len() > word.len() && longer.starts_with(*word))
        };
        let prefixes = words.iter().filter(|word| !is_implied(word)).map(String::as_str);
        Terms {
            words,
            prefixes: prefixes.collect(),
        }
    }
}

/// What finds the hits of a search.
enum Hits {
    Sqlite(sqlite::Hits),
    Postgres(postgres::Hits),
}

impl Hits {
    /// The numbers of the leads that are hits of this rank or a better one and have at least this number, highest first.
    /// False, and nothing, where there is none for sure.
    fn push<'q>(&'q self, query: &mut Statement<'q>, rank: usize, lowest: i64, limit: i64) -> bool {
        match self {
            Hits::Sqlite(hits) => hits.push(query, rank, lowest, limit),
            Hits::Postgres(hits) => hits.push(query, rank, lowest, limit),
        }
    }
}

/// Equally good hits are told apart by the leads' numbers, which grow: those stored last are shown, and among these the
/// newest comes first.
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
    let terms = &Terms::of(terms);
    let hits = if transaction.is_postgres() {
        Hits::Postgres(postgres::Hits::of(transaction, number, search, terms).await?)
    } else {
        Hits::Sqlite(sqlite::Hits::of(transaction, (tenant, number), search, terms).await?)
    };
    let found = newest(transaction, tenant, &hits, limit).await?;
    let mut best: Vec<Lead> = Vec::new();
    let is_many = found.total > SEARCH_TOTAL_MAX;
    if let (Hits::Postgres(hits), true) = (&hits, is_many) {
        best = hits.best(transaction, tenant, found.lowest, limit).await?;
    } else if found.total > 0 {
        // Often none is better than the worst, which one question tells.
        let better = of_rank(transaction, tenant, (&hits, ANY_RANK - 1), found.lowest, limit).await?;
        if !better.is_empty() {
            for rank in 0..ANY_RANK - 1 {
                let leads = of_rank(transaction, tenant, (&hits, rank), found.lowest, limit).await?;
                if add(&mut best, leads, limit) {
                    break;
                }
            }
            add(&mut best, better, limit);
        }
        add(&mut best, found.leads, limit);
    }
    Ok(LeadHits {
        leads: best,
        total: found.total.min(SEARCH_TOTAL_MAX),
    })
}

/// Adds the hits of the next rank, with those of the ranks before among them, and tells whether there are enough.
fn add(best: &mut Vec<Lead>, leads: Vec<Lead>, limit: u32) -> bool {
    let better = best.len();
    for lead in leads {
        if best.len() < limit as usize && best[..better].iter().all(|better| better.id != lead.id) {
            best.push(lead);
        }
    }
    best[better..].sort_by_key(|lead| Reverse(lead.created_at));
    best.len() == limit as usize
}

struct Newest {
    leads: Vec<Lead>,
    /// How many match, up to [`HITS_MAX`].
    total: u64,
    /// The lowest of their numbers.
    lowest: i64,
}

/// The hits with the highest numbers, whatever their rank.
async fn newest(
    transaction: &mut Transaction,
    tenant: &TenantId,
    hits: &Hits,
    limit: u32,
) -> Result<Newest, StoreError> {
    let mut found = Newest {
        leads: Vec::new(),
        total: 0,
        lowest: 0,
    };
    let mut query = sql("WITH ");
    if transaction.is_postgres() {
        // In one pass over the hits, which come in their order.
        query.push(
            "hit AS MATERIALIZED (
                 SELECT count(*) AS total, min(number) AS lowest, (array_agg(number))[1:",
        );
        query.push_bind(limit).push("] AS numbers FROM (");
    } else {
        query.push("hit AS MATERIALIZED (");
    }
    if !hits.push(&mut query, ANY_RANK, 0, HITS_MAX) {
        return Ok(found);
    }
    if transaction.is_postgres() {
        query.push(") found), newest AS (SELECT unnest(numbers) AS number FROM hit) SELECT ");
        query
            .push(COLUMNS)
            .push(", (SELECT total FROM hit), (SELECT lowest FROM hit)");
    } else {
        query.push("), newest AS (SELECT number FROM hit ORDER BY number DESC LIMIT ");
        query.push_bind(limit).push(") SELECT ").push(COLUMNS);
        query.push(", (SELECT count(*) FROM hit), (SELECT min(number) FROM hit)");
    }
    push_leads(&mut query, tenant);
    for row in query.fetch_all(transaction).await? {
        (found.total, found.lowest) = (row.number(8)?, row.get(9)?);
        found.leads.push(from_row(&row)?);
    }
    Ok(found)
}

/// The hits of this rank and better ones with the highest numbers.
async fn of_rank(
    transaction: &mut Transaction,
    tenant: &TenantId,
    (hits, rank): (&Hits, usize),
    lowest: i64,
    limit: u32,
) -> Result<Vec<Lead>, StoreError> {
    let mut query = sql("WITH newest AS MATERIALIZED (");
    if !hits.push(&mut query, rank, lowest, i64::from(limit)) {
        return Ok(Vec::new());
    }
    query.push(") SELECT ").push(COLUMNS);
    push_leads(&mut query, tenant);
    query.fetch_all(transaction).await?.iter().map(from_row).collect()
}

/// From the numbers to the leads, which the walls between tenants guard.
fn push_leads<'q>(query: &mut Statement<'q>, tenant: &'q TenantId) {
    // In this order on SQLite, which takes CROSS for that.
    query.push(" FROM newest CROSS JOIN lead l WHERE l.number = newest.number AND l.tenant_id = ");
    query.push_bind(tenant.as_str());
    query.push(" ORDER BY newest.number DESC");
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
        postgres::prefixes(tenant, terms, ANY_RANK)
    } else {
        sqlite::prefixes(tenant, terms)
    }
}

/// A lead's terms as they stand in the index.
fn terms_in_index(tenant: i64, lead: &Lead) -> Vec<String> {
    let mut indexed = IndexedTerms::default();
    let mut terms = Vec::new();
    let texts = lead.payload.texts(SEARCHED);
    for (text, rank) in texts.iter().zip(FIELD_RANKS) {
        let of_field = indexed.of(text.as_deref().unwrap_or_default());
        terms.extend(of_field.iter().map(|term| in_index(tenant, rank, term)));
    }
    terms
}

/// A term as it stands in the index. Terms hold letters and digits only, so that quotes suffice around them in a query.
fn in_index(tenant: i64, rank: usize, term: &str) -> String {
    format!("{tenant:08x}{rank}{term}")
}
