//! `start_backup`: a backup of the tenant, made behind the answer.

use serde::Serialize;
use tidings_backup::BackupType;
use tidings_store::{Actor, JobId, JobKind, JobPriority, NewJob};
use tidings_transport::openapi::schema::object;
use tidings_wire::time::Timestamp;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use super::Outcome;
use crate::authentication::Principal;
use crate::envelope::Origin;
use crate::flow::Flow;
use crate::parameters::{Detail, Reader, text};
use crate::response::Failure;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Parameters {
    backup_type: BackupType,
    priority: JobPriority,
}

/// What the job is told, and the room.
#[derive(Serialize)]
struct Asked {
    r#type: BackupType,
    priority: JobPriority,
}

/// The backup that `start_backup` began.
#[derive(Serialize, ToSchema)]
#[schema(as = BackupStarted)]
pub(crate) struct Data<'a> {
    backup: Backup,
    message: &'a str,
}

/// A backup that goes on.
#[derive(Serialize, ToSchema)]
#[schema(as = BackupUnderWay)]
pub(crate) struct Backup {
    id: JobId,
    r#type: BackupType,
    priority: JobPriority,
    #[schema(pattern = "^started$")]
    status: &'static str,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
}

/// What [`Parameters::read`] takes.
impl PartialSchema for Parameters {
    fn schema() -> RefOr<Schema> {
        object()
            .property("backup_type", BackupType::schema())
            .property("priority", JobPriority::schema())
            .into()
    }
}

impl Parameters {
    pub(crate) fn read(json: &str) -> Result<Parameters, Vec<Detail>> {
        let mut reader = Reader::new(json, &["backup_type", "priority"])?;
        let backup_type = reader.optional("backup_type", "one of full, incremental", |json| {
            serde_json::from_str(json.get()).ok()
        });
        let priority = reader.optional("priority", "one of low, normal, high", |json| {
            JobPriority::parse(&text(json)?)
        });
        reader.finish(Some(Parameters {
            backup_type: backup_type.unwrap_or(BackupType::Full),
            priority: priority.unwrap_or(JobPriority::Normal),
        }))
    }

    pub(crate) async fn run(&self, flow: &Flow, principal: &Principal) -> Result<Outcome, Failure> {
        let asked = Asked {
            r#type: self.backup_type,
            priority: self.priority,
        };
        let new = NewJob {
            tenant: principal.tenant.clone(),
            kind: JobKind::Backup,
            priority: self.priority,
            parameters: serde_json::value::to_raw_value(&asked)?,
            actor: Actor::key(principal.key),
        };
        let (requested, unanswered) = flow
            .request_job(new, &asked, "start_backup", Origin::Voice)
            .await?;
        let job = requested.value;
        let data = Data {
            backup: Backup {
                id: job.id,
                r#type: self.backup_type,
                priority: self.priority,
                status: "started",
                timestamp: job.requested_at,
            },
            message: "Backup started",
        };
        Ok(Outcome {
            event: requested.event,
            job: unanswered,
            is_audited: true,
            ..Outcome::new(&data, &data)?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let accepted = |json: &str| {
            Parameters::read(json)
                .map(|parameters| serde_json::to_string(&parameters).unwrap())
                .map_err(|details| {
                    details
                        .into_iter()
                        .map(|detail| detail.message)
                        .collect::<Vec<_>>()
                })
        };
        assert_eq!(
            accepted("{}").as_deref(),
            Ok(r#"{"backup_type":"full","priority":"normal"}"#)
        );
        assert_eq!(
            accepted(r#"{"priority":"high","backup_type":"incremental","x":1}"#).as_deref(),
            Ok(r#"{"backup_type":"incremental","priority":"high"}"#)
        );
        assert_eq!(
            accepted(r#"{"priority":"urgent","backup_type":7}"#).unwrap_err(),
            [
                "backup_type must be one of full, incremental",
                "priority must be one of low, normal, high"
            ]
        );
        assert!(accepted("[]").is_err());
    }
}
