//! How many turns of its thread an event takes to reach all members.

use crate::fixture::{Fixture, room};
use tidings_hub::HubLimits;
use tidings_wire::websocket::Frame;

const MEMBERS: u64 = 300;
/// In slices of 16 at first and twice as many from lap to lap, 300 sockets take seven laps of two turns. In the smallest
/// slices they take more than forty.
const TURNS_MAX: u32 = 20;

#[tokio::test]
async fn answers_to_others_do_not_hold_up_an_event() {
    let fixture = Fixture::start(HubLimits::default(), 1).await;
    let mut members = Vec::new();
    for _ in 0..MEMBERS {
        let (connection, client) = fixture.connect().await;
        connection.join(room("r"), fixture.encoding, None).await;
        members.push((connection, client));
    }
    // On a relay, so that the members' frames alone are written.
    let asker = fixture.hub.open(fixture.registration(None)).unwrap();
    assert_eq!(fixture.figures().await.frames_written, 0);
    fixture.publish(&["r"], "1").await;
    let mut turns = 0;
    while fixture.hub.figures().frames_written < MEMBERS {
        asker.send(Frame::text("answer")).await;
        tokio::task::yield_now().await;
        turns += 1;
    }
    assert!(turns <= TURNS_MAX, "{turns} turns");
}
