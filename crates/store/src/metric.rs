//! Metrics of tenants, counted per hour.

use std::collections::BTreeMap;

use tidings_wire::time::Timestamp;

use crate::database::Turn;
use crate::{Store, StoreError, TenantId, statements};

const HOUR_MS: i64 = 60 * 60 * 1000;

/// Something that happened `count` times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricIncrement {
    /// To whom.
    pub tenant: TenantId,
    /// What: 1 to 64 of `a-z 0-9 _ .`, one of the program's own names.
    pub metric: &'static str,
    /// How often.
    pub count: u32,
}

impl Store {
    /// Adds `count` to a tenant's metric in the present hour.
    pub async fn bump(&self, tenant: &TenantId, metric: &'static str, count: u32) -> Result<(), StoreError> {
        self.bump_all(&[MetricIncrement {
            tenant: tenant.clone(),
            metric,
            count,
        }])
        .await
    }

    /// Adds many increments in one transaction. A commit waits for the disk, so busy callers gather and report
    /// now and then. What counts for a tenant that is no longer there is left out: it must not keep the others' from
    /// being recorded.
    pub async fn bump_all(&self, increments: &[MetricIncrement]) -> Result<(), StoreError> {
        if increments.is_empty() {
            return Ok(());
        }
        if !increments.iter().all(|increment| is_metric(increment.metric)) {
            return Err(StoreError::Invalid {
                what: "a metric's name is 1 to 64 of a-z 0-9 _ .",
            });
        }
        let hour = hour_of(self.now());
        let mut transaction = self.database.write(Turn::Of("metrics", "")).await?;
        for increment in increments {
            statements::metrics::add(&mut transaction, increment, hour).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// A tenant's counts by metric since this time, which is taken back to the beginning of its hour; since ever
    /// if not given. Metrics that never happened are absent.
    pub async fn metric_counts(
        &self,
        tenant: &TenantId,
        since: Option<Timestamp>,
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut transaction = self.database.read(Some(tenant)).await?;
        statements::metrics::counts(&mut transaction, tenant, since.map_or(i64::MIN, hour_of)).await
    }
}

/// The beginning of the hour, in milliseconds.
pub(crate) fn hour_of(time: Timestamp) -> i64 {
    let millis = time.as_millis();
    millis.saturating_sub(millis.rem_euclid(HOUR_MS))
}

fn is_metric(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.'))
}
