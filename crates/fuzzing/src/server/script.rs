//! What clients do, step by step.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use arbitrary::Arbitrary;
use tidings_wire::websocket::client_frame;
use tokio::task::JoinSet;

use super::client::Client;
use super::start::Server;
use crate::pieces::deflated;

const CLIENTS: usize = 4;
const STEPS_MAX: usize = 40;
const SESSIONS_MAX: usize = 8;

#[derive(Debug, Arbitrary)]
pub(super) struct Script {
    steps: Vec<Step>,
    end: End,
}

/// How the clients leave.
#[derive(Clone, Copy, Debug, Arbitrary)]
enum End {
    Reset,
    Close,
    /// They stay and read, and say nothing more.
    Silence,
}

#[derive(Debug, Arbitrary)]
enum Step {
    Raw(u8, Vec<u8>),
    Request(u8, Request),
    /// Half of a request, or a third.
    Cut(u8, Request, u8),
    Upgrade(u8, Path, Option<u8>, Offer, Frames),
    Frames(u8, Frames),
    Read(u8),
    Wait(u8),
    EndWriting(u8),
    Close(u8),
    Reset(u8),
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Path {
    Echo,
    Refuse,
    EngineIo,
    SocketIo,
    Stream,
    Nothing,
}

/// What a client offers of compression.
#[derive(Clone, Copy, Debug, Arbitrary)]
enum Offer {
    Nothing,
    Compression,
    SmallWindow,
}

#[derive(Debug, Arbitrary)]
enum Request {
    Handshake(Path),
    Poll(Path, u8),
    Post(Path, u8, Vec<Packet>),
    Other {
        method: u8,
        path: Path,
        session: Option<u8>,
        upgrade: bool,
        body: Vec<u8>,
        length: Option<u16>,
    },
}

/// An Engine.IO packet, more or less.
#[derive(Debug, Arbitrary)]
enum Packet {
    Connect(u8),
    Disconnect(u8),
    Event(u8, Word, Option<u8>),
    Attachments(u8, Word),
    Binary(Vec<u8>),
    Pong,
    Probe,
    Upgrade,
    Close,
    Message(Word),
    Text(String),
}

#[derive(Debug, Arbitrary)]
enum Word {
    Join(u8),
    Leave(u8),
    Publish(u8),
    Away,
    Closed,
    Long(u16),
    Any(String),
}

#[derive(Debug, Arbitrary)]
struct Frames(Vec<Frame>);

#[derive(Debug, Arbitrary)]
enum Frame {
    Packet(Packet),
    Word(Word),
    Binary(Vec<u8>),
    /// So many zeros, compressed.
    Zeros(u16),
    Fragment {
        first: u8,
        payload: Vec<u8>,
    },
    Ping,
    Pong,
    Close(u16),
}

impl Script {
    /// Returns those of the clients that stay, as they read.
    pub(super) async fn play(self, server: &Server) -> JoinSet<()> {
        let mut play = Play {
            server,
            clients: Default::default(),
            sessions: Vec::new(),
        };
        for step in self.steps.into_iter().take(STEPS_MAX) {
            play.step(step).await;
        }
        play.end(self.end)
    }
}

struct Play<'a> {
    server: &'a Server,
    clients: [Option<Client>; CLIENTS],
    sessions: Vec<String>,
}

impl Play<'_> {
    async fn step(&mut self, step: Step) {
        match step {
            Step::Raw(client, bytes) => self.write(client, &bytes).await,
            Step::Request(client, request) => {
                let bytes = self.request(&request);
                self.write(client, &bytes).await;
            }
            Step::Cut(client, request, part) => {
                let bytes = self.request(&request);
                let end = bytes.len() * usize::from(part) / 256;
                self.write(client, &bytes[..end]).await;
            }
            Step::Upgrade(client, path, session, offer, frames) => {
                let mut bytes = self.upgrade(path, session, offer);
                bytes.extend(frames.bytes());
                self.write(client, &bytes).await;
                self.read(client).await;
            }
            Step::Frames(client, frames) => self.write(client, &frames.bytes()).await,
            Step::Read(client) => self.read(client).await,
            Step::Wait(millis) => tokio::time::sleep(Duration::from_millis(u64::from(millis % 32))).await,
            Step::EndWriting(client) => {
                if let Some(client) = &mut self.clients[usize::from(client) % CLIENTS] {
                    client.end_writing().await;
                }
            }
            Step::Close(client) => self.take(client).map(drop).unwrap_or_default(),
            Step::Reset(client) => self.take(client).map(Client::reset).unwrap_or_default(),
        }
    }

    async fn write(&mut self, client: u8, bytes: &[u8]) {
        let place = &mut self.clients[usize::from(client) % CLIENTS];
        if place.is_none() {
            *place = Client::open(self.server.address).await;
        }
        if let Some(client) = place {
            client.write(bytes).await;
        }
    }

    async fn read(&mut self, client: u8) {
        if let Some(client) = &mut self.clients[usize::from(client) % CLIENTS] {
            let found = client.read().await;
            self.note(found);
        }
    }

    fn take(&mut self, client: u8) -> Option<Client> {
        let mut client = self.clients[usize::from(client) % CLIENTS].take()?;
        let found = client.read_now();
        self.note(found);
        Some(client)
    }

    fn note(&mut self, found: Vec<String>) {
        for id in found {
            if self.sessions.len() < SESSIONS_MAX && !self.sessions.contains(&id) {
                self.sessions.push(id);
            }
        }
    }

    fn end(mut self, end: End) -> JoinSet<()> {
        let mut reading = JoinSet::new();
        for place in 0..CLIENTS {
            let Some(client) = self.take(place as u8) else {
                continue;
            };
            match end {
                End::Reset => client.reset(),
                End::Close => drop(client),
                End::Silence => {
                    reading.spawn(client.read_to_end());
                }
            }
        }
        for id in self.sessions {
            for path in [Path::EngineIo, Path::SocketIo] {
                reading.spawn(poll_to_end(self.server.address, path, id.clone()));
            }
        }
        reading
    }

    fn session(&self, place: u8) -> &str {
        let count = self.sessions.len().max(1);
        self.sessions
            .get(usize::from(place) % count)
            .map_or("AAAAAAAAAAAAAAAAAAAA", String::as_str)
    }

    fn request(&self, request: &Request) -> Vec<u8> {
        let (method, path, session, upgrade, body, length) = match request {
            Request::Handshake(path) => ("GET", path, None, false, Vec::new(), None),
            Request::Poll(path, session) => ("GET", path, Some(*session), false, Vec::new(), None),
            Request::Post(path, session, packets) => {
                let packets: Vec<String> = packets.iter().map(Packet::payload).collect();
                (
                    "POST",
                    path,
                    Some(*session),
                    false,
                    packets.join("\u{1e}").into_bytes(),
                    None,
                )
            }
            Request::Other {
                method,
                path,
                session,
                upgrade,
                body,
                length,
            } => {
                let methods = ["GET", "POST", "PUT", "OPTIONS", "HEAD", "DELETE"];
                let method = methods[usize::from(*method) % methods.len()];
                (method, path, *session, *upgrade, body.clone(), *length)
            }
        };
        let mut head = format!("{method} {}", path.text());
        if let Some(session) = session {
            let _ = write!(head, "&sid={}", self.session(session));
        }
        let length = length.map_or(body.len(), usize::from);
        let _ = write!(
            head,
            " HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
        );
        if upgrade {
            head.push_str(UPGRADE);
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend(body);
        bytes
    }

    fn upgrade(&self, path: Path, session: Option<u8>, offer: Offer) -> Vec<u8> {
        let mut query = path.text().replace("transport=polling", "transport=websocket");
        if let Some(session) = session {
            let _ = write!(query, "&sid={}", self.session(session));
        }
        let offer = offer.text();
        format!("GET {query} HTTP/1.1\r\nHost: localhost\r\n{UPGRADE}{offer}\r\n").into_bytes()
    }
}

/// Polls a session until it is no more: its client hears of the end, so that the server does not wait for that.
async fn poll_to_end(address: SocketAddr, path: Path, id: String) {
    let request = format!(
        "GET {}&sid={id} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        path.text()
    );
    while let Some(mut client) = Client::open(address).await {
        client.write(request.as_bytes()).await;
        if !client.answers_well().await {
            return;
        }
    }
}

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

impl Path {
    fn text(self) -> &'static str {
        match self {
            Self::Echo => "/echo?",
            Self::Refuse => "/refuse?",
            Self::EngineIo => "/engine.io/?EIO=4&transport=polling",
            Self::SocketIo => "/socket.io/?EIO=4&transport=polling",
            Self::Stream => "/stream?",
            Self::Nothing => "/nothing?",
        }
    }
}

impl Offer {
    fn text(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Compression => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
            Self::SmallWindow => "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n",
        }
    }
}

fn namespace(number: u8) -> &'static str {
    ["", "/a,", "/b,", "/closed,"][usize::from(number % 4)]
}

impl Packet {
    /// As a text message of a WebSocket, or as binary.
    fn text(&self) -> Result<String, &[u8]> {
        Ok(match self {
            Self::Connect(number) => format!("40{}", namespace(*number)),
            Self::Disconnect(number) => format!("41{}", namespace(*number)),
            Self::Event(number, name, ack) => {
                let ack = ack.map(|ack| ack.to_string()).unwrap_or_default();
                format!("42{}{ack}[{:?},1.50]", namespace(*number), name.text())
            }
            Self::Attachments(count, name) => {
                format!(
                    "45{}-[{:?},{{\"_placeholder\":true,\"num\":0}}]",
                    count % 4,
                    name.text()
                )
            }
            Self::Binary(bytes) => return Err(bytes),
            Self::Pong => "3".to_owned(),
            Self::Probe => "2probe".to_owned(),
            Self::Upgrade => "5".to_owned(),
            Self::Close => "1".to_owned(),
            Self::Message(word) => format!("4{}", word.text()),
            Self::Text(text) => text.clone(),
        })
    }

    /// As a packet of a polling payload.
    fn payload(&self) -> String {
        use base64::Engine as _;
        self.text()
            .unwrap_or_else(|bytes| format!("b{}", base64::engine::general_purpose::STANDARD.encode(bytes)))
    }
}

impl Word {
    fn text(&self) -> String {
        match self {
            Self::Join(room) => format!("+r{}", room % 3),
            Self::Leave(room) => format!("-r{}", room % 3),
            Self::Publish(room) => format!("!r{}", room % 3),
            Self::Away => "leave".to_owned(),
            Self::Closed => "x".to_owned(),
            Self::Long(length) => "l".repeat(usize::from(*length % 4_000)),
            Self::Any(text) => text.clone(),
        }
    }
}

impl Frames {
    fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(Frame::bytes).collect()
    }
}

impl Frame {
    fn bytes(&self) -> Vec<u8> {
        // Masked with zeros, so that a corpus can be read.
        let frame = |first, payload: &[u8]| client_frame(first, [0; 4], payload);
        match self {
            Self::Packet(packet) => match packet.text() {
                Ok(text) => frame(0x81, text.as_bytes()),
                Err(binary) => frame(0x82, binary),
            },
            Self::Word(word) => frame(0x81, word.text().as_bytes()),
            Self::Binary(payload) => frame(0x82, payload),
            Self::Zeros(count) => frame(0xC2, &deflated(&vec![0; usize::from(*count)])),
            Self::Fragment { first, payload } => frame(*first, payload),
            Self::Ping => frame(0x89, b"p"),
            Self::Pong => frame(0x8A, b""),
            Self::Close(code) => frame(0x88, &code.to_be_bytes()),
        }
    }
}
