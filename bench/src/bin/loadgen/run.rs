//! One run from the first connection to the report.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mio::Events;

use crate::cost::{Moment, Stretch, resident_kb, written};
use crate::options::{Mode, Options};
use crate::report::{Report, rounded};
use crate::swarm::Swarm;

/// How often a deaf client shows that it lives: more often than a server's heartbeat asks.
const LIFE_INTERVAL: Duration = Duration::from_secs(10);
/// A server may finish the frame in flight and wait for its close frame before it resets a deaf client.
const DEAF_PATIENCE: Duration = Duration::from_secs(8);

pub(crate) fn run(options: &Options) -> Result<Report> {
    ensure!(
        options.deaf < options.connections,
        "some connections have to listen"
    );
    ensure!(
        options.mode == Mode::Idle || options.seconds > 0,
        "--seconds is 0"
    );
    let rss_kb_before = resident_kb(options)?;
    let mut events = Events::with_capacity(1024);
    let mut swarm = Swarm::new(options)?;
    if options.mode == Mode::Accept {
        return accept(options, &mut swarm, &mut events, rss_kb_before);
    }
    swarm.connect(&mut events)?;
    let settled = Instant::now() + Duration::from_secs(u64::from(options.settle_seconds));
    swarm.turn_until(&mut events, settled)?;
    let mut report = Report::new(options, rss_kb_before, resident_kb(options)?);
    if options.mode == Mode::Idle {
        return Ok(report);
    }

    let written_before = written(options)?;
    swarm.open_publisher()?;
    let stretch = match options.mode {
        Mode::Paced => paced(options, &mut swarm, &mut events)?,
        Mode::Saturated | Mode::Idle | Mode::Accept => saturated(options, &mut swarm, &mut events)?,
    };
    swarm.drain(&mut events)?;
    report.add_stretch(&stretch, swarm.tally.latencies());
    if let Some((before, after)) = written_before.zip(written(options)?) {
        report.frames_per_write = Some(rounded((after.0 - before.0) / (after.1 - before.1)));
    }
    if options.deaf > 0 {
        report.deaf_reset_while_running = swarm.deaf_reset();
        report.rss_kb_end = resident_kb(options)?;
        let patience = Instant::now() + DEAF_PATIENCE;
        report.deaf_cut = swarm.deaf_ended();
        while report.deaf_cut < options.deaf && Instant::now() < patience {
            swarm.turn_until(&mut events, Instant::now() + Duration::from_millis(50))?;
            report.deaf_cut = swarm.deaf_ended();
        }
    } else {
        report.rss_kb_end = resident_kb(options)?;
    }
    Ok(report)
}

/// Connections that come and go, between two moments in the midst of it.
fn accept(
    options: &Options,
    swarm: &mut Swarm<'_>,
    events: &mut Events,
    rss_kb_before: Option<u64>,
) -> Result<Report> {
    swarm.accept(options.in_flight.get() as usize)?;
    let start = Instant::now() + Duration::from_secs(u64::from(options.warm_up_seconds));
    swarm.turn_until(events, start)?;
    let from = Moment::now(options, swarm.handshakes())?;
    swarm.turn_until(events, start + Duration::from_secs(u64::from(options.seconds)))?;
    let to = Moment::now(options, swarm.handshakes())?;
    ensure!(
        to.count() > from.count(),
        "not one handshake in {} s",
        options.seconds
    );
    let mut report = Report::new(options, rss_kb_before, None);
    report.add_handshakes(&from.until(&to));
    report.rss_kb_end = resident_kb(options)?;
    Ok(report)
}

/// Messages at fixed times, whatever the server does; latency counts from the time a message was due.
fn paced(options: &Options, swarm: &mut Swarm<'_>, events: &mut Events) -> Result<Stretch> {
    let rate = options.rate.get();
    let interval = Duration::from_secs(1) / rate;
    let start = Instant::now();
    let warm_up = u64::from(options.warm_up_seconds) * u64::from(rate);
    let last = warm_up + u64::from(options.seconds) * u64::from(rate);
    let mut next_life = start + LIFE_INTERVAL;
    let mut from = None;
    for message in 0..last {
        let due = start + Duration::from_nanos(message * 1_000_000_000 / u64::from(rate));
        swarm.turn_until(events, due)?;
        if message == warm_up {
            from = Some(Moment::now(options, swarm.tally.deliveries())?);
            swarm.tally.record(true);
        }
        swarm.publish(due)?;
        if due > next_life {
            swarm.show_life();
            next_life += LIFE_INTERVAL;
        }
    }
    swarm.turn_until(events, Instant::now() + interval)?;
    // A server that is behind is measured until it has caught up: its last messages are deliveries too.
    swarm.drain(events)?;
    let to = Moment::now(options, swarm.tally.deliveries())?;
    Ok(from
        .expect("seconds and rate are positive, so a message follows the warm-up")
        .until(&to))
}

/// As fast as the window lets messages through, between two moments in the midst of it.
fn saturated(options: &Options, swarm: &mut Swarm<'_>, events: &mut Events) -> Result<Stretch> {
    swarm.keep_under_way(Some(u64::from(options.in_flight.get())))?;
    let start = Instant::now() + Duration::from_secs(u64::from(options.warm_up_seconds));
    let end = start + Duration::from_secs(u64::from(options.seconds));
    swarm.turn_until(events, start)?;
    let from = Moment::now(options, swarm.tally.deliveries())?;
    swarm.tally.record(true);
    let mut life = start;
    while life < end {
        life = (life + LIFE_INTERVAL).min(end);
        swarm.turn_until(events, life)?;
        swarm.show_life();
    }
    let to = Moment::now(options, swarm.tally.deliveries())?;
    swarm.tally.record(false);
    swarm.keep_under_way(None)?;
    Ok(from.until(&to))
}
