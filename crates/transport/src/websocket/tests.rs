//! What an idle connection costs.

use super::{Shared, serve};
use crate::live::Live;
use crate::{HeartbeatTimes, Incoming, OriginPolicy, Protocol, Transport, TransportLimits, Via};
use bytes::Bytes;
use std::time::Duration;
use tidings_hub::{Gateway, HubBuilder, HubLimits, Registration};
use tidings_wire::close_code::CloseCode;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the task may take besides the gateway's protocol and its `receive`.
const TASK_BYTES_MAX: usize = 400;

struct Nothing;

impl Protocol for Nothing {
    async fn receive(&mut self, _message: Incoming) -> Result<(), CloseCode> {
        Ok(())
    }
}

#[tokio::test]
async fn the_task_is_small() {
    let seconds = Duration::from_secs(1);
    let transport = Transport::new(
        HubBuilder::new(HubLimits::default(), 1).start(),
        TransportLimits::default(),
        OriginPolicy::Any,
        HeartbeatTimes {
            interval: seconds,
            timeout: seconds,
        },
        CancellationToken::new(),
        TaskTracker::new(),
    );
    let registration = Registration {
        gateway: Gateway::Tasks,
        heartbeat: transport.websocket_heartbeat(),
        socket: None,
        window: None,
    };
    let connection = transport.hub().open(registration).unwrap();
    let task = serve(
        Live::new(transport, connection, Via::Websocket, None),
        Shared,
        Bytes::new(),
        None,
        Nothing,
    );
    let bytes = size_of_val(&task);
    assert!(bytes <= TASK_BYTES_MAX, "{bytes}");
}
