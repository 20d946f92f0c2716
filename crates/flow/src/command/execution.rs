//! Carrying a command out: what the room hears of it, and in which order.

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_store::{Actor, TenantId};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::request::Request;
use super::{Command, CommandName, Outcome};
use crate::audit::{self, Place};
use crate::authentication::{Principal, is_still_good};
use crate::envelope;
use crate::flow::Flow;
use crate::jobs::Unanswered;
use crate::response::{Failure, Response};

/// A command that is about to be carried out.
#[derive(Serialize, ToSchema)]
#[schema(as = CommandStarted)]
pub(crate) struct Started<'a> {
    command: &'a str,
}

/// A command that was carried out.
#[derive(Serialize, ToSchema)]
#[schema(as = CommandExecuted)]
pub(crate) struct Executed<'a> {
    command: &'a str,
    /// Those that were accepted.
    #[schema(value_type = Object)]
    parameters: &'a Command,
    /// A summary of the answer: a message, counts and ids.
    #[schema(value_type = Object)]
    response: &'a RawValue,
    /// Milliseconds.
    duration: u64,
}

/// A command that has ended.
#[derive(Serialize, ToSchema)]
#[schema(as = CommandCompleted)]
pub(crate) struct Completed<'a> {
    command: &'a str,
    /// Whether it ended well.
    success: bool,
    /// Milliseconds.
    duration: u64,
    /// Why it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<&'static str>,
}

/// Carries a request out and answers it. When this returns, everything the room hears of it is on the bus; the
/// caller's answer goes out behind that.
pub(crate) async fn execute(flow: &Flow, principal: &Principal, request: Option<&RawValue>) -> Response {
    let request = Request::read(request);
    let command = request.command.clone();
    let result = admit(flow, principal, &request).await;
    flow.usage().count(
        &principal.tenant,
        if result.is_ok() {
            "voice.succeeded"
        } else {
            "voice.failed"
        },
    );
    if let Err(failure) = &result {
        tracing::debug!(key = %principal.key, error = failure.text(), "a command failed");
    }
    let (result, job) = match result {
        Ok((data, job)) => (Ok(data), job),
        Err(failure) => (Err(failure), None),
    };
    Response::new(command, result, principal.tenant.clone(), flow.now()).before(job)
}

/// Failures here are told to the caller alone.
async fn admit(
    flow: &Flow,
    principal: &Principal,
    request: &Request<'_>,
) -> Result<(Box<RawValue>, Option<Unanswered>), Failure> {
    // Before anything else: what cannot be written down is not done.
    let place = flow.audit().reserve().await.ok_or(Failure::ServiceUnavailable)?;
    let audited = Audited {
        flow: flow.clone(),
        principal: principal.clone(),
        action: request.name().map_or("unknown_command", CommandName::as_str),
        place,
    };
    let (command, admission) = match accept(flow, principal, request).await {
        Ok(accepted) => accepted,
        Err(failure) => {
            audited.record(failure.text(), &NoDetail {});
            return Err(failure);
        }
    };
    let name = request.command.clone().unwrap_or_default();
    let (caller, flow, principal) = (flow, flow.clone(), principal.clone());
    // On its own task: a caller that goes away must not leave the room with half of the events.
    let task = caller.finish(async move {
        let result = carry_out(&flow, &principal, &name, &command).await;
        match &result {
            Ok(outcome) if outcome.is_audited => {}
            Ok(_) => audited.record(audit::SUCCESS, &command.masked()),
            Err(failure) => audited.record(failure.text(), &command.masked()),
        }
        drop(admission);
        result.map(|outcome| (outcome.data, outcome.job))
    });
    task.await.unwrap_or(Err(Failure::InternalError))
}

async fn accept(
    flow: &Flow,
    principal: &Principal,
    request: &Request<'_>,
) -> Result<(Command, OwnedSemaphorePermit), Failure> {
    let (_, command) = request.accept(principal)?;
    if !flow.is_within_rate(&principal.tenant) {
        return Err(Failure::RateLimited);
    }
    if !is_still_good(flow.store(), flow.clock(), principal.key).await? {
        return Err(Failure::AccessDenied);
    }
    let admission = flow.admit_command().ok_or(Failure::RateLimited)?;
    Ok((command, admission))
}

/// A command on its way into the audit log.
struct Audited {
    flow: Flow,
    principal: Principal,
    action: &'static str,
    place: Place,
}

#[derive(Serialize)]
struct NoDetail {}

impl Audited {
    fn record(self, outcome: &'static str, detail: &impl Serialize) {
        let entry = audit::entry(Actor::key(self.principal.key), self.action, outcome, detail);
        self.flow
            .audit()
            .record(self.place, &self.principal.tenant, entry);
    }
}

async fn carry_out(
    flow: &Flow,
    principal: &Principal,
    name: &str,
    command: &Command,
) -> Result<Outcome, Failure> {
    let start = Instant::now();
    let tenant = &principal.tenant;
    voice(
        flow,
        tenant,
        "VOICE_PROCESSING_STARTED",
        &Started { command: name },
    )
    .await?;
    let mut result = command.run(flow, principal).await;
    if let Ok(outcome) = &mut result {
        flow.publish_stored(outcome.event.take()).await;
        let summary = &outcome.summary;
        let executed = Executed {
            command: name,
            parameters: command,
            response: summary,
            duration: millis(start),
        };
        voice(flow, tenant, "VOICE_COMMAND_EXECUTED", &executed)
            .await
            .ok();
    }
    let error = result.as_ref().err().map(Failure::text);
    let completed = Completed {
        command: name,
        success: error.is_none(),
        duration: millis(start),
        error,
    };
    voice(flow, tenant, "VOICE_PROCESSING_COMPLETED", &completed)
        .await
        .ok();
    result
}

/// Publishes a voice event. Past the first one a failure changes nothing for the caller: what the command did is
/// done, and the loss has been logged and counted.
async fn voice(
    flow: &Flow,
    tenant: &TenantId,
    kind: &'static str,
    data: &impl Serialize,
) -> Result<(), Failure> {
    flow.publish(tenant, envelope::voice_event(tenant, kind, data, flow.now()))
        .await
}

fn millis(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
