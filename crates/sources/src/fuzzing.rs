//! The parsers of what is delivered, for the fuzz targets.

use axum::http::HeaderMap;
use tidings_hub::RoomName;

use crate::route::{Routable, Routes};
use crate::{DropReason, Received, dapr};

/// What a delivery's events come to: the rooms and the data of each, or why it is dropped.
pub fn dapr(headers: &HeaderMap, body: &[u8]) -> Vec<Result<(Vec<RoomName>, String), DropReason>> {
    let routes = Routes::default();
    let read = |mut received: Received<'_>| {
        let data = received.take_data()?;
        let destination = routes.route(Routable {
            topic: None,
            envelope: received.envelope(),
            data: &data,
        })?;
        Ok((destination.rooms, data.get().to_owned()))
    };
    dapr::each_received(headers, body, read)
}
