//! Reading request bodies within bounds.

use crate::counters::Limit;
use crate::{Problem, ProblemCode, Transport};
use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use std::time::Duration;

/// How long a body may take to come where no [`Transport`] is behind the route, in tests.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How much over the limit is read and thrown away: a client that is cut off while it writes sees no answer.
const EXCESS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Reads a whole body of at most `bytes_max` bytes, within the time that the transport of the request allows.
pub async fn read_body(
    body: Body,
    bytes_max: usize,
    transport: Option<&Transport>,
) -> Result<Bytes, Problem> {
    let timeout = transport.map_or(TIMEOUT, |transport| transport.limits().body_timeout);
    let read = tokio::time::timeout(timeout, collect(body, bytes_max));
    let read = read
        .await
        .unwrap_or_else(|_| Err(Problem::new(ProblemCode::RequestTimeout)));
    read.inspect_err(|problem| {
        let limit = match problem.code() {
            ProblemCode::RequestTimeout => Limit::BodyTimeout,
            ProblemCode::PayloadTooLarge => Limit::MessageBytes,
            _ => return,
        };
        if let Some(transport) = transport {
            transport.counters().reached(limit);
        }
    })
}

async fn collect(mut body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    let mut collected = Vec::new();
    let mut excess_bytes = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|_| Problem::new(ProblemCode::InvalidBody).detail("the body did not come whole"))?;
        let Ok(data) = frame.into_data() else { continue };
        if excess_bytes == 0 && collected.len() + data.len() <= bytes_max {
            collected.extend_from_slice(&data);
        } else {
            collected = Vec::new();
            excess_bytes += data.len();
            if excess_bytes > EXCESS_BYTES_MAX {
                break;
            }
        }
    }
    if excess_bytes > 0 {
        return Err(Problem::new(ProblemCode::PayloadTooLarge).detail(format!("at most {bytes_max} bytes")));
    }
    Ok(collected.into())
}
