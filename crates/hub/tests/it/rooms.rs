//! Who gets what.

use crate::fixture::{Fixture, event, room};
use tidings_hub::{Gateway, Gateways, HubLimits};
use tidings_wire::websocket::Frame;

/// Marks the end of what a client has got so far.
async fn settle(connection: &std::sync::Arc<tidings_hub::Connection>) {
    connection.send(Frame::text("end")).await;
}

async fn until_end(client: &mut crate::fixture::Client) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        match client.text().await {
            end if end == "end" => return seen,
            text => seen.push(text),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_in_several_rooms_gets_an_event_once_and_the_excluded_none() {
    let fixture = Fixture::start(HubLimits::default(), 2).await;
    let (both, mut both_client) = fixture.connect().await;
    let (one, mut one_client) = fixture.connect().await;
    for (connection, name) in [(&both, "a"), (&both, "b"), (&one, "b")] {
        connection
            .join(room(name), fixture.encoding, Some(Frame::text("joined")))
            .await;
    }
    assert_eq!(
        (both_client.text().await, both_client.text().await),
        ("joined".into(), "joined".into())
    );
    assert_eq!(one_client.text().await, "joined");

    fixture.publish(&["a", "b"], "1").await;
    let mut excluding = event(&["b"], "2");
    excluding.exclude = vec![one.id()];
    fixture.hub.publish(excluding).await;
    let mut foreign = event(&["a", "b"], "3");
    foreign.gateways = Gateways::only(Gateway::Flow);
    fixture.hub.publish(foreign).await;
    fixture.publish(&["nobody"], "4").await;

    settle(&both).await;
    settle(&one).await;
    assert_eq!(until_end(&mut both_client).await, ["1", "2"]);
    assert_eq!(until_end(&mut one_client).await, ["1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_ends_the_events_and_the_census_follows() {
    let fixture = Fixture::start(HubLimits::default(), 2).await;
    let (connection, mut client) = fixture.connect().await;
    for name in ["a", "b", "a"] {
        connection
            .join(room(name), fixture.encoding, Some(Frame::text("joined")))
            .await;
        assert_eq!(client.text().await, "joined");
    }
    let census = fixture.hub.rooms(Gateway::Tasks).await;
    assert_eq!(
        census
            .iter()
            .map(|room| (room.name.as_str(), room.members))
            .collect::<Vec<_>>(),
        [("a", 1), ("b", 1)]
    );
    assert!(fixture.hub.rooms(Gateway::Flow).await.is_empty());

    connection.leave(room("a"), Some(Frame::text("left"))).await;
    assert_eq!(client.text().await, "left");
    fixture.publish(&["a"], "1").await;
    fixture.publish(&["b"], "2").await;
    settle(&connection).await;
    assert_eq!(until_end(&mut client).await, ["2"]);

    connection.gone();
    assert!(fixture.hub.rooms(Gateway::Tasks).await.is_empty());
    assert_eq!(fixture.hub.connections(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_and_rooms_are_reused_without_mixing_members_up() {
    let fixture = Fixture::start(HubLimits::default(), 1).await;
    let mut kept = Vec::new();
    for round in 0..50 {
        let (connection, mut client) = fixture.connect().await;
        let name = format!("room-{}", round % 7);
        connection
            .join(room(&name), fixture.encoding, Some(Frame::text("joined")))
            .await;
        assert_eq!(client.text().await, "joined");
        if round % 3 == 0 {
            connection.gone();
        } else {
            kept.push((connection, client, name, Vec::new()));
        }
    }
    for number in 0..7 {
        let name = format!("room-{number}");
        fixture.publish(&[&name], &number.to_string()).await;
        for (_, _, theirs, expected) in &mut kept {
            if *theirs == name {
                expected.push(number.to_string());
            }
        }
    }
    for (connection, client, _, expected) in &mut kept {
        settle(connection).await;
        assert_eq!(until_end(client).await, *expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_hands_its_frames_to_the_socket_in_order() {
    let fixture = Fixture::start(HubLimits::default(), 1).await;
    let connection = fixture.hub.open(fixture.registration(None)).unwrap();
    connection
        .join(room("r"), fixture.encoding, Some(Frame::text("joined")))
        .await;
    let relay = connection.relay().unwrap();
    assert_eq!(relay.next().await.frames.len(), 1);
    fixture.publish(&["r"], "1").await;
    fixture.publish(&["r"], "2").await;
    let (other, mut client) = fixture.connect().await;
    let socket = {
        // The stream of another connection serves as the upgraded one.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (stream, accepted) = tokio::join!(
            tokio::net::TcpStream::connect(listener.local_addr().unwrap()),
            listener.accept()
        );
        client.stream = stream.unwrap();
        accepted.unwrap().0
    };
    connection.attach(Some(socket), None).unwrap();
    fixture.publish(&["r"], "3").await;
    settle(&connection).await;
    assert_eq!(until_end(&mut client).await, ["1", "2", "3"]);
    drop(other);
}
