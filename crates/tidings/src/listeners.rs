//! Which gateways share a listener, and binding them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context;
use socket2::{Domain, Protocol, Socket, Type};
use tidings_transport::{ListenerOptions, Proxies, Tls};

use crate::config::{Config, Listen, ListenerName, Mode};
use crate::failure::{Failure, Outcome};

/// Connections that may wait to be accepted; the kernel cuts it to its own bound.
const BACKLOG: i32 = 4_096;
/// How often another free port is tried when one is free on one loopback address only.
const FREE_PORT_TRIES: usize = 16;

/// Gateways that are served by one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) listen: Listen,
    /// `flow`, `tasks`, `workflows`, `operators`, `ingest`.
    pub(crate) gateways: Vec<&'static str>,
}

impl Group {
    fn is_named_in(&self, names: &[ListenerName]) -> bool {
        names.iter().any(|name| self.gateways.contains(&name.as_str()))
    }
}

/// The groups of a configuration, without the gateways that are off.
pub(crate) fn groups(config: &Config) -> Vec<Group> {
    let ingest = config.tasks.ingest_listen.map(|listen| ("ingest", listen));
    let mut groups: Vec<Group> = Vec::new();
    for (gateway, listen) in config.listens().into_iter().chain(ingest) {
        if listen.is_off() {
            continue;
        }
        match groups.iter_mut().find(|group| group.listen.shares_with(listen)) {
            Some(group) => group.gateways.push(gateway),
            None => groups.push(Group {
                listen,
                gateways: vec![gateway],
            }),
        }
    }
    groups
}

/// How a group's listener treats its connections. Gateways that share one agree: the configuration was checked.
pub(crate) fn options(config: &Config, group: &Group, tls: Option<&Tls>) -> ListenerOptions {
    let proxies = &config.proxies;
    ListenerOptions {
        proxies: Arc::new(Proxies {
            trusted: proxies.trusted.clone(),
            header: proxies.header.map(|header| header.0),
        }),
        takes_proxy_protocol: group.is_named_in(&proxies.protocol_listeners),
        tls: tls.filter(|_| group.is_named_in(&config.tls.listeners)).cloned(),
    }
}

/// A production server on a public address, without TLS and without a proxy that could speak it, is a mistake more often
/// than not; it may still stand behind a proxy that says nothing of its clients.
pub(crate) fn warn_of_clear_text(config: &Config, group: &Group) {
    if config.server.mode == Mode::Production
        && !group.listen.is_private()
        && !group.is_named_in(&config.tls.listeners)
        && config.proxies.trusted.is_empty()
    {
        let (gateways, listen) = (group.gateways.join(", "), group.listen);
        tracing::warn!(gateways, %listen, "no TLS on an address that others can reach: tokens and keys travel in the clear");
    }
}

/// Binds one group's addresses. The sockets listen and do not block.
pub(crate) fn bind(group: &Group) -> Outcome<Vec<TcpListener>> {
    let bound = match group.listen {
        Listen::Off => Ok(Vec::new()),
        Listen::Address(address) => listener(address).map(|listener| vec![listener]),
        Listen::Localhost(0) => free_port(group.listen),
        Listen::Localhost(_) => loopbacks(&group.listen.addresses()),
    };
    bound
        .with_context(|| {
            format!(
                "cannot listen on {} for {}",
                group.listen,
                group.gateways.join(", ")
            )
        })
        .map_err(Failure::Unavailable)
}

/// A port that is free on both loopback addresses.
fn free_port(listen: Listen) -> io::Result<Vec<TcpListener>> {
    let mut tries = 1;
    loop {
        let addresses = listen.addresses();
        let first = listener(addresses[0])?;
        let port = first.local_addr()?.port();
        match loopbacks(&[SocketAddr::new(addresses[1].ip(), port)]) {
            Ok(rest) => return Ok(std::iter::once(first).chain(rest).collect()),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < FREE_PORT_TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Binds those of the addresses that this machine has: many containers have no IPv6.
fn loopbacks(addresses: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        match listener(*address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if address.is_ipv6() && is_missing(&error) => {
                tracing::debug!(%address, %error, "this machine has no such address");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(listeners)
}

fn is_missing(error: &io::Error) -> bool {
    // Linux: EAFNOSUPPORT has no kind of its own.
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(97)
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the old connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Base;

    fn config(listens: [&str; 4]) -> Config {
        let mut config = Config::defaults(&Base {
            mode: Mode::Development,
            data_dir: "data".into(),
        });
        let [flow, tasks, workflows, operators] = listens.map(|text| text.parse().unwrap());
        config.flow.listen = flow;
        config.tasks.listen = tasks;
        config.workflows.listen = workflows;
        config.operators.listen = operators;
        config
    }

    fn names(config: &Config) -> Vec<Vec<&'static str>> {
        groups(config).into_iter().map(|group| group.gateways).collect()
    }

    #[test]
    fn the_same_value_is_one_listener() {
        let alone = vec![vec!["flow"], vec!["tasks"], vec!["workflows"], vec!["operators"]];
        assert_eq!(
            names(&config([
                "localhost:1",
                "localhost:2",
                "localhost:3",
                "localhost:4"
            ])),
            alone
        );
        assert_eq!(
            names(&config([
                "localhost:0",
                "localhost:0",
                "localhost:0",
                "localhost:0"
            ])),
            alone
        );
        assert_eq!(
            names(&config([
                "localhost:1",
                "127.0.0.1:2",
                "localhost:1",
                "127.0.0.1:2"
            ])),
            [vec!["flow", "workflows"], vec!["tasks", "operators"]]
        );
        let mut config = config(["off", "localhost:1", "off", "off"]);
        assert_eq!(names(&config), [vec!["tasks"]]);
        config.tasks.ingest_listen = Some(Listen::Localhost(1));
        assert_eq!(names(&config), [vec!["tasks", "ingest"]]);
        config.tasks.ingest_listen = Some(Listen::Localhost(2));
        assert_eq!(names(&config), [vec!["tasks"], vec!["ingest"]]);
    }

    #[test]
    fn localhost_is_one_port_on_every_loopback_address() {
        let group = Group {
            listen: Listen::Localhost(0),
            gateways: vec!["flow"],
        };
        let listeners = bind(&group).unwrap();
        let addresses: Vec<SocketAddr> = listeners
            .iter()
            .map(|listener| listener.local_addr().unwrap())
            .collect();
        assert_eq!(addresses[0].ip().to_string(), "127.0.0.1");
        assert_ne!(addresses[0].port(), 0);
        assert!(
            addresses
                .iter()
                .all(|address| address.port() == addresses[0].port()),
            "{addresses:?}"
        );
    }

    #[test]
    fn a_taken_address_is_told_with_its_gateway() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = Listen::Address(taken.local_addr().unwrap());
        let Err(Failure::Unavailable(error)) = bind(&Group {
            listen,
            gateways: vec!["flow"],
        }) else {
            panic!("bound twice")
        };
        assert!(
            format!("{error:#}").starts_with(&format!("cannot listen on {listen} for flow: ")),
            "{error:#}"
        );
    }
}
