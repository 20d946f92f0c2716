//! The search index in `SQLite`: one text for each lead, of terms that say what a hit in their field is worth.
//!
//! Such an index gives the leads that match fast. What it tells of a single lead (`bm25` asks it for each hit) costs about
//! as much as to read the lead.

use super::super::leads::{COLUMNS, from_row, push_status_and_range};
use super::{HITS_MAX, SEARCHED};
use crate::database::{Row, Transaction, sql};
use crate::{Lead, LeadHits, LeadSearch, SEARCH_TOTAL_MAX, StoreError, TenantId};

/// The rank of a field, by [`SEARCHED`], which stands between the tenant's number and the term.
const RANKS: [usize; SEARCHED.len()] = [0, 1, 2, 2, 3];
const RANKS_MAX: usize = 4;
/// As many words of the index are looked up in place of a query's prefixes.
const WORDS_MAX: usize = 256;

/// What to look up for a term, in the fields of each rank; `None` where no word begins so.
type Lookups = [Option<String>; RANKS_MAX];

pub(super) async fn search(
    transaction: &mut Transaction,
    (tenant, number): (&TenantId, i64),
    search: &LeadSearch,
    terms: &[String],
    limit: u32,
) -> Result<LeadHits, StoreError> {
    let words_max = WORDS_MAX / (terms.len() * RANKS_MAX);
    let mut lookups = Vec::with_capacity(terms.len());
    for term in terms {
        lookups.push(look_up(transaction, number, term, words_max).await?);
    }
    let Some(anywhere) = up_to_rank(&lookups, RANKS_MAX) else {
        return Ok(LeadHits::default());
    };
    let mut pass = Pass {
        oldest: 0,
        is_backward: false,
    };
    let mut all = newest(transaction, tenant, &anywhere, search, limit, pass).await?;
    if total(&all)? > SEARCH_TOTAL_MAX {
        pass.is_backward = true;
        all = newest(transaction, tenant, &anywhere, search, limit, pass).await?;
        pass.oldest = all.first().map_or(Ok(0), |row| row.get(9))?;
    }
    let total = total(&all)?;
    if total == 0 {
        return Ok(LeadHits::default());
    }

    let mut best = Best::of(limit);
    let ranks = (1..RANKS_MAX).map(|rank| up_to_rank(&lookups, rank));
    let whole_words = up_to_rank(&lookups, 1).map(|_| whole_words(number, terms));
    for expression in std::iter::once(whole_words).chain(ranks).flatten() {
        best.add(&newest(transaction, tenant, &expression, search, limit, pass).await?)?;
        if best.is_full() {
            break;
        }
    }
    best.add(&all)?;
    Ok(LeadHits {
        leads: best.leads,
        total,
    })
}

/// The best hits, which come rank by rank, each time with those of the ranks before among them.
struct Best {
    leads: Vec<Lead>,
    limit: usize,
}

impl Best {
    fn of(limit: u32) -> Best {
        Best {
            leads: Vec::new(),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        }
    }

    fn is_full(&self) -> bool {
        self.leads.len() >= self.limit
    }

    fn add(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        for row in rows {
            let lead = from_row(row)?;
            if !self.is_full() && self.leads.iter().all(|better| better.id != lead.id) {
                self.leads.push(lead);
            }
        }
        Ok(())
    }
}

/// How the index is gone through: forward, which is twice as fast, until there is more than is counted; or backward, which
/// gives the newest of so many. Leads below a number are left out.
#[derive(Clone, Copy)]
struct Pass {
    oldest: i64,
    is_backward: bool,
}

/// How many match, as [`newest`] gives it.
fn total(rows: &[Row]) -> Result<u64, StoreError> {
    rows.first().map_or(Ok(0), |row| row.number(8))
}

/// The newest leads that match; behind each, how many do, and their lowest number.
async fn newest(
    transaction: &mut Transaction,
    tenant: &TenantId,
    expression: &str,
    search: &LeadSearch,
    limit: u32,
    pass: Pass,
) -> Result<Vec<Row>, StoreError> {
    // All that is asked of a lead is in that index, which is a tenth as wide as the leads.
    let mut query = sql("WITH hit AS MATERIALIZED (SELECT lead.number, lead.created_at
         FROM lead_search CROSS JOIN lead INDEXED BY lead_by_number ON lead.number = lead_search.rowid
         WHERE lead_search MATCH ");
    query
        .push_bind(expression)
        .push(" AND lead_search.rowid >= ")
        .push_bind(pass.oldest);
    push_status_and_range(&mut query, search.status, search.created);
    if pass.is_backward {
        query
            .push(" ORDER BY lead_search.rowid DESC LIMIT ")
            .push_bind(HITS_MAX);
    } else {
        query
            .push(" ORDER BY lead_search.rowid LIMIT ")
            .push_bind(HITS_MAX + 1);
    }
    query.push(
        "), newest AS (SELECT number, created_at FROM hit ORDER BY created_at DESC, number DESC LIMIT ",
    );
    query.push_bind(limit).push(") SELECT ").push(COLUMNS);
    query.push(
        ", (SELECT count(*) FROM hit), (SELECT min(number) FROM hit)
         FROM newest CROSS JOIN lead l ON l.number = newest.number WHERE l.tenant_id = ",
    );
    query.push_bind(tenant.as_str());
    query.push(" ORDER BY newest.created_at DESC, newest.number DESC");
    query.fetch_all(transaction).await
}

/// What finds a term in the fields of each rank: the words that it begins, or, if those are too many, the prefix. Before a
/// prefix is looked up, the entries of all its words are gathered, a million of them maybe; the entries of words are
/// passed over where another term has none.
async fn look_up(
    transaction: &mut Transaction,
    tenant: i64,
    term: &str,
    words_max: usize,
) -> Result<Lookups, StoreError> {
    let mut lookups = Lookups::default();
    for (rank, lookup) in lookups.iter_mut().enumerate() {
        let prefix = in_index(tenant, rank, term);
        let words = words(transaction, &prefix, words_max + 1).await?;
        *lookup = match words.len() {
            0 => None,
            many if many > words_max => Some(format!("\"{prefix}\"*")),
            _ => Some(format!("\"{}\"", words.join("\" OR \""))),
        };
    }
    Ok(lookups)
}

/// The first words of the index that begin so.
async fn words(transaction: &mut Transaction, prefix: &str, limit: usize) -> Result<Vec<String>, StoreError> {
    // From one word to the next: lead_search_term has a row for every place of every word. No letter and no digit is
    // below char(1).
    sql(
        "WITH RECURSIVE word (term) AS (
             SELECT (SELECT term FROM lead_search_term WHERE term >= $1 ORDER BY term LIMIT 1)
             UNION ALL
             SELECT (SELECT term FROM lead_search_term WHERE term >= word.term || char(1) ORDER BY term LIMIT 1)
             FROM word WHERE substr(term, 1, length($1)) = $1)
         SELECT term FROM word WHERE substr(term, 1, length($1)) = $1 LIMIT $2",
    )
    .bind(prefix)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(transaction)
    .await?
    .iter()
    .map(|row| row.get(0))
    .collect()
}

/// All terms in the fields of the first so many ranks: `("0t" OR "0tu" OR "1t") AND ("0v"*)`. `None` if nothing matches.
fn up_to_rank(lookups: &[Lookups], ranks: usize) -> Option<String> {
    let mut terms = Vec::with_capacity(lookups.len());
    for lookups in lookups {
        let found: Vec<&str> = lookups[..ranks].iter().flatten().map(String::as_str).collect();
        if found.is_empty() {
            return None;
        }
        terms.push(format!("({})", found.join(" OR ")));
    }
    Some(terms.join(" AND "))
}

/// All terms as whole words of the first rank.
fn whole_words(tenant: i64, terms: &[String]) -> String {
    let terms: Vec<String> = terms
        .iter()
        .map(|term| format!("\"{}\"", in_index(tenant, 0, term)))
        .collect();
    terms.join(" AND ")
}

/// All of the terms, each as a prefix, whatever their rank.
pub(super) fn prefixes(tenant: i64, terms: &[String]) -> String {
    let prefixes = |term| {
        let lookups: [String; RANKS_MAX] =
            std::array::from_fn(|rank| format!("\"{}\"*", in_index(tenant, rank, term)));
        format!("({})", lookups.join(" OR "))
    };
    let terms: Vec<String> = terms.iter().map(|term| prefixes(term)).collect();
    terms.join(" AND ")
}

/// What the index has of a lead.
pub(super) fn document(tenant: i64, columns: &[Vec<String>; SEARCHED.len()]) -> String {
    let terms: Vec<String> = columns
        .iter()
        .zip(RANKS)
        .flat_map(|(terms, rank)| terms.iter().map(move |term| in_index(tenant, rank, term)))
        .collect();
    terms.join(" ")
}

/// A term as it stands in the index. Terms hold letters and digits only, so that quotes suffice around them.
fn in_index(tenant: i64, rank: usize, term: &str) -> String {
    format!("{tenant:08x}{rank}{term}")
}
