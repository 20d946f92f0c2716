//! One order per room, whoever publishes and wherever the members are.

use crate::fixture::{Fixture, room};
use tidings_hub::HubLimits;
use tidings_wire::websocket::Frame;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_members_see_all_events_once_and_in_the_same_order() {
    let fixture = std::sync::Arc::new(Fixture::start(HubLimits::default(), 4).await);
    let mut clients = Vec::new();
    for _ in 0..16 {
        let (connection, mut client) = fixture.connect().await;
        connection
            .join(room("r"), fixture.encoding, Some(Frame::text("joined")))
            .await;
        assert_eq!(client.text().await, "joined");
        clients.push((connection, client));
    }
    let publishers: Vec<_> = (0..4)
        .map(|publisher| {
            let fixture = fixture.clone();
            tokio::spawn(async move {
                for number in 0..200 {
                    fixture
                        .publish(&["r"], &format!("\"{publisher}:{number}\""))
                        .await;
                }
            })
        })
        .collect();
    let mut orders = Vec::new();
    for (_, client) in &mut clients {
        let mut seen = Vec::new();
        for _ in 0..800 {
            seen.push(client.text().await);
        }
        orders.push(seen);
    }
    for publisher in publishers {
        publisher.await.unwrap();
    }
    assert!(orders.iter().all(|order| *order == orders[0]));
    for publisher in 0..4 {
        let own: Vec<_> = orders[0]
            .iter()
            .filter(|text| text.starts_with(&format!("\"{publisher}:")))
            .collect();
        let expected: Vec<_> = (0..200)
            .map(|number| format!("\"{publisher}:{number}\""))
            .collect();
        assert!(own.into_iter().eq(&expected));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_comes_after_the_events_published_before_it() {
    let fixture = Fixture::start(HubLimits::default(), 2).await;
    let (connection, mut client) = fixture.connect().await;
    connection.join(room("r"), fixture.encoding, None).await;
    for number in 0..100 {
        fixture.publish(&["r"], &number.to_string()).await;
        connection.send(Frame::text("answer")).await;
        // The join above has been applied before the first answer at the latest.
        let mut text = client.text().await;
        if text == number.to_string() {
            text = client.text().await;
        } else {
            assert_eq!(number, 0, "only the first event may have been before the join");
        }
        assert_eq!(text, "answer");
    }
}
