//! A hub with plain text frames, and clients that are bare TCP streams.

use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;
use tidings_hub::{
    Connection, Encoding, EncodingId, Event, EventId, Figures, Gateway, Gateways, Heartbeat, Hub, HubBuilder,
    HubLimits, Registration, RoomClasses, RoomName,
};
use tidings_wire::time::Timestamp;
use tidings_wire::websocket::{Frame, WindowBits};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

/// The event's data as a text frame.
struct Data;

impl Encoding for Data {
    fn frame(&self, event: &Event) -> Option<Frame> {
        Some(Frame::text(event.data.get()))
    }

    fn gap(&self, dropped: u32, _: Timestamp) -> Frame {
        Frame::text(&format!("gap {dropped}"))
    }
}

pub(crate) struct Fixture {
    pub(crate) hub: Hub,
    pub(crate) encoding: EncodingId,
    listener: TcpListener,
    heartbeat: Arc<Heartbeat>,
}

/// The client's end of a connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Fixture {
    pub(crate) async fn start(limits: HubLimits, shards: usize) -> Fixture {
        Fixture::with_heartbeat(limits, shards, Duration::from_secs(25), Duration::from_secs(20)).await
    }

    /// A hub in which of rooms `latest:…` the latest is enough, and rooms `drop:…` drop their oldest events.
    pub(crate) async fn with_classes(limits: HubLimits) -> Fixture {
        let prefix = |text: &str| [text.parse().unwrap()];
        let classes = RoomClasses::new(&prefix("latest:"), &prefix("drop:")).unwrap();
        let hour = Duration::from_hours(1);
        Fixture::built(limits, 1, classes, hour, hour).await
    }

    pub(crate) async fn with_heartbeat(
        limits: HubLimits,
        shards: usize,
        interval: Duration,
        timeout: Duration,
    ) -> Fixture {
        Fixture::built(limits, shards, RoomClasses::default(), interval, timeout).await
    }

    async fn built(
        limits: HubLimits,
        shards: usize,
        classes: RoomClasses,
        interval: Duration,
        timeout: Duration,
    ) -> Fixture {
        let mut builder = HubBuilder::new(limits, shards);
        builder.classes(classes);
        let encoding = builder.encoding(Gateway::Tasks, Arc::new(Data));
        let hub = builder.start();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let heartbeat = Arc::new(Heartbeat {
            interval,
            timeout: Some(timeout),
            frame: Frame::ping(b""),
        });
        Fixture {
            hub,
            encoding,
            listener,
            heartbeat,
        }
    }

    pub(crate) async fn connect(&self) -> (Arc<Connection>, Client) {
        self.connect_with(None).await
    }

    /// A connection whose peer agreed to compressed frames, if there is a window.
    pub(crate) async fn connect_with(&self, window: Option<WindowBits>) -> (Arc<Connection>, Client) {
        let (socket, client) = self.sockets().await;
        let registration = Registration {
            window,
            ..self.registration(Some(socket))
        };
        (self.hub.open(registration).unwrap(), client)
    }

    /// The server's and the client's end of a connection that nobody has opened.
    pub(crate) async fn sockets(&self) -> (TcpStream, Client) {
        let address = self.listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), self.listener.accept());
        let socket = accepted.unwrap().0;
        socket.set_nodelay(true).unwrap();
        let client = Client {
            stream: client.unwrap(),
            buffer: Vec::new(),
        };
        (socket, client)
    }

    pub(crate) fn registration(&self, socket: Option<TcpStream>) -> Registration {
        Registration {
            gateway: Gateway::Tasks,
            heartbeat: self.heartbeat.clone(),
            socket,
            window: None,
        }
    }

    /// The figures, with everything counted that has happened so far.
    pub(crate) async fn figures(&self) -> Figures {
        self.hub.rooms(Gateway::Tasks).await;
        self.hub.figures()
    }

    pub(crate) async fn publish(&self, rooms: &[&str], data: &str) {
        self.hub.publish(event(rooms, data)).await;
    }
}

pub(crate) fn event(rooms: &[&str], data: &str) -> Event {
    Event {
        id: EventId::generate(),
        rooms: rooms.iter().map(|name| room(name)).collect(),
        kind: "test".into(),
        name: None,
        key: None,
        data: RawValue::from_string(data.to_owned()).unwrap(),
        time: Timestamp::from_millis(0),
        gateways: Gateways::ALL,
        exclude: Vec::new(),
        source: "test".into(),
    }
}

pub(crate) fn room(name: &str) -> RoomName {
    RoomName::new(name).unwrap()
}

impl Client {
    /// The next frame as (first byte, payload).
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let head = self.take(2).await?;
        let length = match head[1] {
            126 => {
                let bytes = self.take(2).await?;
                usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))
            }
            127 => {
                let bytes = self.take(8).await?;
                usize::try_from(u64::from_be_bytes(bytes.try_into().unwrap())).unwrap()
            }
            short => usize::from(short),
        };
        Some((head[0], self.take(length).await?))
    }

    pub(crate) async fn text(&mut self) -> String {
        let (head, payload) = self.frame().await.unwrap();
        assert_eq!(head, 0x81, "a text frame");
        String::from_utf8(payload).unwrap()
    }

    /// The code of the close frame that comes next.
    pub(crate) async fn close_code(&mut self) -> u16 {
        let (head, payload) = self.frame().await.unwrap();
        assert_eq!(head, 0x88, "a close frame, not {payload:?}");
        u16::from_be_bytes([payload[0], payload[1]])
    }

    async fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if self.stream.read_buf(&mut self.buffer).await.ok()? == 0 {
                return None;
            }
        }
        Some(self.buffer.drain(..count).collect())
    }
}
