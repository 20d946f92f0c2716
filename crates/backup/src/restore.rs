//! Putting a backup back.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use tidings_store::{
    Attached, AuditEntry, Job, JobEnd, JobKind, JobPriority, KeyRecord, Lead, LeadChange, LeadId,
    NewAuditEntry, NewJob, RESTORE_PAGE_MAX, Store, TenantId,
};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::chain::Chain;
use crate::row::Row;
use crate::{BackupError, RowCounts};

/// Leads that are removed in one transaction before others come in their place.
const REMOVED_AT_ONCE: u32 = 500;
/// How often the job is held for longer. Another restore of the same tenant has ended it, and then this one ends too.
const HOLD_INTERVAL: Duration = Duration::from_secs(5);
/// Pages of rows that are read ahead.
const PAGES_AHEAD: usize = 4;

/// What a restore did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What was put back.
    pub rows: RowCounts,
    /// Whether the audit log is that of the backup. A tenant that has a log of its own keeps it.
    pub is_audit_restored: bool,
}

/// Rows of one kind, to be written together.
enum Page {
    Keys(Vec<KeyRecord>),
    Leads(Vec<Lead>),
    LeadChanges(Vec<LeadChange>),
    Audit(Vec<AuditEntry>),
}

/// Puts a chain that was verified back into its tenant, which is made if there is none. One that has leads is replaced only
/// if `replace` says so. Meanwhile the tenant is suspended; if the database fails in the middle it stays so, and the same
/// again does it all. `audit` is written into the audit log at the end.
pub async fn restore(
    store: &Store,
    chain: Chain,
    replace: bool,
    new: NewJob,
    audit: NewAuditEntry,
    mut progress: impl FnMut(u64),
) -> Result<Restored, BackupError> {
    let tenant = chain.tenant.clone();
    let new = NewJob {
        kind: JobKind::Restore,
        priority: JobPriority::High,
        tenant: tenant.id.clone(),
        ..new
    };
    let begun = store
        .begin_restore(&tenant, replace, new, |_| Attached::default())
        .await?;
    while !store.remove_for_restore(&tenant.id, REMOVED_AT_ONCE).await? {
        tokio::task::yield_now().await;
    }
    let mut restored = Restored {
        rows: RowCounts {
            tenants: 1,
            ..RowCounts::default()
        },
        is_audit_restored: true,
    };
    let (pages, mut read) = mpsc::channel(PAGES_AHEAD);
    let reading = spawn_blocking(move || send(chain, &pages));
    let mut held_at = Instant::now();
    while let Some(page) = read.recv().await {
        if held_at.elapsed() >= HOLD_INTERVAL {
            store.hold_job(&begun.job).await?;
            held_at = Instant::now();
        }
        write(store, &tenant.id, page, &mut restored).await?;
        progress(restored.rows.total());
    }
    reading.await.map_err(BackupError::target)??;
    let end = JobEnd {
        is_completed: true,
        result: RawValue::from_string(format!("{{\"rows\":{}}}", restored.rows.total()))
            .map_err(BackupError::target)?,
    };
    let attach = |_: &Job| Attached {
        event: None,
        response: None,
        audit: Some(audit),
    };
    let stays_suspended = begun.was_suspended || tenant.suspended;
    store.end_restore(&begun, end, stays_suspended, attach).await?;
    Ok(restored)
}

/// Reads the chain and sends its rows on, without those that later backups know better.
fn send(mut chain: Chain, pages: &mpsc::Sender<Page>) -> Result<(), BackupError> {
    for place in 0..chain.links.len() {
        let (this, later) = chain.links[place..]
            .split_first_mut()
            .expect("Invariant: the place is one of the chain's");
        let later: &[_] = later;
        let is_last = later.is_empty();
        let mut paging = Paging::new(pages);
        this.archive.read(|row| {
            let is_among = |id: &LeadId, of: fn(&crate::chain::Link) -> &HashSet<LeadId>| {
                later.iter().any(|link| of(link).contains(id))
            };
            match row {
                // All keys are in each backup.
                Row::Key(key) if is_last => paging.keys.push(key),
                Row::Lead(lead) if !is_among(&lead.id, |link| &link.changed) => paging.leads.push(lead),
                Row::LeadChange(change) if !is_among(&change.lead_id, |link| &link.gone) => {
                    paging.lead_changes.push(change);
                }
                Row::AuditEntry(entry) => paging.audit.push(entry),
                _ => {}
            }
            paging.send_full();
            Ok(())
        })?;
        paging.send_all();
    }
    Ok(())
}

/// Rows that wait until there are enough of a kind.
struct Paging<'a> {
    pages: &'a mpsc::Sender<Page>,
    keys: Vec<KeyRecord>,
    leads: Vec<Lead>,
    lead_changes: Vec<LeadChange>,
    audit: Vec<AuditEntry>,
}

impl<'a> Paging<'a> {
    fn new(pages: &'a mpsc::Sender<Page>) -> Paging<'a> {
        Paging {
            pages,
            keys: Vec::new(),
            leads: Vec::new(),
            lead_changes: Vec::new(),
            audit: Vec::new(),
        }
    }

    fn send_full(&mut self) {
        self.send_from(RESTORE_PAGE_MAX);
    }

    fn send_all(&mut self) {
        self.send_from(1);
    }

    /// Sends each kind of which there are so many. Whoever receives them has failed if he is gone, and says why.
    fn send_from(&mut self, count: usize) {
        fn take<T>(rows: &mut Vec<T>, count: usize) -> Option<Vec<T>> {
            (rows.len() >= count).then(|| std::mem::take(rows))
        }
        let pages = [
            take(&mut self.keys, count).map(Page::Keys),
            take(&mut self.leads, count).map(Page::Leads),
            take(&mut self.lead_changes, count).map(Page::LeadChanges),
            take(&mut self.audit, count).map(Page::Audit),
        ];
        for page in pages.into_iter().flatten() {
            let _ = self.pages.blocking_send(page);
        }
    }
}

async fn write(
    store: &Store,
    tenant: &TenantId,
    page: Page,
    restored: &mut Restored,
) -> Result<(), BackupError> {
    let rows = &mut restored.rows;
    match page {
        Page::Keys(keys) => {
            store.restore_keys(tenant, &keys).await?;
            rows.keys += keys.len() as u64;
        }
        Page::Leads(leads) => {
            store.restore_leads(tenant, &leads).await?;
            rows.leads += leads.len() as u64;
        }
        Page::LeadChanges(changes) => {
            store.restore_lead_changes(tenant, &changes).await?;
            rows.lead_changes += changes.len() as u64;
        }
        Page::Audit(entries) if restored.is_audit_restored => {
            restored.is_audit_restored = store.restore_audit(tenant, &entries).await?;
            if restored.is_audit_restored {
                rows.audit_entries += entries.len() as u64;
            }
        }
        Page::Audit(_) => {}
    }
    Ok(())
}
