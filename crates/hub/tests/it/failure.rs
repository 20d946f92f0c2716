//! A shard that panics is not lost in silence.

use crate::fixture::{event, room};
use std::sync::Arc;
use tidings_hub::{Encoding, Event, Gateway, Heartbeat, HubBuilder, HubLimits, Registration};
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::Frame;

/// Stands for a defect.
struct Defective;

impl Encoding for Defective {
    fn frame(&self, _: &Event) -> Option<Frame> {
        panic!("a defect");
    }

    fn gap(&self, _: u32, _: Timestamp) -> Frame {
        panic!("a defect");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_panics_is_told_of() {
    let mut builder = HubBuilder::new(HubLimits::default(), 2);
    let encoding = builder.encoding(Gateway::Tasks, Arc::new(Defective));
    let hub = builder.start();
    let registration = Registration {
        gateway: Gateway::Tasks,
        heartbeat: Arc::new(Heartbeat {
            interval: std::time::Duration::from_secs(25),
            timeout: None,
            frame: Frame::ping(b""),
        }),
        socket: None,
        window: None,
    };
    let connection = hub.open(registration).unwrap();
    connection.join(room("r"), encoding, None).await;
    let minute = std::time::Duration::from_mins(1);
    assert!(
        tokio::time::timeout(minute, hub.failed()).await.is_err(),
        "nothing has failed yet"
    );
    hub.publish(event(&["r"], "1")).await;
    tokio::time::timeout(minute, hub.failed()).await.unwrap();
}
