//! The server that the official Engine.IO suite tests: it sends every message back. `PORT` defaults to 3000; the times are those
//! of the suite, unless `PING_INTERVAL_MS` or `PING_TIMEOUT_MS` are set.

use std::error::Error;
use std::sync::Arc;

use tidings_hub::{Connection, Gateway};
use tidings_transport::engineio::{Application, EngineOptions, EngineServer, Handshake};
use tidings_transport::{Incoming, Protocol, TransportLimits};
use tidings_wire::close_code::CloseCode;
use tidings_wire::engineio::Packet;

#[path = "support/serve.rs"]
mod serve;
#[path = "support/times.rs"]
mod times;

struct Echo;

struct EchoSession(Arc<Connection>);

impl Application for Echo {
    type Session = EchoSession;

    fn open(&self, connection: Arc<Connection>, _handshake: &Handshake<'_>) -> EchoSession {
        EchoSession(connection)
    }
}

impl Protocol for EchoSession {
    async fn receive(&mut self, message: Incoming) -> Result<(), CloseCode> {
        let packet = match &message {
            Incoming::Text(text) => Packet::Text(text),
            Incoming::Binary(bytes) => Packet::Binary(bytes.clone()),
        };
        self.0.send(packet.to_frame()).await;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = EngineOptions {
        ping_interval: times::millis("PING_INTERVAL_MS", 300)?,
        ping_timeout: times::millis("PING_TIMEOUT_MS", 200)?,
        ..EngineOptions::new("/engine.io/", Gateway::Flow)
    };
    serve::serve(3_000, TransportLimits::default(), |transport| {
        EngineServer::new(transport, options, Echo).routes()
    })
    .await
}
