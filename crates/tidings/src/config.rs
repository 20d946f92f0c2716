//! The configuration: one struct per section, read from a TOML file, the environment and flags.
//!
//! Precedence: default < file < environment < flag. A key nobody knows is an error, never ignored: a
//! misspelt limit that silently keeps its default is found too late. Every key is declared once, in its
//! section's file, with its documentation, its default in each mode and its range; the loader, the checks,
//! `check-config --print-effective` and the reference page all read that declaration.

mod access;
mod auth;
mod backup;
mod bus;
mod compliance;
mod compression;
mod environment;
mod error;
mod file;
mod flow;
mod heartbeat;
mod issuers;
mod kafka;
mod limits;
mod listen;
mod listener_name;
mod load;
mod log;
mod operators;
mod origins;
mod print;
mod production;
mod proxies;
mod reference;
mod routing;
mod secret;
mod section;
mod server;
mod setting;
mod slow_consumers;
mod store;
mod tasks;
#[cfg(test)]
mod tests;
mod tls;
mod value;
mod workflows;

use std::path::PathBuf;

pub(crate) use self::access::{Access, AccessHttp, AccessSql, RuleName};
pub(crate) use self::auth::Jwt;
pub(crate) use self::backup::{Backup, BackupPlace};
pub(crate) use self::bus::Bus;
pub(crate) use self::compliance::Compliance;
pub(crate) use self::compression::Compression;
pub(crate) use self::environment::variables;
pub(crate) use self::flow::Flow;
pub(crate) use self::heartbeat::Heartbeat;
pub(crate) use self::issuers::{JwtIssuer, JwtKeys, is_loopback};
pub(crate) use self::kafka::Kafka;
pub(crate) use self::limits::Limits;
pub(crate) use self::listen::Listen;
pub(crate) use self::listener_name::ListenerName;
pub(crate) use self::load::{Flag, Loaded, Sources, load};
pub(crate) use self::log::{Log, LogFormat};
pub(crate) use self::operators::Operators;
pub(crate) use self::origins::Origins;
pub(crate) use self::print::effective;
pub(crate) use self::production::{Refusal, refusals};
pub(crate) use self::proxies::Proxies;
pub(crate) use self::reference::reference;
pub(crate) use self::routing::Routing;
pub(crate) use self::secret::Secret;
use self::section::Section;
pub(crate) use self::server::{Mode, Server};
pub(crate) use self::slow_consumers::SlowConsumers;
pub(crate) use self::store::Store;
pub(crate) use self::tasks::{Dapr, Tasks};
pub(crate) use self::tls::Tls;
pub(crate) use self::workflows::Workflows;

/// Everything that can be configured.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) log: Log,
    pub(crate) limits: Limits,
    pub(crate) slow_consumers: SlowConsumers,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) compression: Compression,
    pub(crate) origins: Origins,
    pub(crate) proxies: Proxies,
    pub(crate) tls: Tls,
    pub(crate) auth_jwt: Jwt,
    pub(crate) access: Access,
    pub(crate) access_sql: AccessSql,
    pub(crate) access_http: AccessHttp,
    pub(crate) store: Store,
    pub(crate) backup: Backup,
    pub(crate) bus: Bus,
    pub(crate) flow: Flow,
    pub(crate) compliance: Compliance,
    pub(crate) tasks: Tasks,
    pub(crate) tasks_dapr: Dapr,
    pub(crate) kafka: Kafka,
    pub(crate) routing: Routing,
    pub(crate) workflows: Workflows,
    pub(crate) operators: Operators,
}

/// What defaults may depend on.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    pub(crate) mode: Mode,
    pub(crate) data_dir: PathBuf,
}

impl Config {
    /// The defaults of a mode.
    pub(crate) fn defaults(base: &Base) -> Self {
        Self {
            server: Server::defaults(base),
            log: Log::defaults(base),
            limits: Limits::defaults(base),
            slow_consumers: SlowConsumers::defaults(base),
            heartbeat: Heartbeat::defaults(base),
            compression: Compression::defaults(base),
            origins: Origins::defaults(base),
            proxies: Proxies::defaults(base),
            tls: Tls::defaults(base),
            auth_jwt: Jwt::defaults(base),
            access: Access::defaults(base),
            access_sql: AccessSql::defaults(base),
            access_http: AccessHttp::defaults(base),
            store: Store::defaults(base),
            backup: Backup::defaults(base),
            bus: Bus::defaults(base),
            flow: Flow::defaults(base),
            compliance: Compliance::defaults(base),
            tasks: Tasks::defaults(base),
            tasks_dapr: Dapr::defaults(base),
            kafka: Kafka::defaults(base),
            routing: Routing::defaults(base),
            workflows: Workflows::defaults(base),
            operators: Operators::defaults(base),
        }
    }

    /// The sections, in the order people read them.
    fn sections(&self) -> [&dyn Section; 24] {
        [
            &self.server,
            &self.log,
            &self.limits,
            &self.slow_consumers,
            &self.heartbeat,
            &self.compression,
            &self.origins,
            &self.proxies,
            &self.tls,
            &self.auth_jwt,
            &self.access,
            &self.access_sql,
            &self.access_http,
            &self.store,
            &self.backup,
            &self.bus,
            &self.flow,
            &self.compliance,
            &self.tasks,
            &self.tasks_dapr,
            &self.kafka,
            &self.routing,
            &self.workflows,
            &self.operators,
        ]
    }

    fn sections_mut(&mut self) -> [&mut dyn Section; 24] {
        [
            &mut self.server,
            &mut self.log,
            &mut self.limits,
            &mut self.slow_consumers,
            &mut self.heartbeat,
            &mut self.compression,
            &mut self.origins,
            &mut self.proxies,
            &mut self.tls,
            &mut self.auth_jwt,
            &mut self.access,
            &mut self.access_sql,
            &mut self.access_http,
            &mut self.store,
            &mut self.backup,
            &mut self.bus,
            &mut self.flow,
            &mut self.compliance,
            &mut self.tasks,
            &mut self.tasks_dapr,
            &mut self.kafka,
            &mut self.routing,
            &mut self.workflows,
            &mut self.operators,
        ]
    }

    /// The listen values by the name their listeners log, in the order they are shown.
    pub(crate) fn listens(&self) -> [(&'static str, Listen); 4] {
        [
            ("flow", self.flow.listen),
            ("tasks", self.tasks.listen),
            ("workflows", self.workflows.listen),
            ("operators", self.operators.listen),
        ]
    }
}
