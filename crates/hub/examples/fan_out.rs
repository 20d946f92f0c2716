//! Fans events out to sockets on one thread and ends: a program to count instructions with.
//!
//! ```sh
//! cargo build --release -p tidings-hub --example fan_out
//! valgrind --tool=callgrind --callgrind-out-file=out target/release/examples/fan_out 100 200 8
//! callgrind_annotate out
//! ```
//!
//! Its arguments are the connections, the rounds, and the events that are published in each round. It prints the
//! deliveries. The difference of two runs that differ in rounds alone is what the deliveries of those rounds cost.

#![expect(clippy::print_stdout, reason = "a program's output")]

use serde_json::value::RawValue;
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::time::Duration;
use tidings_hub::{
    Encoding, Event, EventId, Gateway, Gateways, Heartbeat, HubBuilder, HubLimits, Registration, RoomName,
};
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::Frame;
use tokio::net::{TcpListener, TcpStream};

/// The event's data as a text frame.
struct Data;

impl Encoding for Data {
    fn frame(&self, event: &Event) -> Option<Frame> {
        Some(Frame::text(event.data.get()))
    }

    fn gap(&self, dropped: u32, _: Timestamp) -> Frame {
        Frame::text(&dropped.to_string())
    }
}

fn argument(place: usize, default: u64) -> u64 {
    std::env::args()
        .nth(place)
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (connections, rounds, events) = (argument(1, 100), argument(2, 200), argument(3, 8));
    let mut builder = HubBuilder::new(HubLimits::default(), 1);
    let encoding = builder.encoding(Gateway::Tasks, Arc::new(Data));
    let hub = builder.start();
    let heartbeat = Arc::new(Heartbeat {
        interval: Duration::from_hours(1),
        timeout: Some(Duration::from_hours(1)),
        frame: Frame::ping(b""),
    });
    let room = RoomName::new("r").map_err(io::Error::other)?;
    let data = RawValue::from_string(format!("\"{}\"", "x".repeat(138))).map_err(io::Error::other)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let mut clients = Vec::new();
    let mut held = Vec::new();
    for _ in 0..connections {
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        clients.push(client?.into_std()?);
        let connection = hub
            .open(Registration {
                gateway: Gateway::Tasks,
                heartbeat: heartbeat.clone(),
                socket: Some(accepted?.0),
                window: None,
            })
            .map_err(io::Error::other)?;
        connection.join(room.clone(), encoding, None).await;
        held.push(connection);
    }
    let mut buffer = vec![0; 64 * 1024];
    for round in 0..rounds {
        for _ in 0..events {
            hub.publish(Event {
                id: EventId::generate(),
                rooms: vec![room.clone()],
                kind: "test".into(),
                name: None,
                key: None,
                data: data.clone(),
                time: Timestamp::from_millis(0),
                gateways: Gateways::ALL,
                exclude: Vec::new(),
                source: "test".into(),
            })
            .await;
        }
        while hub.figures().frames_written < (round + 1) * events * connections {
            tokio::task::yield_now().await;
        }
        for client in &mut clients {
            while matches!(client.read(&mut buffer), Ok(count) if count == buffer.len()) {}
        }
    }
    let figures = hub.figures();
    println!("{} deliveries in {} writes", figures.deliveries, figures.writes);
    match clients.first_mut().map(|client| client.read(&mut buffer)) {
        Some(Err(error)) if error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}
