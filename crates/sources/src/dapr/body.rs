//! Reading a delivery's body within bounds.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use std::time::Duration;

/// How much over the limit is read and thrown away: a sender that is cut off while it writes sees no answer.
const EXCESS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A body as it came.
pub(super) enum Received {
    Whole(Bytes),
    /// Over the limit; its beginning, for the dead letter.
    TooLarge(Bytes),
    Broken,
}

pub(super) async fn read(body: Body, bytes_max: usize, timeout: Duration) -> Received {
    tokio::time::timeout(timeout, collect(body, bytes_max))
        .await
        .unwrap_or(Received::Broken)
}

async fn collect(mut body: Body, bytes_max: usize) -> Received {
    let mut collected = BytesMut::new();
    let mut excess_bytes = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Received::Broken;
        };
        let Ok(mut data) = frame.into_data() else { continue };
        let fitting = data.split_to(data.len().min(bytes_max - collected.len()));
        collected.extend_from_slice(&fitting);
        excess_bytes += data.len();
        if excess_bytes > EXCESS_BYTES_MAX {
            break;
        }
    }
    let collected = collected.freeze();
    if excess_bytes == 0 {
        Received::Whole(collected)
    } else {
        Received::TooLarge(collected)
    }
}
