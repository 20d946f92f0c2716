//! The server that the official Socket.IO suite tests. `PORT` defaults to 3000; the times are those of the suite, unless
//! `PING_INTERVAL_MS`, `PING_TIMEOUT_MS` or `CONNECT_TIMEOUT_MS` are set.
//!
//! On `/` and `/custom` it emits `auth` with the CONNECT payload; on `/` it sends `message` back as `message-back` and
//! acknowledges `message-with-ack`.

use std::error::Error;

use serde_json::value::RawValue;
use tidings_hub::Gateway;
use tidings_transport::TransportLimits;
use tidings_transport::engineio::EngineOptions;
use tidings_transport::socketio::{
    Application, ConnectRequest, Event, Refusal, SocketHandle, SocketOptions, SocketServer,
};
use tidings_wire::close_code::CloseCode;

#[path = "support/serve.rs"]
mod serve;
#[path = "support/times.rs"]
mod times;

struct Echo;

struct EchoSocket {
    handle: SocketHandle,
    auth: Box<RawValue>,
}

impl Application for Echo {
    type Socket = EchoSocket;

    async fn connect(&self, request: ConnectRequest<'_>) -> Result<EchoSocket, Refusal> {
        if !matches!(request.namespace, "/" | "/custom") {
            return Err(Refusal::invalid_namespace());
        }
        let empty = || RawValue::from_string("{}".to_owned()).expect("an empty object is JSON");
        let auth = request.auth.map_or_else(empty, ToOwned::to_owned);
        Ok(EchoSocket {
            handle: request.handle,
            auth,
        })
    }

    async fn connected(&self, socket: &mut EchoSocket) {
        socket.handle.emit("auth", &[&*socket.auth]).await;
    }

    async fn event(&self, socket: &mut EchoSocket, event: Event) -> Result<(), CloseCode> {
        if *socket.handle.namespace != *"/" {
            return Ok(());
        }
        match (event.name.as_str(), event.ack) {
            ("message", _) if event.attachments.is_empty() => {
                socket.handle.emit("message-back", &event.args).await;
            }
            ("message", _) => {
                socket
                    .handle
                    .emit_binary("message-back", &event.args, &event.attachments)
                    .await;
            }
            ("message-with-ack", Some(ack)) if event.attachments.is_empty() => ack.send(&event.args).await,
            ("message-with-ack", Some(ack)) => ack.send_binary(&event.args, &event.attachments).await,
            _ => {}
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine_options = EngineOptions {
        ping_interval: times::millis("PING_INTERVAL_MS", 300)?,
        ping_timeout: times::millis("PING_TIMEOUT_MS", 200)?,
        ..EngineOptions::new("/socket.io/", Gateway::Flow)
    };
    let options = SocketOptions {
        connect_timeout: times::millis("CONNECT_TIMEOUT_MS", 1_000)?,
        ..SocketOptions::default()
    };
    serve::serve(3_000, TransportLimits::default(), |transport| {
        SocketServer::start(transport, engine_options, options, Echo).routes()
    })
    .await
}
