//! All connections and the loop that serves them.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::{Events, Interest, Poll, Token};
use tidings_bench::message::SequenceField;

use crate::client::{Client, Reading, State};
use crate::options::{Mode, Options};
use crate::protocol::Setup;
use crate::publisher::{Came, Publisher};
use crate::tally::Tally;

const PUBLISHER: Token = Token(usize::MAX);
/// Handshakes under way at once: fewer than a listener's backlog.
const CONNECTING_MAX: usize = 128;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections from one address of the loopback network: fewer than it has ports.
const CONNECTIONS_PER_SOURCE: usize = 20_000;
/// While connections come and go, each holds its port for a minute after its end.
const SOURCES_ACCEPTING: u8 = 8;

pub(crate) struct Swarm<'a> {
    options: &'a Options,
    setup: Setup,
    address: SocketAddr,
    poll: Poll,
    clients: Vec<Client>,
    /// Connections begun so far.
    begun: u32,
    /// Accepting: connections that have had their welcome.
    handshakes: Option<u64>,
    publisher: Option<Publisher>,
    /// Saturated: publish whenever fewer than this are under way.
    window: Option<u64>,
    field: SequenceField,
    buffer: Vec<u8>,
    pub(crate) tally: Tally,
}

impl<'a> Swarm<'a> {
    pub(crate) fn new(options: &'a Options) -> Result<Self> {
        let setup = Setup::new(options)?;
        Ok(Self {
            options,
            address: options.url.address()?,
            poll: Poll::new()?,
            clients: Vec::with_capacity(options.connections),
            begun: 0,
            handshakes: None,
            publisher: None,
            window: None,
            field: setup.sequence_field(),
            setup,
            buffer: vec![0; 256 * 1024],
            tally: Tally::new((options.connections - options.deaf) as u32),
        })
    }

    /// Opens every connection at the configured rate and returns when all are upgraded and welcomed.
    pub(crate) fn connect(&mut self, events: &mut Events) -> Result<()> {
        let start = Instant::now();
        let mut open = 0;
        while open < self.options.connections {
            if start.elapsed() > CONNECT_TIMEOUT + self.time_to_connect() {
                bail!("only {open} of {} connections are open", self.options.connections);
            }
            let due = 1 + start.elapsed().as_millis() * u128::from(self.options.connect_rate.get()) / 1000;
            while self.clients.len() < self.options.connections
                && (self.clients.len() as u128) < due
                && self.clients.len() - open < CONNECTING_MAX
            {
                let client = self.begin(self.clients.len())?;
                self.clients.push(client);
            }
            self.turn(events, Duration::from_millis(1))?;
            open = self.clients.iter().filter(|client| is_open(client.state)).count();
        }
        Ok(())
    }

    /// Begins a connection that will stand at `index`.
    fn begin(&mut self, index: usize) -> Result<Client> {
        let receive_buffer = if index < self.options.deaf {
            self.options.deaf_receive_buffer_bytes
        } else {
            0
        };
        let sources = if self.options.mode == Mode::Accept {
            SOURCES_ACCEPTING
        } else {
            u8::try_from(self.options.connections.div_ceil(CONNECTIONS_PER_SOURCE))
                .context("too many connections")?
        };
        let mut client = Client::connect(&self.setup, self.address, self.begun, sources, receive_buffer)?;
        self.begun += 1;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut client.stream.tcp, Token(index), interest)?;
        Ok(client)
    }

    /// From now on, or no longer: a connection that is welcomed counts as a handshake, is closed, and followed by the next.
    /// So many are under way at any time.
    pub(crate) fn accept(&mut self, under_way: usize) -> Result<()> {
        self.handshakes = Some(0);
        for index in 0..under_way {
            let client = self.begin(index)?;
            self.clients.push(client);
        }
        Ok(())
    }

    /// Connections that have had their welcome while accepting.
    pub(crate) fn handshakes(&self) -> u64 {
        self.handshakes.unwrap_or(0)
    }

    fn time_to_connect(&self) -> Duration {
        Duration::from_secs(self.options.connections as u64 / u64::from(self.options.connect_rate.get()))
    }

    /// Opens the connection for publishing.
    pub(crate) fn open_publisher(&mut self) -> Result<()> {
        self.publisher = Some(Publisher::connect(self.options)?);
        self.register_publisher()
    }

    fn register_publisher(&mut self) -> Result<()> {
        let publisher = self.publisher.as_mut().context("not publishing")?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut publisher.stream, PUBLISHER, interest)?;
        Ok(())
    }

    /// Publishes one message that was due at `due`.
    pub(crate) fn publish(&mut self, due: Instant) -> Result<()> {
        let publisher = self.publisher.as_mut().context("not publishing")?;
        publisher.publish(self.tally.publish(due))?;
        publisher.flush()
    }

    /// Keeps so many publishes under way from now on, or stops publishing.
    pub(crate) fn keep_under_way(&mut self, window: Option<u64>) -> Result<()> {
        self.window = window;
        self.refill()
    }

    /// Waits at most `timeout` (whole milliseconds) for something to do and does it.
    pub(crate) fn turn(&mut self, events: &mut Events, timeout: Duration) -> Result<()> {
        match self.poll.poll(events, Some(timeout)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            outcome => outcome?,
        }
        for event in events.iter() {
            if event.token() == PUBLISHER {
                let publisher = self.publisher.as_mut().context("not publishing")?;
                if publisher.readable()? == Came::NewConnection {
                    self.register_publisher()?;
                } else {
                    publisher.flush()?;
                }
                continue;
            }
            let index = event.token().0;
            self.client_ready(index, event)
                .with_context(|| format!("connection {index}"))?;
            self.refill()?;
        }
        Ok(())
    }

    /// Serves the connections until `end`, and once even if that has passed: who is late must still read.
    pub(crate) fn turn_until(&mut self, events: &mut Events, end: Instant) -> Result<()> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            // epoll waits whole milliseconds; the last one is spent asking again and again, to be on time.
            self.turn(
                events,
                Duration::from_millis(left.as_millis() as u64).min(Duration::from_millis(100)),
            )?;
            if Instant::now() >= end {
                return Ok(());
            }
        }
    }

    /// Serves the connections until every member has every message and every publish is answered.
    pub(crate) fn drain(&mut self, events: &mut Events) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(u64::from(self.options.drain_seconds));
        while !self.tally.all_received() || self.unanswered() > 0 {
            if Instant::now() > end {
                bail!(
                    "{} deliveries and {} answers to publishes are missing",
                    self.tally.missing(),
                    self.unanswered()
                );
            }
            self.turn(events, Duration::from_millis(10))?;
        }
        Ok(())
    }

    fn unanswered(&self) -> u64 {
        self.publisher
            .as_ref()
            .map_or(0, |publisher| self.tally.published() - publisher.answered())
    }

    /// Lets the deaf answer for their lives.
    pub(crate) fn show_life(&mut self) {
        self.clients
            .iter_mut()
            .take(self.options.deaf)
            .for_each(Client::show_life);
    }

    /// How many of the deaf the server has reset by now.
    pub(crate) fn deaf_reset(&self) -> usize {
        self.clients
            .iter()
            .filter(|client| client.state == State::Cut)
            .count()
    }

    /// How many of the deaf prove to be ended once their sockets are read.
    pub(crate) fn deaf_ended(&mut self) -> usize {
        let buffer = &mut self.buffer;
        self.clients
            .iter_mut()
            .take(self.options.deaf)
            .map(|client| usize::from(client.drain_deaf(buffer)))
            .sum()
    }

    fn client_ready(&mut self, index: usize, event: &mio::event::Event) -> Result<()> {
        let client = &mut self.clients[index];
        match client.state {
            State::Cut => return Ok(()),
            State::Deaf => {
                if event.is_error() || event.is_write_closed() {
                    client.state = State::Cut;
                }
                return Ok(());
            }
            _ => {}
        }
        if event.is_writable() {
            client.writable(&self.setup)?;
        }
        if event.is_readable() {
            client.readable(&mut Reading {
                buffer: &mut self.buffer,
                field: &mut self.field,
                tally: &mut self.tally,
                setup: &self.setup,
            })?;
        }
        if let Some(handshakes) = &mut self.handshakes {
            if client.state == State::Open {
                *handshakes += 1;
                client.close()?;
            }
            if client.state == State::Ended {
                self.clients[index] = self.begin(index)?;
            }
            return Ok(());
        }
        if index < self.options.deaf && client.state == State::Open {
            client.state = State::Deaf;
            // Errors and hang-ups are still told.
            self.poll
                .registry()
                .reregister(&mut client.stream.tcp, event.token(), Interest::WRITABLE)?;
        }
        Ok(())
    }

    fn refill(&mut self) -> Result<()> {
        let Some(window) = self.window else { return Ok(()) };
        let under_way = self.tally.under_way(self.options.in_flight_by);
        if under_way >= window {
            return Ok(());
        }
        let publisher = self.publisher.as_mut().context("not publishing")?;
        let now = Instant::now();
        for _ in under_way..window {
            publisher.publish(self.tally.publish(now))?;
        }
        publisher.flush()
    }
}

fn is_open(state: State) -> bool {
    matches!(state, State::Open | State::Deaf | State::Cut)
}
