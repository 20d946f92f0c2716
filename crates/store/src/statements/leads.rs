//! Statements on leads.

use std::collections::HashMap;

use tidings_wire::time::Timestamp;

use super::{lead_counts, lead_search, tenants};
use crate::database::{Row, Statement, Transaction, sql};
use crate::{
    Lead, LeadCursor, LeadEdited, LeadFilter, LeadId, LeadPayload, LeadSource, LeadStatus, LeadVersion,
    StoreError, TenantId, TimeRange,
};

pub(super) const COLUMNS: &str =
    "l.id, l.tenant_id, l.source, l.status, l.payload, l.created_at, l.updated_at, l.version";

pub(crate) async fn insert(transaction: &mut Transaction, lead: &Lead) -> Result<(), StoreError> {
    let Some(tenant) = tenants::number(transaction, &lead.tenant_id).await? else {
        return Err(StoreError::NotFound { what: "tenant" });
    };
    let number: i64 = sql(
        "INSERT INTO lead (id, tenant_id, source, status, payload, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING number",
    )
    .bind(lead.id.as_bytes())
    .bind(lead.tenant_id.as_str())
    .bind(lead.source.as_str())
    .bind(lead.status.as_str())
    .bind(lead.payload.as_raw().get())
    .bind(lead.created_at.as_millis())
    .bind(lead.updated_at.as_millis())
    .fetch_one(transaction)
    .await?
    .get(0)?;
    lead_search::insert(transaction, tenant, number, lead).await?;
    lead_counts::count(transaction, lead, 1).await
}

/// Inserts many leads of a tenant, with what makes them findable and counted, in a few statements.
pub(crate) async fn insert_all(
    transaction: &mut Transaction,
    tenant: &TenantId,
    leads: &[Lead],
) -> Result<(), StoreError> {
    let Some(number) = tenants::number(transaction, tenant).await? else {
        return Err(StoreError::NotFound { what: "tenant" });
    };
    if leads.is_empty() {
        return Ok(());
    }
    let mut query = sql(
        "INSERT INTO lead (id, tenant_id, source, status, payload, created_at, updated_at, version) VALUES ",
    );
    for (position, lead) in leads.iter().enumerate() {
        query.push(if position == 0 { "(" } else { ", (" });
        query
            .push_bind(lead.id.as_bytes())
            .push(", ")
            .push_bind(tenant.as_str());
        query.push(", ").push_bind(lead.source.as_str());
        query.push(", ").push_bind(lead.status.as_str());
        query.push(", ").push_bind(lead.payload.as_raw().get());
        query.push(", ").push_bind(lead.created_at.as_millis());
        query.push(", ").push_bind(lead.updated_at.as_millis());
        query.push(", ").push_bind(lead.version.0).push(")");
    }
    query.push(" RETURNING id, number");
    // The database returns them as it came by them.
    let mut numbers = HashMap::with_capacity(leads.len());
    for row in query.fetch_all(transaction).await? {
        numbers.insert(row.get::<Vec<u8>>(0)?, row.get::<i64>(1)?);
    }
    let numbered: Vec<(i64, &Lead)> = leads
        .iter()
        .filter_map(|lead| Some((*numbers.get(lead.id.as_bytes())?, lead)))
        .collect();
    lead_search::insert_all(transaction, number, &numbered).await?;
    lead_counts::count_all(transaction, leads).await
}

pub(crate) async fn find(
    transaction: &mut Transaction,
    tenant: &TenantId,
    id: LeadId,
) -> Result<Option<Lead>, StoreError> {
    sql(
        "SELECT id, tenant_id, source, status, payload, created_at, updated_at, version
         FROM lead WHERE id = $1 AND tenant_id = $2",
    )
    .bind(id.as_bytes())
    .bind(tenant.as_str())
    .fetch_optional(transaction)
    .await?
    .map(|row| from_row(&row))
    .transpose()
}

/// Writes what an edit left, but for what never changes.
pub(crate) async fn update(transaction: &mut Transaction, edited: &LeadEdited) -> Result<(), StoreError> {
    let lead = &edited.after;
    let number: i64 = sql(
        "UPDATE lead SET status = $1, payload = $2, updated_at = $3, version = $4
         WHERE id = $5 AND tenant_id = $6 RETURNING number",
    )
    .bind(lead.status.as_str())
    .bind(lead.payload.as_raw().get())
    .bind(lead.updated_at.as_millis())
    .bind(lead.version.0)
    .bind(lead.id.as_bytes())
    .bind(lead.tenant_id.as_str())
    .fetch_one(transaction)
    .await?
    .get(0)?;
    if edited.before.status != lead.status {
        lead_counts::count(transaction, &edited.before, -1).await?;
        lead_counts::count(transaction, lead, 1).await?;
    }
    lead_search::update(transaction, number, edited).await
}

pub(crate) async fn delete(transaction: &mut Transaction, lead: &Lead) -> Result<(), StoreError> {
    let number: i64 = sql("SELECT number FROM lead WHERE id = $1 AND tenant_id = $2")
        .bind(lead.id.as_bytes())
        .bind(lead.tenant_id.as_str())
        .fetch_one(transaction)
        .await?
        .get(0)?;
    lead_search::delete(transaction, number).await?;
    sql("DELETE FROM lead WHERE number = $1 AND tenant_id = $2")
        .bind(number)
        .bind(lead.tenant_id.as_str())
        .execute(transaction)
        .await?;
    lead_counts::count(transaction, lead, -1).await
}

/// The leads that a listing is about.
pub(crate) struct Matching<'a> {
    tenant: &'a TenantId,
    filter: &'a LeadFilter,
    expression: Option<String>,
}

impl<'a> Matching<'a> {
    pub(crate) async fn new(
        transaction: &mut Transaction,
        tenant: &'a TenantId,
        filter: &'a LeadFilter,
        terms: Option<&[String]>,
    ) -> Result<Matching<'a>, StoreError> {
        let expression = match terms {
            None => None,
            Some(terms) => {
                let number = tenants::number(transaction, tenant).await?.unwrap_or_default();
                Some(lead_search::match_expression(transaction, number, terms))
            }
        };
        Ok(Matching {
            tenant,
            filter,
            expression,
        })
    }

    pub(crate) async fn count(&self, transaction: &mut Transaction) -> Result<u64, StoreError> {
        if self.expression.is_none() && self.filter.created == TimeRange::default() {
            let source = self.filter.source.as_deref();
            return lead_counts::total(transaction, self.tenant, self.filter.status, source).await;
        }
        let mut query = sql("SELECT count(*) FROM lead l WHERE ");
        self.push_conditions(&mut query, transaction);
        query.fetch_one(transaction).await?.number(0)
    }

    pub(crate) async fn newest(
        &self,
        transaction: &mut Transaction,
        limit: u32,
        after: Option<&'a LeadCursor>,
    ) -> Result<Vec<Lead>, StoreError> {
        let mut query = sql("SELECT ");
        query.push(COLUMNS).push(" FROM lead l WHERE ");
        self.push_conditions(&mut query, transaction);
        if let Some(cursor) = after {
            query
                .push(" AND (l.created_at, l.id) < (")
                .push_bind(cursor.created_at.as_millis());
            query.push(", ").push_bind(cursor.id.as_bytes()).push(")");
        }
        query
            .push(" ORDER BY l.created_at DESC, l.id DESC LIMIT ")
            .push_bind(limit);
        query.fetch_all(transaction).await?.iter().map(from_row).collect()
    }

    fn push_conditions<'q>(&'q self, query: &mut Statement<'q>, transaction: &Transaction) {
        query.push("l.tenant_id = ").push_bind(self.tenant.as_str());
        if let Some(status) = self.filter.status {
            query.push(" AND l.status = ").push_bind(status.as_str());
        }
        if let Some(from) = self.filter.created.from {
            query.push(" AND l.created_at >= ").push_bind(from.as_millis());
        }
        if let Some(to) = self.filter.created.to {
            query.push(" AND l.created_at <= ").push_bind(to.as_millis());
        }
        if let Some(source) = &self.filter.source {
            query.push(" AND l.source = ").push_bind(source.as_str());
        }
        if let Some(expression) = &self.expression {
            query.push(" AND l.number IN (");
            lead_search::push_numbers(query, transaction, expression);
            query.push(")");
        }
    }
}

pub(super) fn from_row(row: &Row) -> Result<Lead, StoreError> {
    Ok(Lead {
        id: LeadId::stored(&row.get::<Vec<u8>>(0)?)?,
        tenant_id: TenantId::stored(row.get(1)?),
        source: LeadSource::stored(row.get(2)?),
        status: LeadStatus::stored(&row.get::<String>(3)?)?,
        payload: LeadPayload::stored(row.get(4)?)?,
        created_at: Timestamp::from_millis(row.get(5)?),
        updated_at: Timestamp::from_millis(row.get(6)?),
        version: LeadVersion(row.get(7)?),
    })
}
