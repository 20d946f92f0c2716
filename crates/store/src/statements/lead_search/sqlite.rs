//! The search index in `SQLite`: one text for each lead, its terms and its status.
//!
//! Such an index gives the leads that match fast, in the order of their numbers, from either end. What it tells of a single
//! lead (`bm25` asks it for each hit) costs about as much as to read the lead.

use std::collections::BTreeMap;

use tidings_wire::time::Timestamp;

use super::{ANY_RANK, Terms, in_index, terms_in_index};
use crate::database::{Statement, Transaction, sql};
use crate::{Lead, LeadSearch, LeadStatus, StoreError, TenantId, TimeRange};

/// As many words of the index are looked up in place of a query's prefixes.
const WORDS_MAX: usize = 256;
/// Prefixes of so many characters have entries of their own.
const INDEXED_PREFIX_CHARACTERS_MAX: usize = 2;
const DAY_MS: i64 = 86_400_000;

/// What to look up for a term, in the fields of each rank; `None` where no word begins so.
type Lookups = [Option<String>; ANY_RANK];

/// Makes leads findable.
pub(super) async fn insert_all(
    transaction: &mut Transaction,
    tenant: i64,
    leads: &[(i64, &Lead)],
) -> Result<(), StoreError> {
    let mut query = sql("INSERT INTO lead_search (rowid, terms) VALUES ");
    let mut days = BTreeMap::new();
    for (position, (number, lead)) in leads.iter().enumerate() {
        let mut terms = terms_in_index(tenant, lead);
        terms.push(status_in_index(tenant, lead.status));
        query.push(if position == 0 { "(" } else { ", (" });
        query.push_bind(*number).push(", ");
        query.push_bind(terms.join(" ")).push(")");
        let day = (lead.tenant_id.as_str(), day_of(lead.created_at.as_millis()));
        let (lowest, highest) = days.entry(day).or_insert((*number, *number));
        (*lowest, *highest) = ((*lowest).min(*number), (*highest).max(*number));
    }
    query.execute(transaction).await?;
    for ((tenant, day), (lowest, highest)) in days {
        sql(
            "INSERT INTO lead_search_day (tenant_id, day, lowest, highest) VALUES ($1, $2, $3, $4)
             ON CONFLICT (tenant_id, day) DO UPDATE
             SET lowest = min(lowest, excluded.lowest), highest = max(highest, excluded.highest)",
        )
        .bind(tenant)
        .bind(day)
        .bind(lowest)
        .bind(highest)
        .execute(transaction)
        .await?;
    }
    Ok(())
}

fn day_of(millis: i64) -> i64 {
    millis.div_euclid(DAY_MS)
}

/// What finds the hits of a search.
pub(super) struct Hits {
    /// For each rank; `None` where there are none.
    expressions: [Option<String>; ANY_RANK + 1],
    created: TimeRange,
    /// Between these are the numbers of the leads of that span of time.
    lowest: i64,
    highest: i64,
}

impl Hits {
    pub(super) async fn of(
        transaction: &mut Transaction,
        (tenant, number): (&TenantId, i64),
        search: &LeadSearch,
        terms: &Terms<'_>,
    ) -> Result<Hits, StoreError> {
        let words_max = WORDS_MAX / (terms.prefixes.len() * ANY_RANK);
        let mut lookups = Vec::with_capacity(terms.prefixes.len());
        for term in &terms.prefixes {
            lookups.push(look_up(transaction, number, term, words_max).await?);
        }
        let status = search
            .status
            .map(|status| format!(" AND \"{}\"", status_in_index(number, status)));
        let expressions = std::array::from_fn(|rank| {
            let of_terms = match rank {
                // Where the name has no words that begin so, it has none of them.
                0 => up_to_rank(&lookups, 1).map(|_| whole_words(number, terms.words)),
                _ => up_to_rank(&lookups, rank),
            }?;
            Some(of_terms + status.as_deref().unwrap_or_default())
        });
        let (mut lowest, mut highest) = (0, i64::MAX);
        if search.created != TimeRange::default() {
            let (from, to) = millis(search.created);
            let row = sql(
                "SELECT coalesce(min(lowest), 0), coalesce(max(highest), -1) FROM lead_search_day
                 WHERE tenant_id = $1 AND day BETWEEN $2 AND $3",
            )
            .bind(tenant.as_str())
            .bind(day_of(from))
            .bind(day_of(to))
            .fetch_one(transaction)
            .await?;
            (lowest, highest) = (row.get(0)?, row.get(1)?);
        }
        Ok(Hits {
            expressions,
            created: search.created,
            lowest,
            highest,
        })
    }

    pub(super) fn push<'q>(
        &'q self,
        query: &mut Statement<'q>,
        rank: usize,
        lowest: i64,
        limit: i64,
    ) -> bool {
        let Some(expression) = &self.expressions[rank] else {
            return false;
        };
        query.push("SELECT rowid AS number FROM lead_search WHERE lead_search MATCH ");
        query.push_bind(expression.as_str());
        query
            .push(" AND rowid BETWEEN ")
            .push_bind(lowest.max(self.lowest));
        query.push(" AND ").push_bind(self.highest);
        if self.created != TimeRange::default() {
            let (from, to) = millis(self.created);
            // In an index that is a tenth as wide as the leads.
            query.push(
                " AND (SELECT created_at FROM lead INDEXED BY lead_created_by_number
                       WHERE lead.number = lead_search.rowid) BETWEEN ",
            );
            query.push_bind(from).push(" AND ").push_bind(to);
        }
        query.push(" ORDER BY rowid DESC LIMIT ").push_bind(limit);
        true
    }
}

fn millis(created: TimeRange) -> (i64, i64) {
    (
        created.from.map_or(i64::MIN, Timestamp::as_millis),
        created.to.map_or(i64::MAX, Timestamp::as_millis),
    )
}

/// What finds a term in the fields of each rank: the words that it begins, or, if those are too many, the prefix. Before a
/// prefix that has no entries of its own is looked up, those of all its words are gathered, a million of them maybe; the
/// entries of words are passed over where another term has none.
async fn look_up(
    transaction: &mut Transaction,
    tenant: i64,
    term: &str,
    words_max: usize,
) -> Result<Lookups, StoreError> {
    let is_indexed = term.chars().count() <= INDEXED_PREFIX_CHARACTERS_MAX;
    let words_max = if is_indexed { 0 } else { words_max };
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

/// All terms as whole words of the name.
fn whole_words(tenant: i64, terms: &[String]) -> String {
    let terms: Vec<String> = terms
        .iter()
        .map(|term| format!("\"{}\"", in_index(tenant, 0, term)))
        .collect();
    terms.join(" AND ")
}

/// All of the terms, each as a prefix, whatever their rank.
pub(super) fn prefixes(tenant: i64, terms: &[String]) -> String {
    let prefixes = |term: &String| {
        let lookups: [String; ANY_RANK] =
            std::array::from_fn(|rank| format!("\"{}\"*", in_index(tenant, rank, term)));
        format!("({})", lookups.join(" OR "))
    };
    terms.iter().map(prefixes).collect::<Vec<_>>().join(" AND ")
}

/// A lead's status as it stands in the index: no rank is called `s`.
fn status_in_index(tenant: i64, status: LeadStatus) -> String {
    format!("{tenant:08x}s{}", status.as_str())
}
