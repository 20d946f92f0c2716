//! Voice commands: from a request to its answer and its events.

mod compliance_check;
mod create_lead;
mod execution;
mod get_leads;
mod get_metrics;
mod request;
mod search_leads;
mod start_backup;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_access::Permission;
use tidings_store::OutboxEvent;
use tidings_transport::asyncapi::Document;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

pub(crate) use create_lead::Parameters as LeadFields;
pub(crate) use execution::{Completed, Executed, Started, execute};
pub(crate) use request::Request;

use crate::authentication::Principal;
use crate::flow::Flow;
use crate::jobs::Unanswered;
use crate::parameters::Detail;
use crate::response::Failure;

/// A known command with well-formed parameters.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Command {
    GetLeads(get_leads::Parameters),
    CreateLead(create_lead::Parameters),
    SearchLeads(search_leads::Parameters),
    GetMetrics(get_metrics::Parameters),
    StartBackup(start_backup::Parameters),
    ComplianceCheck(compliance_check::Parameters),
}

/// A command's name, without parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommandName {
    GetLeads,
    CreateLead,
    SearchLeads,
    GetMetrics,
    StartBackup,
    ComplianceCheck,
}

/// What a command that was carried out leaves behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The answer's `data`.
    pub(crate) data: Box<RawValue>,
    /// The same for the room: a message, counts and ids, never leads.
    pub(crate) summary: Box<RawValue>,
    /// Whether the command is written down in the audit log, with what it changed.
    pub(crate) is_audited: bool,
    /// What was stored to tell the room.
    pub(crate) event: Option<OutboxEvent>,
    /// What it asked for and does not wait for.
    pub(crate) job: Option<Unanswered>,
}

impl CommandName {
    /// All of them.
    pub(crate) const ALL: [CommandName; 6] = [
        CommandName::GetLeads,
        CommandName::CreateLead,
        CommandName::SearchLeads,
        CommandName::GetMetrics,
        CommandName::StartBackup,
        CommandName::ComplianceCheck,
    ];

    pub(crate) fn parse(name: &str) -> Option<CommandName> {
        Some(match name {
            "get_leads" => CommandName::GetLeads,
            "create_lead" => CommandName::CreateLead,
            "search_leads" => CommandName::SearchLeads,
            "get_metrics" => CommandName::GetMetrics,
            "start_backup" => CommandName::StartBackup,
            "compliance_check" => CommandName::ComplianceCheck,
            _ => return None,
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            CommandName::GetLeads => "get_leads",
            CommandName::CreateLead => "create_lead",
            CommandName::SearchLeads => "search_leads",
            CommandName::GetMetrics => "get_metrics",
            CommandName::StartBackup => "start_backup",
            CommandName::ComplianceCheck => "compliance_check",
        }
    }

    pub(crate) fn permission(self) -> Permission {
        match self {
            CommandName::GetLeads | CommandName::SearchLeads => Permission::LeadsRead,
            CommandName::CreateLead => Permission::LeadsWrite,
            CommandName::GetMetrics => Permission::MetricsRead,
            CommandName::StartBackup => Permission::BackupRun,
            CommandName::ComplianceCheck => Permission::ComplianceRun,
        }
    }

    /// What its parameters are, as its reader takes them.
    pub(crate) fn parameters_schema(self) -> RefOr<Schema> {
        match self {
            CommandName::GetLeads => get_leads::Parameters::schema(),
            CommandName::CreateLead => create_lead::Parameters::schema(),
            CommandName::SearchLeads => search_leads::Parameters::schema(),
            CommandName::GetMetrics => get_metrics::Parameters::schema(),
            CommandName::StartBackup => start_backup::Parameters::schema(),
            CommandName::ComplianceCheck => compliance_check::Parameters::schema(),
        }
    }

    /// The name of the schema of its answer's data.
    pub(crate) fn data_name(self) -> Cow<'static, str> {
        match self {
            CommandName::GetLeads => get_leads::Data::name(),
            CommandName::CreateLead => create_lead::Data::name(),
            CommandName::SearchLeads => search_leads::Data::name(),
            CommandName::GetMetrics => get_metrics::Data::name(),
            CommandName::StartBackup => start_backup::Data::name(),
            CommandName::ComplianceCheck => compliance_check::Data::name(),
        }
    }

    /// Adds the schemas of all answers' data.
    pub(crate) fn collect_data(document: &mut Document) {
        document.collect::<get_leads::Data<'_>>();
        document.collect::<create_lead::Data<'_>>();
        document.collect::<search_leads::Data<'_>>();
        document.collect::<get_metrics::Data<'_>>();
        document.collect::<start_backup::Data<'_>>();
        document.collect::<compliance_check::Data<'_>>();
    }

    /// Reads the command's parameters, a JSON object.
    fn with(self, parameters: &str) -> Result<Command, Failure> {
        let command = match self {
            CommandName::GetLeads => get_leads::Parameters::read(parameters).map(Command::GetLeads),
            CommandName::CreateLead => create_lead::Parameters::read(parameters).map(Command::CreateLead),
            CommandName::SearchLeads => search_leads::Parameters::read(parameters).map(Command::SearchLeads),
            CommandName::GetMetrics => get_metrics::Parameters::read(parameters).map(Command::GetMetrics),
            CommandName::StartBackup => start_backup::Parameters::read(parameters).map(Command::StartBackup),
            CommandName::ComplianceCheck => {
                compliance_check::Parameters::read(parameters).map(Command::ComplianceCheck)
            }
        };
        command.map_err(|details: Vec<Detail>| Failure::InvalidParameters(details))
    }
}

impl Command {
    async fn run(&self, flow: &Flow, principal: &Principal) -> Result<Outcome, Failure> {
        let tenant = &principal.tenant;
        match self {
            Command::GetLeads(parameters) => parameters.run(flow, tenant).await,
            Command::CreateLead(parameters) => parameters.run(flow, principal).await,
            Command::SearchLeads(parameters) => parameters.run(flow, tenant).await,
            Command::GetMetrics(parameters) => parameters.run(flow, tenant).await,
            Command::StartBackup(parameters) => parameters.run(flow, principal).await,
            Command::ComplianceCheck(parameters) => parameters.run(flow, principal).await,
        }
    }
}

impl Command {
    /// The parameters for the audit log, which holds no personal data.
    fn masked(&self) -> Box<RawValue> {
        let masked = match self {
            Command::CreateLead(parameters) => parameters.masked(),
            Command::SearchLeads(parameters) => parameters.masked(),
            Command::GetLeads(_)
            | Command::GetMetrics(_)
            | Command::StartBackup(_)
            | Command::ComplianceCheck(_) => serde_json::value::to_raw_value(self),
        };
        masked.expect("Invariant: parameters hold texts, numbers and times only")
    }
}

impl Outcome {
    fn new(data: &impl Serialize, summary: &impl Serialize) -> Result<Outcome, Failure> {
        Ok(Outcome {
            data: serde_json::value::to_raw_value(data)?,
            summary: serde_json::value::to_raw_value(summary)?,
            is_audited: false,
            event: None,
            job: None,
        })
    }
}
