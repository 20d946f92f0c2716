//! Carrying a command out: what the room hears of it, and in which order.

use serde::Serialize;
use serde_json::value::RawValue;
use tidings_store::TenantId;
use tokio::time::Instant;

use super::Command;
use super::request::Request;
use crate::authentication::{Principal, is_still_good};
use crate::envelope;
use crate::flow::Flow;
use crate::response::{Failure, Response};

#[derive(Serialize)]
struct Started<'a> {
    command: &'a str,
}

#[derive(Serialize)]
struct Executed<'a> {
    command: &'a str,
    parameters: &'a Command,
    response: &'a RawValue,
    duration: u64,
}

#[derive(Serialize)]
struct Completed<'a> {
    command: &'a str,
    success: bool,
    duration: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
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
    Response::new(command, result, principal.tenant.clone(), flow.now())
}

/// Failures here are told to the caller alone.
async fn admit(flow: &Flow, principal: &Principal, request: &Request<'_>) -> Result<Box<RawValue>, Failure> {
    let (_, command) = request.accept(principal)?;
    if !is_still_good(flow.store(), flow.clock(), principal.key).await? {
        return Err(Failure::AccessDenied);
    }
    let admission = flow.admit_command().ok_or(Failure::RateLimited)?;
    let name = request.command.clone().unwrap_or_default();
    let (caller, flow, principal) = (flow, flow.clone(), principal.clone());
    // On its own task: a caller that goes away must not leave the room with half of the events.
    let task = caller.finish(async move {
        let result = carry_out(&flow, &principal, &name, &command).await;
        drop(admission);
        result
    });
    task.await.unwrap_or(Err(Failure::InternalError))
}

async fn carry_out(
    flow: &Flow,
    principal: &Principal,
    name: &str,
    command: &Command,
) -> Result<Box<RawValue>, Failure> {
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
    result.map(|outcome| outcome.data)
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
