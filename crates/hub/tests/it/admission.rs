//! What may be published at once.

use crate::fixture::{Fixture, event, room};
use tidings_hub::HubLimits;

#[tokio::test]
async fn what_has_to_wait_comes_back_and_what_nobody_hears_need_not() {
    let one_at_a_time = HubLimits {
        publish_bytes_in_flight_max: 1,
        ..HubLimits::default()
    };
    let fixture = Fixture::start(one_at_a_time, 1).await;
    let (connection, mut client) = fixture.connect().await;
    connection.join(room("heard"), fixture.encoding, None).await;
    fixture.figures().await;
    // The shard's turn does not come before this task waits for something.
    assert!(fixture.hub.try_publish(event(&["heard"], "1")).is_ok());
    let Err(back) = fixture.hub.try_publish(event(&["heard"], "2")) else {
        panic!("the first is still in flight");
    };
    assert_eq!(back.data.get(), "2");
    // Whether somebody hears one of several rooms is found out when it is their turn.
    assert!(
        fixture
            .hub
            .try_publish(event(&["unheard", "silent"], "0"))
            .is_err()
    );
    assert!(fixture.hub.try_publish(event(&["unheard"], "3")).is_ok());
    assert_eq!(fixture.figures().await.publishes, 2);
    assert!(fixture.hub.try_publish(*back).is_ok());
    assert_eq!(
        (client.text().await, client.text().await),
        ("1".to_owned(), "2".to_owned())
    );
}
