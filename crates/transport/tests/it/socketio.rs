//! Socket.IO over polling, packet by packet.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, Request};
use serde_json::value::RawValue;
use tidings_hub::Gateway;
use tidings_transport::engineio::EngineOptions;
use tidings_transport::socketio::{
    Application, ConnectRequest, Event, Refusal, SocketHandle, SocketOptions, SocketServer,
};
use tidings_transport::{OriginPolicy, TransportLimits};
use tidings_wire::close_code::CloseCode;
use tokio::sync::Semaphore;

use crate::polling::{Client, PATIENCE, transport};

/// `/`, `/a`, `/b`, … may be entered with the header `x-key` or without; `/closed` may not. Counts what it hears.
#[derive(Clone)]
struct Rooms {
    left: Arc<Semaphore>,
    dropped: Arc<Semaphore>,
}

struct Member {
    handle: SocketHandle,
    key: Option<String>,
    dropped: Arc<Semaphore>,
}

impl Application for Rooms {
    type Socket = Member;

    fn needs_header(&self, name: &HeaderName) -> bool {
        name == "x-key"
    }

    async fn connect(&self, request: ConnectRequest<'_>) -> Result<Member, Refusal> {
        if request.namespace == "/closed" {
            let data = RawValue::from_string(r#"{"code":"no_key"}"#.to_owned()).unwrap();
            return Err(Refusal {
                message: "authentication failed".to_owned(),
                data: Some(data),
            });
        }
        assert!(request.headers.keys().all(|name| name == "x-key"));
        let key = request
            .headers
            .get("x-key")
            .map(|key| key.to_str().unwrap().to_owned());
        Ok(Member {
            handle: request.handle,
            key,
            dropped: self.dropped.clone(),
        })
    }

    async fn connected(&self, member: &mut Member) {
        let key = RawValue::from_string(format!("{:?}", member.key.as_deref().unwrap_or("none"))).unwrap();
        member.handle.emit("welcome", &[key]).await;
    }

    async fn event(&self, member: &mut Member, event: Event) -> Result<(), CloseCode> {
        match event.name.as_str() {
            "echo" => member.handle.emit("echo", &event.args).await,
            "forbid" => return Err(CloseCode::Forbidden),
            "fail" => return Err(CloseCode::InternalError),
            "put out" => member.handle.disconnect(false).await,
            _ => {}
        }
        if let Some(ack) = event.ack {
            ack.send(&event.args).await;
        }
        Ok(())
    }

    async fn disconnected(&self, member: Member) {
        self.left.add_permits(1);
        drop(member);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.dropped.add_permits(1);
    }
}

fn start() -> (Router, Rooms) {
    start_with(SocketOptions {
        namespaces_max: 2,
        ..SocketOptions::default()
    })
}

fn start_with(options: SocketOptions) -> (Router, Rooms) {
    let rooms = Rooms {
        left: Arc::new(Semaphore::new(0)),
        dropped: Arc::new(Semaphore::new(0)),
    };
    let transport = transport(TransportLimits::default(), OriginPolicy::Any);
    let engine_options = EngineOptions::new("/", Gateway::Flow);
    (
        SocketServer::start(&transport, engine_options, options, rooms.clone()).routes(),
        rooms,
    )
}

/// A client in the main namespace.
async fn connected(routes: &Router) -> Client {
    let client = Client::open(routes).await;
    enter(&client, "").await;
    client
}

/// Enters a namespace, written `/name,` or nothing; returns its socket id.
async fn enter(client: &Client, namespace: &str) -> String {
    client.post(&format!("40{namespace}")).await;
    let packets = client.packets(2).await;
    let id = packets[0]
        .strip_prefix(&format!(r#"40{namespace}{{"sid":""#))
        .and_then(|rest| rest.strip_suffix(r#""}"#));
    assert_eq!(packets[1], format!(r#"42{namespace}["welcome","none"]"#));
    id.unwrap_or_else(|| panic!("{}", packets[0])).to_owned()
}

#[tokio::test]
async fn namespaces_have_their_own_ids_and_are_limited() {
    let (routes, _) = start();
    let client = Client::open(&routes).await;
    let main = enter(&client, "").await;
    let other = enter(&client, "/a?b=c,").await;
    assert!(main.len() >= 20 && other.len() >= 20 && main != other);
    client.post("40/b").await;
    assert_eq!(
        client.packets(1).await,
        [r#"44/b,{"message":"Too many namespaces"}"#]
    );
    client.post("42/a?b=c,[\"echo\",1.0]").await;
    assert_eq!(client.packets(1).await, [r#"42/a?b=c,["echo",1.0]"#]);
}

#[tokio::test]
async fn a_refusal_carries_its_data_and_keeps_the_transport() {
    let (routes, _) = start();
    let client = connected(&routes).await;
    client.post("40/closed,{}").await;
    let refused = r#"44/closed,{"message":"authentication failed","data":{"code":"no_key"}}"#;
    assert_eq!(client.packets(1).await, [refused]);
    client.post("421[\"echo\"]").await;
    assert_eq!(client.packets(2).await, [r#"42["echo"]"#, "431[]"]);
}

#[tokio::test]
async fn headers_that_are_needed_are_kept() {
    let (routes, _) = start();
    let request = Request::get("/?EIO=4&transport=polling")
        .header("x-key", "k1")
        .header("cookie", "a=b");
    let client = Client::open_with(&routes, request.body(Body::empty()).unwrap()).await;
    client.post("40").await;
    assert_eq!(client.packets(2).await[1], r#"42["welcome","k1"]"#);
}

#[tokio::test]
async fn a_client_that_leaves_can_come_back() {
    let (routes, rooms) = start();
    let client = connected(&routes).await;
    client.post("41").await;
    rooms.left.acquire().await.unwrap().forget();
    enter(&client, "").await;
    client.post("1").await;
    rooms.dropped.acquire_many(2).await.unwrap().forget();
    assert_eq!(rooms.left.available_permits(), 0);
}

#[tokio::test]
async fn a_client_that_is_put_out_is_not_heard_until_it_comes_back() {
    let (routes, rooms) = start();
    let client = connected(&routes).await;
    client.post("42[\"put out\"]\x1e42[\"echo\"]").await;
    assert_eq!(client.packets(1).await, ["41"]);
    enter(&client, "").await;
    assert_eq!(rooms.left.available_permits(), 1);
}

#[tokio::test]
async fn a_lasting_refusal_stops_the_client_and_a_passing_one_does_not() {
    let (routes, _) = start();
    let client = connected(&routes).await;
    enter(&client, "/a,").await;
    client.post("42[\"forbid\"]").await;
    assert_eq!(client.packets(3).await, ["41", "41/a,", "1"]);
    client.assert_gone().await;

    let client = connected(&routes).await;
    client.post("42[\"fail\"]").await;
    assert_eq!(client.packets(1).await, ["1"]);
    client.assert_gone().await;
}

#[tokio::test]
async fn violations_close_the_transport() {
    let (routes, rooms) = start();
    for packet in [
        "4",
        "47",
        "4abc",
        "40",
        "42/a,[\"x\"]",
        "43/a,1[]",
        "44{}",
        "42{}",
        "42[]",
        "42[\"connect\"]",
        "41{}",
        "451-[\"x\",{\"_placeholder\":true,\"num\":0}]\x1e42[\"x\"]",
        "bAQ==",
        "4511-[\"x\"]",
    ] {
        let client = connected(&routes).await;
        client.post(packet).await;
        assert_eq!(client.packets(1).await, ["1"], "{packet:?}");
        client.assert_gone().await;
        rooms.dropped.acquire().await.unwrap().forget();
    }
}

#[tokio::test]
async fn a_client_that_has_left_every_namespace_is_closed() {
    let options = SocketOptions {
        connect_timeout: Duration::from_millis(200),
        ..SocketOptions::default()
    };
    let (routes, rooms) = start_with(options);
    let client = connected(&routes).await;
    client.post("41").await;
    rooms.left.acquire().await.unwrap().forget();
    let packets = tokio::time::timeout(PATIENCE, client.packets(1)).await.unwrap();
    assert_eq!(packets, ["1"]);
    client.assert_gone().await;
}

#[tokio::test]
async fn a_client_that_enters_no_namespace_is_closed() {
    let options = SocketOptions {
        connect_timeout: Duration::from_millis(20),
        ..SocketOptions::default()
    };
    let (routes, _) = start_with(options);
    let client = Client::open(&routes).await;
    client.post("40/closed").await;
    let packets = tokio::time::timeout(PATIENCE, client.packets(2)).await.unwrap();
    assert_eq!(packets.last().map(String::as_str), Some("1"));
    client.assert_gone().await;
}
