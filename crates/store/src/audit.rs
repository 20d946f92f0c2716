//! The audit log: who did what in a tenant, when and with which outcome. Entries are only added.
//!
//! Each entry has a hash over itself and the hash before it, so that an entry that was changed or removed breaks the
//! chain from there on. Cutting off the chain's end breaks nothing; that shows against a head that was written down
//! somewhere else ([`Store::verify_audit`]).

mod actions;

use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tidings_wire::time::Timestamp;

use crate::database::{Transaction, Turn};
use crate::text::{NAME_BYTES_MAX, cut};
use crate::{Actor, Store, StoreError, TenantId, statements};

/// The most entries listed at once.
pub const AUDIT_PAGE_MAX: u32 = 1_000;
/// The longest detail of an entry, in bytes; a longer one is replaced by its length.
pub const AUDIT_DETAIL_BYTES_MAX: usize = 4 * 1024;

/// Stands before everything that is hashed; another way of hashing would have another one.
const HASHED_AS: &[u8] = b"tidings audit 1";

/// Something that was done, to be written down.
#[derive(Clone, Debug)]
pub struct NewAuditEntry {
    /// Who did it.
    pub actor: Actor,
    /// What, one of the program's own words.
    pub action: &'static str,
    /// What became of it: `success`, or why not.
    pub outcome: &'static str,
    /// More about it, a JSON object without personal data.
    pub detail: Box<RawValue>,
}

/// An entry of the log.
#[derive(Clone, Debug, Serialize)]
pub struct AuditEntry {
    /// Its place: 1, 2, 3 and so on in each tenant.
    pub sequence: i64,
    /// When it was written down.
    pub time: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// What.
    pub action: String,
    /// What became of it.
    pub outcome: String,
    /// More about it.
    pub detail: Box<RawValue>,
    /// Its hash.
    #[serde(serialize_with = "as_hex")]
    pub hash: [u8; 32],
}

/// The last entry's place and hash: as good as the whole log before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// The entry's place.
    pub sequence: i64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditFault {
    /// An entry is not what was written there, or one before it is missing.
    #[error("entry {sequence} was changed, or one before it")]
    Changed {
        /// Its place.
        sequence: i64,
    },
    /// An entry is not there.
    #[error("entry {sequence} is missing")]
    Missing {
        /// Its place.
        sequence: i64,
    },
    /// The log ends before a head that it once had.
    #[error("the log ends at {found}, and once reached {known}")]
    CutOff {
        /// Its last place now.
        found: i64,
        /// The place that it once reached.
        known: i64,
    },
    /// The log never had this head.
    #[error("entry {sequence} has another hash than was written down")]
    OtherHead {
        /// Its place.
        sequence: i64,
    },
}

impl AuditHead {
    /// The head of a log without entries.
    pub const EMPTY: AuditHead = AuditHead {
        sequence: 0,
        hash: [0; 32],
    };

    fn next(self, tenant: &TenantId, new: &NewAuditEntry, time: Timestamp) -> AuditEntry {
        let detail = match new.detail.get().len() {
            0..=AUDIT_DETAIL_BYTES_MAX => new.detail.clone(),
            bytes => RawValue::from_string(format!("{{\"bytes\":{bytes}}}")).unwrap_or_default(),
        };
        let mut entry = AuditEntry {
            sequence: self.sequence + 1,
            time,
            actor: new.actor.clone(),
            action: cut(new.action, NAME_BYTES_MAX).to_owned(),
            outcome: cut(new.outcome, NAME_BYTES_MAX).to_owned(),
            detail,
            hash: [0; 32],
        };
        entry.hash = entry.hash_after(self.hash, tenant);
        entry
    }
}

impl AuditEntry {
    /// The hash that the entry must have behind one with the hash `before`.
    fn hash_after(&self, before: [u8; 32], tenant: &TenantId) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(HASHED_AS);
        hash.update(before);
        hash.update(self.sequence.to_be_bytes());
        hash.update(self.time.as_millis().to_be_bytes());
        // Each with its length, so that nothing can move from one to the next.
        for text in [
            tenant.as_str(),
            self.actor.as_str(),
            &self.action,
            &self.outcome,
            self.detail.get(),
        ] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        hash.finalize().into()
    }
}

/// The head behind an entry, if that is what must stand behind this one.
pub(crate) fn check_behind(head: AuditHead, tenant: &TenantId, entry: &AuditEntry) -> Option<AuditHead> {
    let sequence = head.sequence + 1;
    let is_next = entry.sequence == sequence && entry.hash_after(head.hash, tenant) == entry.hash;
    is_next.then_some(AuditHead {
        sequence,
        hash: entry.hash,
    })
}

/// Writes entries down, in the transaction of what they tell of.
pub(crate) async fn append(
    transaction: &mut Transaction,
    tenant: &TenantId,
    entries: &[NewAuditEntry],
    now: Timestamp,
) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut head = statements::audit::head(transaction, tenant).await?;
    for new in entries {
        let entry = head.next(tenant, new, now);
        statements::audit::insert(transaction, tenant, &entry).await?;
        head = AuditHead {
            sequence: entry.sequence,
            hash: entry.hash,
        };
    }
    statements::audit::put_head(transaction, tenant, head).await
}

impl Store {
    /// Writes down what was done and left no trace in the store itself.
    pub async fn append_audit(&self, tenant: &TenantId, entries: &[NewAuditEntry]) -> Result<(), StoreError> {
        let mut transaction = self.database.write(Turn::Tenant(tenant)).await?;
        append(&mut transaction, tenant, entries, self.now()).await?;
        transaction.commit().await
    }

    /// A tenant's entries in their order, from the first one after `after` (0 for the first of all), at most `limit`.
    pub async fn list_audit(
        &self,
        tenant: &TenantId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let mut transaction = self.database.read(Some(tenant)).await?;
        statements::audit::list(&mut transaction, tenant, after, limit.min(AUDIT_PAGE_MAX)).await
    }

    /// The head of a tenant's log, to be written down elsewhere.
    pub async fn audit_head(&self, tenant: &TenantId) -> Result<AuditHead, StoreError> {
        let mut transaction = self.database.read(Some(tenant)).await?;
        statements::audit::head(&mut transaction, tenant).await
    }

    /// Reads a tenant's whole log and checks it, also against heads that it had at earlier times. `Ok(Err(_))` is a
    /// fault of the log, the first that was found.
    pub async fn verify_audit(
        &self,
        tenant: &TenantId,
        known: &[AuditHead],
    ) -> Result<Result<AuditHead, AuditFault>, StoreError> {
        let mut transaction = self.database.read_snapshot(Some(tenant)).await?;
        let stored = statements::audit::head(&mut transaction, tenant).await?;
        let mut head = AuditHead::EMPTY;
        loop {
            let entries =
                statements::audit::list(&mut transaction, tenant, head.sequence, AUDIT_PAGE_MAX).await?;
            for entry in &entries {
                let sequence = head.sequence + 1;
                if entry.sequence != sequence {
                    return Ok(Err(AuditFault::Missing { sequence }));
                }
                let Some(next) = check_behind(head, tenant, entry) else {
                    return Ok(Err(AuditFault::Changed { sequence }));
                };
                head = next;
                if known
                    .iter()
                    .any(|known| known.sequence == sequence && known.hash != head.hash)
                {
                    return Ok(Err(AuditFault::OtherHead { sequence }));
                }
            }
            if entries.is_empty() {
                break;
            }
        }
        let reached = known
            .iter()
            .chain([&stored])
            .map(|head| head.sequence)
            .max()
            .unwrap_or_default();
        if reached > head.sequence {
            return Ok(Err(AuditFault::CutOff {
                found: head.sequence,
                known: reached,
            }));
        }
        // Entries that nobody wrote through this program.
        if stored != head {
            return Ok(Err(AuditFault::OtherHead {
                sequence: head.sequence,
            }));
        }
        Ok(Ok(head))
    }
}

fn as_hex<S: serde::Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Hex(hash))
}

struct Hex<'a>(&'a [u8; 32]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl std::fmt::Display for AuditHead {
    /// `sequence:hash`, as anchors are written down.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.sequence, Hex(&self.hash))
    }
}

impl std::str::FromStr for AuditHead {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<AuditHead, StoreError> {
        let parse = || {
            let (sequence, hex) = text.split_once(':')?;
            let is_hex = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
            let mut hash = [0; 32];
            for (position, byte) in hash.iter_mut().enumerate() {
                *byte = u8::from_str_radix(hex.get(position * 2..position * 2 + 2)?, 16).ok()?;
            }
            let sequence: i64 = sequence.parse().ok()?;
            (is_hex && sequence >= 0).then_some(AuditHead { sequence, hash })
        };
        parse().ok_or(StoreError::Invalid {
            what: "the head of an audit log is its last number, a colon and 64 hexadecimal digits",
        })
    }
}
