//! All attackers and the loop that drives them.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Result;
use mio::{Events, Interest, Poll, Token};

use crate::attacker::{Attacker, Besieging, Kind, Next, flood_of};
use crate::options::Options;
use crate::report::Report;

/// How often messages are sent.
const TICK: Duration = Duration::from_millis(20);
/// How often a byte is sent by those who dribble.
const DRIBBLE_INTERVAL: Duration = Duration::from_secs(1);
/// The first of the attackers' addresses.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

struct Siege<'a> {
    options: &'a Options,
    to: [SocketAddr; 2],
    poll: Poll,
    attackers: Vec<Attacker>,
    /// Those without a socket, in the order in which they get one.
    homeless: VecDeque<usize>,
    flood: Vec<u8>,
    buffer: Vec<u8>,
    report: Report,
}

pub(crate) fn run(options: &Options) -> Result<Report> {
    options.check()?;
    let mut siege = Siege::new(options)?;
    let mut events = Events::with_capacity(4_096);
    let start = Instant::now();
    let end = start + Duration::from_secs(u64::from(options.seconds));
    let (mut opened, mut next_tick, mut next_dribble) = (0_u128, start, start + DRIBBLE_INTERVAL);
    while Instant::now() < end {
        let due = start.elapsed().as_millis() * u128::from(options.open_rate.get()) / 1_000;
        // What was missed because everybody had a socket is not made up for.
        opened = opened.max(due.saturating_sub(u128::from(options.open_rate.get()) / 10));
        while opened < due && siege.open_one()? {
            opened += 1;
        }
        siege.turn(&mut events, TICK / 4)?;
        if Instant::now() >= next_tick {
            next_tick = Instant::now() + TICK;
            siege.flood();
        }
        if Instant::now() >= next_dribble {
            next_dribble += DRIBBLE_INTERVAL;
            siege.dribble();
        }
    }
    let mut report = siege.report;
    report.seconds = start.elapsed().as_secs_f64().round();
    report.addresses = options.addresses.get();
    Ok(report)
}

impl<'a> Siege<'a> {
    fn new(options: &'a Options) -> Result<Self> {
        let kinds = (0..options.half_open)
            .map(|number| {
                if number % 2 == 0 {
                    Kind::Silent
                } else {
                    Kind::Dribbling
                }
            })
            .chain(std::iter::repeat_n(Kind::Flooding, options.flooding))
            .chain(std::iter::repeat_n(Kind::Deaf, options.deaf));
        let mut report = Report::default();
        let attackers: Vec<_> = kinds
            .enumerate()
            .map(|(number, kind)| {
                report.of(kind).attackers += 1;
                let address = FIRST.to_bits() + number as u32 % options.addresses.get();
                Attacker {
                    kind,
                    from: address.into(),
                    socket: None,
                }
            })
            .collect();
        // Spread, so that all kinds come at once.
        let stride = 7_919; // A prime that is no factor of any sensible number of attackers.
        let count = options.attackers();
        let homeless = (0..count).map(|number| number * stride % count.max(1)).collect();
        Ok(Self {
            options,
            to: [options.url.address()?, options.flood_url.address()?],
            poll: Poll::new()?,
            attackers,
            homeless,
            flood: flood_of(options.flood_rate.get() as usize),
            buffer: vec![0; 64 * 1024],
            report,
        })
    }

    /// Gives the next attacker a socket; false if all have one.
    fn open_one(&mut self) -> Result<bool> {
        let Some(index) = self.homeless.pop_front() else {
            return Ok(false);
        };
        let attacker = &mut self.attackers[index];
        let (to, url) = match attacker.kind {
            Kind::Flooding => (self.to[1], &self.options.flood_url),
            _ => (self.to[0], &self.options.url),
        };
        let mut socket = Besieging::open(attacker.kind, attacker.from, to, url)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut socket.stream, Token(index), interest)?;
        attacker.socket = Some(socket);
        let fate = self.report.of(attacker.kind);
        fate.sockets += 1;
        // Counted down by `leave`.
        fate.open_at_end += 1;
        fate.open_max = fate.open_max.max(fate.open_at_end);
        Ok(true)
    }

    fn turn(&mut self, events: &mut Events, timeout: Duration) -> Result<()> {
        match self
            .poll
            .poll(events, Some(timeout.max(Duration::from_millis(1))))
        {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            outcome => outcome?,
        }
        for event in events.iter() {
            let index = event.token().0;
            let attacker = &mut self.attackers[index];
            let Some(socket) = &mut attacker.socket else {
                continue;
            };
            let fate = self.report.of(attacker.kind);
            let mut next = Next::Goes;
            if event.is_writable() {
                next = socket.writable(attacker.kind);
            }
            if next == Next::Goes && event.is_readable() {
                next = socket.readable(attacker.kind, &mut self.buffer, fate);
            }
            if next == Next::Goes && (event.is_error() || event.is_write_closed()) {
                next = socket.ended(fate);
            }
            if next == Next::Ended || socket.is_told_off() {
                self.leave(index);
            }
        }
        Ok(())
    }

    fn flood(&mut self) {
        // Hundredths that do not divide evenly are left out.
        let messages = self.options.flood_rate.get() as usize * TICK.as_millis() as usize / 1_000;
        self.each(Kind::Flooding, |socket, flood, report| {
            socket.flood(messages.max(1), flood, &mut report.flooding)
        });
    }

    fn dribble(&mut self) {
        self.each(Kind::Dribbling, |socket, _, _| socket.dribble());
    }

    fn each(&mut self, kind: Kind, mut act: impl FnMut(&mut Besieging, &[u8], &mut Report) -> Next) {
        for index in 0..self.attackers.len() {
            let attacker = &mut self.attackers[index];
            if attacker.kind == kind
                && let Some(socket) = &mut attacker.socket
                && act(socket, &self.flood, &mut self.report) == Next::Ended
            {
                socket.ended(self.report.of(kind));
                self.leave(index);
            }
        }
    }

    /// An attacker that is thrown out waits for another socket.
    fn leave(&mut self, index: usize) {
        let attacker = &mut self.attackers[index];
        attacker.socket = None;
        self.report.of(attacker.kind).open_at_end -= 1;
        self.homeless.push_back(index);
    }
}
