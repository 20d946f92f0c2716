//! The search index in PostgreSQL. A row of it holds the lead's terms, and what the filters ask for.
//!
//! The planner knows what is rare, and not what this index costs: it gathers all entries of a prefix before it begins, a
//! million of them maybe. So a search begins with what is rarest and looks for the frequent rest in the rows.

use std::iter;

use super::super::leads::{COLUMNS, from_row};
use super::{ANY_RANK, HITS_MAX, Terms, in_index, terms_in_index};
use crate::database::{Statement, Transaction, sql};
use crate::{Lead, LeadSearch, LeadStatus, StoreError, TenantId, TimeRange};

/// A term is frequent where the rarest is so many times as rare: to find it in the rows of that is less than to gather so
/// many entries of it.
const FREQUENT_TERM: u64 = 20;
/// The same for leads of a status or a span of time.
const FREQUENT_FILTER: u64 = 10;

/// Makes leads findable.
pub(super) async fn insert_all(
    transaction: &mut Transaction,
    tenant: i64,
    leads: &[(i64, &Lead)],
) -> Result<(), StoreError> {
    let mut query = sql("INSERT INTO lead_search (number, tenant, status, created_at, document) VALUES ");
    for (position, (number, lead)) in leads.iter().enumerate() {
        query.push(if position == 0 { "(" } else { ", (" });
        query.push_bind(*number).push(", ").push_bind(tenant).push(", ");
        query.push_bind(lead.status.as_str()).push(", ");
        query.push_bind(lead.created_at.as_millis()).push(", CAST(");
        let terms = terms_in_index(tenant, lead);
        let quoted: Vec<String> = terms.iter().map(|term| format!("'{term}'")).collect();
        query.push_bind(quoted.join(" ")).push(" AS tsvector))");
    }
    query.execute(transaction).await?;
    Ok(())
}

/// Tells the index a lead's new status.
pub(super) async fn set_status(
    transaction: &mut Transaction,
    number: i64,
    status: LeadStatus,
) -> Result<(), StoreError> {
    sql("UPDATE lead_search SET status = $1 WHERE number = $2")
        .bind(status.as_str())
        .bind(number)
        .execute(transaction)
        .await?;
    Ok(())
}

/// What finds the hits of a search.
pub(super) struct Hits {
    /// For each rank, all terms.
    all: Vec<String>,
    /// For each rank, what the index looks up; if nothing, all is frequent beside the filter.
    indexed: Option<Vec<String>>,
    /// For each rank, what is looked for in the rows.
    frequent: Option<Vec<String>>,
    filter: Option<Filter>,
}

/// Leads of some statuses and of a span of time.
struct Filter {
    tenant: i64,
    statuses: Vec<LeadStatus>,
    created: TimeRange,
    is_frequent: bool,
}

impl Hits {
    pub(super) async fn of(
        transaction: &mut Transaction,
        tenant: i64,
        search: &LeadSearch,
        terms: &Terms<'_>,
    ) -> Result<Hits, StoreError> {
        // A plan for every query: how to find a rare term is not how to find a common one, and without the values PostgreSQL
        // takes a limit for a low one, and reads through all leads in the order of their numbers. Whole tables are never
        // read; pages are taken to be in memory, as they are on a server that is searched; and to compile a plan takes
        // longer than to carry it out.
        sql(
            "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_seqscan', 'off', true),
                    set_config('random_page_cost', '1.1', true), set_config('jit', 'off', true)",
        )
        .execute(transaction)
        .await?;
        let mut filter = Filter::of(tenant, search);
        let prefixes = &terms.prefixes;
        let all = expressions(tenant, terms.words, prefixes);
        if prefixes.len() == 1 && filter.is_none() {
            return Ok(Hits {
                indexed: Some(all.clone()),
                all,
                frequent: None,
                filter,
            });
        }
        let mut leads = Vec::with_capacity(prefixes.len());
        for term in prefixes {
            leads.push(leads_with(transaction, tenant, term).await?);
        }
        let leads_in_filter = match &filter {
            Some(filter) => filter.leads(transaction).await?,
            None => u64::MAX,
        };
        let rarest = leads.iter().copied().fold(leads_in_filter, u64::min).max(1);
        if let Some(filter) = &mut filter {
            filter.is_frequent = leads_in_filter > rarest.saturating_mul(FREQUENT_FILTER);
        }
        let part = |is_frequent: bool| {
            let of_part =
                |(_, leads): &(&&str, u64)| (*leads > rarest.saturating_mul(FREQUENT_TERM)) == is_frequent;
            let part = prefixes.iter().zip(leads.iter().copied()).filter(of_part);
            let part: Vec<&str> = part.map(|(term, _)| *term).collect();
            (!part.is_empty()).then(|| expressions(tenant, terms.words, &part))
        };
        Ok(Hits {
            all,
            indexed: part(false),
            frequent: part(true),
            filter,
        })
    }

    pub(super) fn push<'q>(
        &'q self,
        query: &mut Statement<'q>,
        rank: usize,
        lowest: i64,
        limit: i64,
    ) -> bool {
        query.push("SELECT number FROM lead_search WHERE ");
        self.push_conditions(query, rank, lowest);
        // A better rank not in the order of the numbers, in which PostgreSQL would hope to find some soon.
        query.push(if rank == ANY_RANK {
            " ORDER BY number DESC LIMIT "
        } else {
            " ORDER BY number + 0 DESC LIMIT "
        });
        query.push_bind(limit);
        true
    }

    fn push_conditions<'q>(&'q self, query: &mut Statement<'q>, rank: usize, lowest: i64) {
        query.push("number >= ").push_bind(lowest);
        if let Some(expressions) = &self.indexed {
            query.push(" AND document @@ CAST(");
            query.push_bind(expressions[rank].as_str()).push(" AS tsquery)");
        }
        if let Some(expressions) = &self.frequent {
            // The same as @@, but for the index.
            query.push(" AND ts_match_vq(document, CAST(");
            query.push_bind(expressions[rank].as_str()).push(" AS tsquery))");
        }
        if let Some(filter) = &self.filter {
            // The planner sees no condition on columns in what is tested for truth, and keeps the index out of it.
            query.push(if filter.is_frequent { " AND (" } else { " AND " });
            filter.push(query);
            query.push(if filter.is_frequent { ") IS TRUE" } else { "" });
        }
    }

    /// The best of the hits from this number on, of which there are many: the index would gather all the others too, for each
    /// rank once more.
    pub(super) async fn best(
        &self,
        transaction: &mut Transaction,
        tenant: &TenantId,
        lowest: i64,
        limit: u32,
    ) -> Result<Vec<Lead>, StoreError> {
        let mut query = sql("WITH hit AS MATERIALIZED (SELECT number, CASE");
        for (rank, then) in [" THEN 0", " THEN 1", " THEN 2", " THEN 3"]
            .into_iter()
            .enumerate()
        {
            query.push(" WHEN ts_match_vq(document, CAST(");
            query.push_bind(self.all[rank].as_str()).push(" AS tsquery))");
            query.push(then);
        }
        query.push(" ELSE 4 END AS rank FROM lead_search WHERE ");
        self.push_conditions(&mut query, ANY_RANK, lowest);
        query.push(" ORDER BY number DESC LIMIT ").push_bind(HITS_MAX);
        query.push("), best AS (SELECT number, rank FROM hit ORDER BY rank, number DESC LIMIT ");
        query.push_bind(limit).push(") SELECT ").push(COLUMNS);
        query.push(" FROM best JOIN lead l ON l.number = best.number WHERE l.tenant_id = ");
        query.push_bind(tenant.as_str());
        query.push(" ORDER BY best.rank, l.created_at DESC, l.number DESC");
        query.fetch_all(transaction).await?.iter().map(from_row).collect()
    }
}

impl Filter {
    fn of(tenant: i64, search: &LeadSearch) -> Option<Filter> {
        let statuses = match search.status {
            Some(status) => vec![status],
            None if search.created == TimeRange::default() => return None,
            None => LeadStatus::ALL.to_vec(),
        };
        Some(Filter {
            tenant,
            statuses,
            created: search.created,
            is_frequent: false,
        })
    }

    fn push(&self, query: &mut Statement<'_>) {
        query.push("tenant = ").push_bind(self.tenant);
        query.push(" AND status IN (");
        query
            .push_list(self.statuses.iter().map(|status| status.as_str()))
            .push(")");
        if let Some(from) = self.created.from {
            query.push(" AND created_at >= ").push_bind(from.as_millis());
        }
        if let Some(to) = self.created.to {
            query.push(" AND created_at <= ").push_bind(to.as_millis());
        }
    }

    /// How many leads there are, as the planner sees it.
    async fn leads(&self, transaction: &mut Transaction) -> Result<u64, StoreError> {
        let mut query = sql("EXPLAIN SELECT FROM lead_search WHERE ");
        self.push(&mut query);
        estimated_rows(query, transaction).await
    }
}

/// How many leads have the term, as the planner sees it.
async fn leads_with(transaction: &mut Transaction, tenant: i64, term: &str) -> Result<u64, StoreError> {
    let query = sql("EXPLAIN SELECT FROM lead_search WHERE document @@ CAST($1 AS tsquery)");
    estimated_rows(query.bind(prefixes(tenant, &[term], ANY_RANK)), transaction).await
}

/// The rows of a plan, by its first line: `Seq Scan on lead_search  (cost=0.00..69890.00 rows=1000000 width=0)`.
async fn estimated_rows(query: Statement<'_>, transaction: &mut Transaction) -> Result<u64, StoreError> {
    let plan: String = query.fetch_one(transaction).await?.get(0)?;
    plan.split_once(" rows=")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
        .ok_or_else(|| StoreError::corrupt("a plan does not say how many rows it gives"))
}

/// For each rank, all of these terms: as whole words of the name for the best one, which has the words that they imply too.
fn expressions(tenant: i64, words: &[String], terms: &[&str]) -> Vec<String> {
    let words = words
        .iter()
        .filter(|word| terms.iter().any(|term| term.starts_with(word.as_str())))
        .map(|word| format!("'{}'", in_index(tenant, 0, word)));
    let words = words.collect::<Vec<_>>().join(" & ");
    let others = (1..=ANY_RANK).map(|rank| prefixes(tenant, terms, rank));
    iter::once(words).chain(others).collect()
}

/// All of the terms, each as a prefix in the fields of the first so many ranks.
pub(super) fn prefixes(tenant: i64, terms: &[impl AsRef<str>], ranks: usize) -> String {
    let of_term = |term: &str| {
        // What is in the notes of every lead is found there first.
        let prefixes: Vec<String> = (0..ranks)
            .rev()
            .map(|field| format!("'{}':*", in_index(tenant, field, term)))
            .collect();
        format!("({})", prefixes.join(" | "))
    };
    let terms = terms.iter().map(|term| of_term(term.as_ref()));
    terms.collect::<Vec<_>>().join(" & ")
}
