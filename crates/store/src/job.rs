//! Jobs: work that a tenant asks for and that goes on after the answer, such as a backup.
//!
//! A job is stored with the request. Whoever carries jobs out claims one and holds it, and says from time to time that he
//! still does; one that its holder has let fall, because he died, is claimed again. A job that has finished is kept with
//! its result, the newest [`JOBS_KEPT`] of each kind and tenant.

use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use tidings_wire::time::Timestamp;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::database::{Transaction, Turn};
use crate::outbox::{Attached, Written, held_until as event_held_until};
use crate::{Actor, JobId, Store, StoreError, TenantId, audit, statements};

/// The most jobs of one kind and tenant that have not finished.
pub const JOBS_UNFINISHED_MAX: u32 = 16;
/// How many finished jobs of each kind a tenant keeps.
pub const JOBS_KEPT: u32 = 100;
/// How long a job is in the hands of whoever claimed it or said that he holds it.
pub const JOB_HOLD: Duration = Duration::from_mins(1);
/// How often a job is begun at the most: one that kills its holder each time ends here.
pub const JOB_ATTEMPTS_MAX: u32 = 5;

/// Defines a set of words that are stored as text and shown as such.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// The word on the wire and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }

            /// The one of this word.
            pub fn parse(word: &str) -> Option<$name> {
                match word { $($word => Some($name::$variant),)+ _ => None }
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words = [$($word),+];
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
            }
        }

        impl ToSchema for $name {}

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

words! {
    /// What a job does.
    JobKind {
        /// Writes a backup.
        Backup = "backup",
        /// Puts a backup back.
        Restore = "restore",
        /// Looks whether rules are kept.
        ComplianceCheck = "compliance_check",
    }
}

words! {
    /// How soon a job is begun: before all of a lower priority that wait.
    JobPriority {
        /// Last.
        Low = "low",
        /// As it comes.
        Normal = "normal",
        /// First.
        High = "high",
    }
}

words! {
    /// How far a job has come.
    JobStatus {
        /// Nobody has begun with it.
        Waiting = "waiting",
        /// Somebody has.
        Running = "running",
        /// It is done.
        Completed = "completed",
        /// It could not be done.
        Failed = "failed",
    }
}

impl JobKind {
    pub(crate) fn stored(word: &str) -> Result<JobKind, StoreError> {
        JobKind::parse(word).ok_or_else(|| StoreError::corrupt("a job has an unknown kind"))
    }
}

impl JobPriority {
    pub(crate) fn stored(number: i64) -> Result<JobPriority, StoreError> {
        let place = usize::try_from(number).ok();
        place
            .and_then(|place| JobPriority::ALL.get(place).copied())
            .ok_or_else(|| StoreError::corrupt("a job has an unknown priority"))
    }
}

impl JobStatus {
    pub(crate) fn stored(word: &str) -> Result<JobStatus, StoreError> {
        JobStatus::parse(word).ok_or_else(|| StoreError::corrupt("a job has an unknown status"))
    }
}

/// A job as it is asked for.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Whose.
    pub tenant: TenantId,
    /// What it does.
    pub kind: JobKind,
    /// How soon.
    pub priority: JobPriority,
    /// How, a JSON object.
    pub parameters: Box<RawValue>,
    /// Who asks for it.
    pub actor: Actor,
}

/// A job.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its id. Later ones are greater.
    pub id: JobId,
    /// Whose.
    #[serde(rename = "tenantId")]
    pub tenant: TenantId,
    /// What it does.
    pub kind: JobKind,
    /// How soon.
    pub priority: JobPriority,
    /// How, a JSON object.
    pub parameters: Box<RawValue>,
    /// Who asked for it.
    pub actor: Actor,
    /// How far it has come.
    pub status: JobStatus,
    /// How often somebody began with it.
    pub attempts: u32,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When the last attempt began.
    pub started_at: Option<Timestamp>,
    /// When it finished.
    pub finished_at: Option<Timestamp>,
    /// What came of it, a JSON object, once it has finished.
    pub result: Option<Box<RawValue>>,
}

/// The end of a job.
#[derive(Clone, Debug)]
pub struct JobEnd {
    /// Whether it was done.
    pub is_completed: bool,
    /// What came of it, a JSON object.
    pub result: Box<RawValue>,
}

impl Store {
    /// Stores a job for whoever claims it. A tenant with [`JOBS_UNFINISHED_MAX`] unfinished ones of this kind gets
    /// [`StoreError::Full`]. `attach` says what to store with it.
    pub async fn request_job(
        &self,
        new: NewJob,
        attach: impl FnOnce(&Job) -> Attached,
    ) -> Result<Written<Job>, StoreError> {
        let job = self.fresh_job(new, JobStatus::Waiting);
        self.store_job(job, Timestamp::from_millis(0), attach).await
    }

    /// The same for a job that whoever asks for it carries out himself: it is in his hands.
    pub async fn begin_job(
        &self,
        new: NewJob,
        attach: impl FnOnce(&Job) -> Attached,
    ) -> Result<Written<Job>, StoreError> {
        let job = self.fresh_job(new, JobStatus::Running);
        let held_until = hold_until(job.requested_at);
        self.store_job(job, held_until, attach).await
    }

    /// Takes the first job of this kind that is in nobody's hands: of the highest priority, the oldest. A job whose
    /// `attempts` are beyond [`JOB_ATTEMPTS_MAX`] is to be finished as failed.
    pub async fn claim_job(&self, kind: JobKind) -> Result<Option<Job>, StoreError> {
        let now = self.now();
        // Mostly there is nothing, and looking costs no write.
        let mut transaction = self.database.read(None).await?;
        if !statements::jobs::has_unheld(&mut transaction, kind, now).await? {
            return Ok(None);
        }
        drop(transaction);
        let mut transaction = self.database.write(Turn::Of("jobs", kind.as_str())).await?;
        let job = statements::jobs::claim(&mut transaction, kind, now, hold_until(now)).await?;
        transaction.commit().await?;
        Ok(job)
    }

    /// Says that a job is still in one's hands. [`StoreError::Conflict`] if it is in somebody else's by now.
    pub async fn hold_job(&self, job: &Job) -> Result<(), StoreError> {
        let mut transaction = self.database.write(Turn::Tenant(&job.tenant)).await?;
        let held_until = hold_until(self.now());
        expect_held(statements::jobs::hold(&mut transaction, job, held_until).await?)?;
        transaction.commit().await
    }

    /// Stores what came of a job. [`StoreError::Conflict`] if it is in somebody else's hands by now. `attach` says what
    /// to store with it.
    pub async fn finish_job(
        &self,
        job: &Job,
        end: JobEnd,
        attach: impl FnOnce(&Job) -> Attached,
    ) -> Result<Written<Job>, StoreError> {
        let finished = Job {
            status: if end.is_completed {
                JobStatus::Completed
            } else {
                JobStatus::Failed
            },
            finished_at: Some(self.now()),
            result: Some(end.result),
            ..job.clone()
        };
        let attached = attach(&finished);
        let mut transaction = self.database.write(Turn::Tenant(&job.tenant)).await?;
        expect_held(statements::jobs::finish(&mut transaction, &finished).await?)?;
        statements::jobs::trim(&mut transaction, &job.tenant, job.kind, JOBS_KEPT).await?;
        self.finish_writing_job(transaction, finished, attached).await
    }

    /// A tenant's job by its id; `None` also for another tenant's.
    pub async fn job(&self, tenant: &TenantId, id: JobId) -> Result<Option<Job>, StoreError> {
        let mut transaction = self.database.read(Some(tenant)).await?;
        statements::jobs::find(&mut transaction, tenant, id).await
    }

    /// A tenant's jobs of this kind, newest first, at most `limit` of them.
    pub async fn list_jobs(
        &self,
        tenant: &TenantId,
        kind: JobKind,
        limit: u32,
    ) -> Result<Vec<Job>, StoreError> {
        let mut transaction = self.database.read(Some(tenant)).await?;
        statements::jobs::list(&mut transaction, tenant, kind, limit).await
    }

    fn fresh_job(&self, new: NewJob, status: JobStatus) -> Job {
        let now = self.now();
        let is_running = status == JobStatus::Running;
        Job {
            id: JobId::generate(),
            tenant: new.tenant,
            kind: new.kind,
            priority: new.priority,
            parameters: new.parameters,
            actor: new.actor,
            status,
            attempts: u32::from(is_running),
            requested_at: now,
            started_at: is_running.then_some(now),
            finished_at: None,
            result: None,
        }
    }

    async fn store_job(
        &self,
        job: Job,
        held_until: Timestamp,
        attach: impl FnOnce(&Job) -> Attached,
    ) -> Result<Written<Job>, StoreError> {
        let attached = attach(&job);
        let mut transaction = self.database.write(Turn::Tenant(&job.tenant)).await?;
        if statements::tenants::number(&mut transaction, &job.tenant)
            .await?
            .is_none()
        {
            return Err(StoreError::NotFound { what: "tenant" });
        }
        let unfinished = statements::jobs::count_unfinished(&mut transaction, &job.tenant, job.kind).await?;
        if unfinished >= JOBS_UNFINISHED_MAX {
            return Err(StoreError::Full {
                what: "the tenant has 16 unfinished jobs of this kind",
            });
        }
        statements::jobs::insert(&mut transaction, &job, held_until).await?;
        self.finish_writing_job(transaction, job, attached).await
    }

    /// Stores what goes with a job, and commits both.
    async fn finish_writing_job(
        &self,
        mut transaction: Transaction,
        job: Job,
        attached: Attached,
    ) -> Result<Written<Job>, StoreError> {
        let now = self.now();
        let event = match attached.event {
            Some(event) => {
                let held_until = event_held_until(now);
                Some(statements::outbox::insert(&mut transaction, &job.tenant, event, now, held_until).await?)
            }
            None => None,
        };
        audit::append(&mut transaction, &job.tenant, attached.audit.as_slice(), now).await?;
        transaction.commit().await?;
        Ok(Written { value: job, event })
    }
}

fn hold_until(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_add(JOB_HOLD.as_millis() as i64))
}

fn expect_held(is_held: bool) -> Result<(), StoreError> {
    if is_held {
        return Ok(());
    }
    Err(StoreError::Conflict {
        what: "the job is in other hands, or has finished",
    })
}
