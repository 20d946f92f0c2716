//! Sessions on a WebSocket, from their start or after a move.

use std::net::IpAddr;

use bytes::Bytes;
use tidings_wire::close_code::CloseCode;
use tidings_wire::engineio::{Handshake as OpenPacket, Packet};
use tidings_wire::websocket::{Agreement, Frame};

use super::session::Claim;
use super::sid::Sid;
use super::{Application, EngineServer, Handshake, probe};
use crate::counters::Limit;
use crate::live::Live;
use crate::websocket;
use crate::{ClientStream, Incoming, Protocol, QuotaGuard, Via};

/// One session, owned by its WebSocket's task.
struct Socket<A: Application> {
    server: EngineServer<A>,
    sid: Sid,
    application: A::Session,
}

impl<A: Application> Protocol for Socket<A> {
    async fn receive(&mut self, message: Incoming) -> Result<(), CloseCode> {
        let message = match message {
            Incoming::Binary(bytes) => Incoming::Binary(bytes),
            Incoming::Text(text) => match Packet::from_text(&text).map_err(|_| CloseCode::ProtocolError)? {
                Packet::Text(text) => Incoming::Text(text.into()),
                Packet::Close => return Err(CloseCode::Normal),
                // From version 4 on it is the server that pings.
                Packet::Ping(_) => return Err(CloseCode::ProtocolError),
                _ => return Ok(()),
            },
        };
        self.application.receive(message).await
    }

    async fn closing(&mut self, code: CloseCode) {
        self.application.closing(code).await;
    }
}

impl<A: Application> Drop for Socket<A> {
    fn drop(&mut self) {
        self.server.table().remove(self.sid);
    }
}

/// The packet that opens a session.
pub(super) fn open_packet<A: Application>(server: &EngineServer<A>, sid: Sid, upgrades: &[&str]) -> Frame {
    let options = server.options();
    let milliseconds = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let packet = OpenPacket {
        sid: &sid.text(),
        upgrades,
        ping_interval_ms: milliseconds(options.ping_interval),
        ping_timeout_ms: milliseconds(options.ping_timeout),
        payload_bytes_max: options.payload_bytes_max as u64,
    };
    packet.to_frame()
}

/// A session that starts on this WebSocket.
pub(super) async fn start<A: Application>(
    server: EngineServer<A>,
    sid: Sid,
    place: Option<QuotaGuard<IpAddr>>,
    handshake: Handshake<'_>,
    stream: ClientStream,
    early: Bytes,
    agreement: Option<Agreement>,
) {
    let transport = server.transport().clone();
    let limits = transport.limits();
    if !transport.has_room() {
        // Filled up since the request was admitted.
        let code = CloseCode::Overloaded;
        transport.counters().refused(code);
        return transport.lingering().refuse(stream, code, limits.linger).await;
    }
    // Lost by a hair against another handshake, the socket is closed without a word.
    let (socket, secure) = websocket::split(stream);
    let Ok(connection) = server.connect(socket, agreement) else {
        return;
    };
    connection.send(open_packet(&server, sid, &[])).await;
    let application = server.application().open(connection.clone(), &handshake);
    server.table().insert_websocket(sid);
    let live = Live::new(transport.clone(), connection, Via::Websocket, place);
    // A task of its own: this one is as large as everything that led here.
    websocket::spawn(
        live,
        secure,
        early,
        agreement,
        Socket {
            server,
            sid,
            application,
        },
    );
}

/// A WebSocket that a polling session may move to.
pub(super) async fn take_over<A: Application>(
    server: EngineServer<A>,
    claim: Claim<A::Session>,
    stream: ClientStream,
    early: Bytes,
    agreement: Option<Agreement>,
) {
    let limit = server.options().upgrade_timeout;
    let decoder = server.transport().decoder(probe::LIMITS, agreement);
    let probing = probe::run(stream, early, decoder, &claim);
    // Failing, only this WebSocket closes: the session polls on.
    let probed = match tokio::time::timeout(limit, probing).await {
        Ok(Ok(probed)) => probed,
        Ok(Err(_)) => return,
        Err(_) => return server.transport().counters().reached(Limit::UpgradeTimeout),
    };
    let (sid, connection) = (claim.session().sid, claim.session().connection.clone());
    let Some(moved) = claim.complete(server.table()).await else {
        return;
    };
    let transport = server.transport().clone();
    transport.counters().left(server.options().gateway, Via::Polling);
    let live = Live::new(transport.clone(), connection, Via::Websocket, moved.place);
    let (socket, secure) = websocket::split(probed.stream);
    let attached = live.connection().attach(socket, agreement.map(Agreement::window));
    let (Some(application), Ok(())) = (moved.application, attached) else {
        return server.table().remove(sid);
    };
    websocket::spawn(
        live,
        secure,
        probed.rest,
        agreement,
        Socket {
            server,
            sid,
            application,
        },
    );
}
