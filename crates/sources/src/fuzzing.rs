//! The parsers of what is delivered, for the fuzz targets.

use axum::http::HeaderMap;
use tidings_hub::RoomName;

use crate::{DropReason, Received, UserPaths, dapr, payload};

/// What a delivery's events come to: the room and the data of each, or why it is dropped.
pub fn dapr(headers: &HeaderMap, body: &[u8]) -> Vec<Result<(RoomName, String), DropReason>> {
    let paths = UserPaths::default();
    let read = |received| {
        let data = match received {
            Received::CloudEvent(event) => event.data,
            Received::Bare(data) => data,
            Received::Unreadable(reason) => return Err(reason),
        };
        let data = payload::object(data)?;
        Ok((paths.room(&data)?, data.get().to_owned()))
    };
    dapr::received(headers, body).into_iter().map(read).collect()
}
