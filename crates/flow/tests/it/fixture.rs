//! A running gateway, and the smallest clients that can speak to it.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value;
use tempfile::TempDir;
use tidings_access::TenantKey;
use tidings_backup::{BackupLimits, BackupTarget};
use tidings_bus::{Bus, MemoryBus};
use tidings_flow::backup::BackupSettings;
use tidings_flow::{ComplianceSettings, Flow, FlowEncodings, FlowLimits};
use tidings_hub::{HubBuilder, HubLimits};
use tidings_store::{KeyRecord, NewKey, NewTenant, Store, TenantId};
use tidings_transport::socketio::SocketServer;
use tidings_transport::{HeartbeatTimes, Listener, OriginPolicy, Transport, TransportLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// No answer in this time is a failure.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Gateway {
    pub(crate) store: Store,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) flow: Flow,
    pub(crate) backups: BackupTarget,
    address: std::net::SocketAddr,
    _directory: TempDir,
}

/// Tenants `t1` (slug `one`) and `t2`; keys `admin-1`, `admin-2`, and `metrics-1`, which may not read leads.
pub(crate) async fn gateway() -> Gateway {
    gateway_with(100, TransportLimits::default()).await
}

/// The same with other limits.
pub(crate) async fn gateway_with(connections_per_tenant_max: usize, limits: TransportLimits) -> Gateway {
    gateway_on(connections_per_tenant_max, limits, |bus| bus).await
}

/// The same with a bus put before the one there is.
pub(crate) async fn gateway_on(
    connections_per_tenant_max: usize,
    limits: TransportLimits,
    put_before: impl FnOnce(Arc<dyn Bus>) -> Arc<dyn Bus>,
) -> Gateway {
    let store = Store::open("sqlite::memory:").await.unwrap();
    for (id, slug) in [("t1", "one"), ("t2", "two")] {
        let (id, slug) = (TenantId::new(id).unwrap(), Some(TenantId::new(slug).unwrap()));
        store
            .create_tenant(NewTenant {
                id,
                slug,
                name: String::new(),
            })
            .await
            .unwrap();
    }
    for (tenant, key, permission) in [
        ("t1", "admin-1", "admin"),
        ("t2", "admin-2", "admin"),
        ("t1", "metrics-1", "metrics:read"),
    ] {
        add_key(&store, tenant, key, permission).await;
    }
    let mut builder = HubBuilder::new(HubLimits::default(), 1);
    let encodings = FlowEncodings::register(&mut builder);
    let hub = builder.start();
    let bus = put_before(Arc::new(MemoryBus::new(hub.clone())));
    let times = HeartbeatTimes {
        interval: Duration::from_secs(25),
        timeout: Duration::from_secs(20),
    };
    let listener = Listener::bind(&["127.0.0.1:0".parse().unwrap()], &limits).unwrap();
    let address = listener.local_addresses()[0];
    let transport = Transport::new(
        hub,
        limits,
        OriginPolicy::Any,
        times,
        CancellationToken::new(),
        TaskTracker::new(),
    );
    let flow_limits = FlowLimits {
        connections_per_tenant_max,
        commands_per_tenant_per_second: 1_000,
        commands_per_tenant_burst: 1_000,
    };
    let directory = tempfile::tempdir().unwrap();
    let backups = BackupTarget::directory(directory.path()).unwrap();
    let backup_settings = BackupSettings {
        target: backups.clone(),
        limits: BackupLimits {
            full_backups_max: 2,
            incrementals_max: 2,
        },
        timeout: PATIENCE,
    };
    let flow = Flow::new(
        transport.clone(),
        bus.clone(),
        store.clone(),
        encodings,
        flow_limits,
        backup_settings,
        ComplianceSettings::default(),
    );
    let sockets = SocketServer::of_gateway(&transport, tidings_hub::Gateway::Flow, flow.socket_io());
    tokio::spawn(listener.serve(flow.routes().merge(sockets.routes()), transport));
    Gateway {
        store,
        bus,
        flow,
        backups,
        address,
        _directory: directory,
    }
}

pub(crate) async fn add_key(store: &Store, tenant: &str, key: &str, permission: &str) -> KeyRecord {
    let hash = *TenantKey::parse(key).unwrap().hash().as_bytes();
    let tenant = TenantId::new(tenant).unwrap();
    let permissions = vec![permission.to_owned()];
    store
        .create_key(NewKey {
            tenant,
            hash,
            permissions,
            expires_at: None,
        })
        .await
        .unwrap()
}

impl Gateway {
    /// Sends a request and reads the answer's head and body.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let lines = lines(headers);
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{lines}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer))
            .await
            .expect("an answer in time")
            .unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: status(head),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    /// Upgrades to a WebSocket.
    pub(crate) async fn websocket(&self, path: &str, headers: &[(&str, &str)]) -> Client {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let lines = lines(headers);
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert_eq!(status(std::str::from_utf8(&head).unwrap()), 101);
        Client { stream }
    }

    /// A Socket.IO client that has entered `/events` and was welcomed.
    pub(crate) async fn socket(&self, key: &str) -> Client {
        let mut client = self
            .websocket("/socket.io/?EIO=4&transport=websocket", &[("x-tenant-key", key)])
            .await;
        assert!(client.text().await.starts_with("0{"));
        client.send("40/events,").await;
        assert!(client.text().await.starts_with("40/events,{\"sid\":\""));
        assert!(client.text().await.starts_with("42/events,[\"connected\","));
        client
    }

    /// A plain client that was welcomed.
    pub(crate) async fn plain(&self, key: &str) -> Client {
        let mut client = self.websocket("/events", &[("x-tenant-key", key)]).await;
        assert!(
            client.text().await.starts_with(
                r#"{"event":"connected","data":{"message":"Connected to TekUp Events Gateway","#
            )
        );
        client
    }
}

fn lines(headers: &[(&str, &str)]) -> String {
    headers
        .iter()
        .flat_map(|(name, value)| [name, ": ", value, "\r\n"])
        .collect()
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn is(&self, status: StatusCode, code: &str) {
        assert_eq!(
            (self.status, self.json()["code"].as_str()),
            (status.as_u16(), Some(code)),
            "{}",
            self.body
        );
    }
}

/// The client's end of a WebSocket.
pub(crate) struct Client {
    stream: TcpStream,
}

impl Client {
    pub(crate) async fn send(&mut self, text: &str) {
        let length = text.len();
        let mut frame = vec![0x81];
        if length < 126 {
            frame.push(0x80 | u8::try_from(length).unwrap());
        } else {
            frame.push(0x80 | 0x7e);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        // A mask of zeros leaves the text as it is.
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.stream.write_all(&frame).await.unwrap();
    }

    /// The next text message. A close frame is the text `close <code>`.
    pub(crate) async fn text(&mut self) -> String {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.frame())
                .await
                .expect("a frame in time");
            // Pings come when they come; the tests are over before a pong is missed.
            if let Some(text) = frame.filter(|text| text != "2") {
                return text;
            }
        }
    }

    /// The next message, taken apart as `["name",data]` or `{"event":name,"data":data}`.
    pub(crate) async fn event(&mut self) -> (String, Value) {
        let text = self.text().await;
        let (name, data) = if let Some(json) = text.strip_prefix("42/events,") {
            serde_json::from_str(json).unwrap()
        } else {
            let mut frame: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no event: {text}"));
            (
                frame["event"].take().as_str().unwrap().to_owned(),
                frame["data"].take(),
            )
        };
        (name, data)
    }

    /// `None` is a ping.
    async fn frame(&mut self) -> Option<String> {
        let opcode = self.stream.read_u8().await.unwrap() & 0x0f;
        let length = match self.stream.read_u8().await.unwrap() {
            126 => usize::from(self.stream.read_u16().await.unwrap()),
            127 => usize::try_from(self.stream.read_u64().await.unwrap()).unwrap(),
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await.unwrap();
        match opcode {
            1 => Some(String::from_utf8(payload).unwrap()),
            8 => Some(format!("close {}", u16::from_be_bytes([payload[0], payload[1]]))),
            9 => None,
            other => panic!("an unexpected frame of opcode {other}"),
        }
    }
}
