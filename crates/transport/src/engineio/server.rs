//! The server: its sessions' beginnings and ends.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tidings_hub::{Connection, Heartbeat, Overloaded, Registration};
use tidings_wire::close_code::CloseCode;
use tidings_wire::websocket::Agreement;
use tokio::net::TcpStream;

use super::options::EngineOptions;
use super::session::{PollEnd, Session};
use super::sid::Sid;
use super::table::Table;
use super::{Application, routes};
use crate::{QuotaGuard, Transport, Via};

/// How often closed polling sessions are looked for that no GET has noticed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// How long a session that the hub has closed waits for a GET to be told.
const FAREWELL_TIME: Duration = Duration::from_secs(5);

/// An Engine.IO server. A clone is another handle.
pub struct EngineServer<A: Application>(Arc<Inner<A>>);

struct Inner<A: Application> {
    transport: Transport,
    options: EngineOptions,
    heartbeat: Arc<Heartbeat>,
    application: A,
    table: Table<A::Session>,
}

impl<A: Application> Clone for EngineServer<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Application> EngineServer<A> {
    /// Starts a server on the current runtime.
    pub fn new(transport: &Transport, options: EngineOptions, application: A) -> Self {
        let heartbeat = transport.engineio_heartbeat(options.ping_interval, options.ping_timeout);
        let inner = Inner {
            transport: transport.clone(),
            options,
            heartbeat,
            application,
            table: Table::new(),
        };
        let server = Self(Arc::new(inner));
        transport.spawn(server.clone().sweep());
        server
    }

    /// Its routes: the path with and without the slash at the end.
    pub fn routes(&self) -> Router {
        routes::of(self)
    }

    /// The application behind it.
    pub fn application(&self) -> &A {
        &self.0.application
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.0.transport
    }

    pub(super) fn options(&self) -> &EngineOptions {
        &self.0.options
    }

    pub(super) fn table(&self) -> &Table<A::Session> {
        &self.0.table
    }

    /// Opens a hub connection for a session. Without a socket it polls.
    pub(super) fn connect(
        &self,
        socket: Option<TcpStream>,
        agreement: Option<Agreement>,
    ) -> Result<Arc<Connection>, Overloaded> {
        let heartbeat = self.0.heartbeat.clone();
        self.0.transport.hub().open(Registration {
            gateway: self.0.options.gateway,
            heartbeat,
            socket,
            window: agreement.map(Agreement::window),
        })
    }

    /// Enters a new polling session.
    pub(super) fn enter(
        &self,
        sid: Sid,
        connection: Arc<Connection>,
        application: A::Session,
        place: Option<QuotaGuard<IpAddr>>,
    ) {
        let transport = &self.0.transport;
        transport
            .counters()
            .connected(self.0.options.gateway, Via::Polling);
        let allowance = transport.allowance(place.as_ref().map(|place| *place.key()));
        let session = Session::new(sid, connection, application, place, allowance);
        self.0.table.insert(&Arc::new(session));
    }

    /// Ends a polling session; does nothing when it has ended or moved before. A waiting GET is answered `answer`;
    /// `code` is what is counted, unless the hub has closed the connection before.
    pub(super) fn end(&self, session: &Session<A::Session>, answer: PollEnd, code: CloseCode) {
        let Some(poll) = session.finish() else { return };
        let told = poll.is_some_and(|poll| poll.send(answer).is_ok());
        if !told && answer == PollEnd::Noop {
            self.0.table.bury(session.sid);
        }
        self.0.table.remove(session.sid);
        session.connection.close(code);
        session.connection.gone();
        session.discard();
        let lasted = session.opened.elapsed();
        self.0
            .transport
            .counters()
            .disconnected(self.0.options.gateway, Via::Polling, lasted);
    }

    /// Ends the sessions that the hub has closed and whose clients do not come to hear of it.
    async fn sweep(self) {
        let shutdown = self.0.transport.shutdown().clone();
        let mut rounds = tokio::time::interval(SWEEP_INTERVAL);
        while shutdown.run_until_cancelled(rounds.tick()).await.is_some() {
            for session in self
                .0
                .table
                .polling_sessions(|session| session.connection.is_closing())
            {
                session.discard();
                if session.closing_for() >= FAREWELL_TIME {
                    self.end(&session, PollEnd::Close, CloseCode::Normal);
                }
            }
        }
    }
}
