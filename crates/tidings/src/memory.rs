//! Admission by memory: above a bound, new clients are refused before they cost anything.
//!
//! One task looks several times a second at what the process holds, and at its control group if that has a limit, and
//! sets a flag that handshakes read. Nothing else reads or waits for it.

mod system;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tidings_transport::Transport;
use tokio::time::MissedTickBehavior;

use self::system::{Group, System};

/// How often memory is looked at.
const INTERVAL: Duration = Duration::from_millis(200);
/// The share of the group's or the machine's memory that is the bound unless one is configured.
const AUTOMATIC_PERCENT: u64 = 80;
/// Clients are admitted again below this share of the bound, so that the answer does not flicker.
const ADMIT_AGAIN_PERCENT: u64 = 95;

/// The bound where nothing is known: more than there is, and a gauge can show it.
const UNKNOWN_BYTES: u64 = 1 << 62;

/// What is watched.
#[derive(Debug)]
pub(crate) struct Memory {
    process: Level,
    /// Only if the control group has a limit.
    group: Option<Level>,
    is_short: AtomicBool,
}

/// One thing whose memory is watched.
#[derive(Debug)]
pub(crate) struct Level {
    /// `process` or `cgroup`.
    pub(crate) of: &'static str,
    usage_bytes: AtomicU64,
    /// Beyond it, nobody is admitted.
    pub(crate) bound_bytes: u64,
}

impl Memory {
    /// What to watch on this machine. `bound_bytes` is the configured bound on the process; 0 takes a share of what the
    /// group or the machine has.
    pub(crate) fn new(bound_bytes: u64) -> (Arc<Self>, Watch) {
        Self::of(System::here(), bound_bytes)
    }

    fn of(system: System, bound_bytes: u64) -> (Arc<Self>, Watch) {
        let group = system.limited_group();
        let available_bytes = match &group {
            Some(group) => group.limit_bytes.min(system.total_bytes()),
            None => system.total_bytes(),
        };
        let automatic_bytes = share(available_bytes, AUTOMATIC_PERCENT);
        let bound_bytes = match bound_bytes {
            0 => automatic_bytes,
            configured => configured,
        };
        let memory = Arc::new(Self {
            process: Level::new("process", bound_bytes),
            group: group.is_some().then(|| Level::new("cgroup", automatic_bytes)),
            is_short: AtomicBool::new(false),
        });
        let watch = Watch {
            memory: memory.clone(),
            system,
            group,
        };
        (memory, watch)
    }

    /// What is watched, the process first.
    pub(crate) fn levels(&self) -> impl Iterator<Item = &Level> {
        std::iter::once(&self.process).chain(&self.group)
    }

    /// Whether clients are refused.
    pub(crate) fn is_short(&self) -> bool {
        self.is_short.load(Relaxed)
    }

    /// Decides anew. Short above a bound, and until all are well below theirs again.
    fn decide(&self) -> bool {
        let percent = if self.is_short() { ADMIT_AGAIN_PERCENT } else { 100 };
        let is_short = self
            .levels()
            .any(|level| level.usage_bytes() > share(level.bound_bytes, percent));
        if self.is_short.swap(is_short, Relaxed) != is_short {
            let (usage_bytes, bound_bytes) = (self.process.usage_bytes(), self.process.bound_bytes);
            if is_short {
                tracing::warn!(
                    usage_bytes,
                    bound_bytes,
                    "memory is short, new clients are refused"
                );
            } else {
                tracing::info!(
                    usage_bytes,
                    bound_bytes,
                    "memory is back, new clients are admitted"
                );
            }
        }
        is_short
    }
}

impl Level {
    fn new(of: &'static str, bound_bytes: u64) -> Self {
        Self {
            of,
            usage_bytes: AtomicU64::new(0),
            // Where nothing is known, nothing is refused.
            bound_bytes: if bound_bytes == 0 {
                UNKNOWN_BYTES
            } else {
                bound_bytes
            },
        }
    }

    /// As it was seen last.
    pub(crate) fn usage_bytes(&self) -> u64 {
        self.usage_bytes.load(Relaxed)
    }
}

/// What looks at the memory.
pub(crate) struct Watch {
    memory: Arc<Memory>,
    system: System,
    group: Option<Group>,
}

impl Watch {
    /// Looks until the transport goes down.
    pub(crate) async fn run(self, transport: Transport) {
        let shutdown = transport.shutdown().clone();
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            transport.set_memory_short(self.look());
        }
    }

    /// Files of `/proc` and `/sys` are read where they are: the kernel answers from memory.
    fn look(&self) -> bool {
        // What cannot be read just now stays as it was.
        if let Some(bytes) = self.system.resident_bytes() {
            self.memory.process.usage_bytes.store(bytes, Relaxed);
        }
        if let (Some(group), Some(level)) = (&self.group, &self.memory.group)
            && let Some(bytes) = group.usage_bytes()
        {
            level.usage_bytes.store(bytes, Relaxed);
        }
        self.memory.decide()
    }
}

fn share(bytes: u64, percent: u64) -> u64 {
    bytes / 100 * percent
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(memory: &Memory, process: u64, group: Option<u64>) -> bool {
        memory.process.usage_bytes.store(process, Relaxed);
        if let (Some(level), Some(bytes)) = (&memory.group, group) {
            level.usage_bytes.store(bytes, Relaxed);
        }
        memory.decide()
    }

    #[test]
    fn short_above_the_bound_until_well_below_it() {
        let memory = Memory {
            process: Level::new("process", 1_000),
            group: None,
            is_short: AtomicBool::new(false),
        };
        let said: Vec<_> = [999, 1_000, 1_001, 960, 951, 950, 1_000]
            .map(|bytes| at(&memory, bytes, None))
            .into();
        assert_eq!(said, [false, false, true, true, true, false, false]);
    }

    #[test]
    fn the_group_counts_too() {
        let memory = Memory {
            process: Level::new("process", 1_000),
            group: Some(Level::new("cgroup", 2_000)),
            is_short: AtomicBool::new(false),
        };
        assert!(!at(&memory, 500, Some(2_000)));
        assert!(at(&memory, 500, Some(2_001)));
        assert!(at(&memory, 500, Some(1_950)));
        assert!(!at(&memory, 500, Some(1_900)));
    }

    #[test]
    fn a_bound_is_found_on_this_machine_and_this_process_is_seen() {
        let (memory, watch) = Memory::new(0);
        assert!(!watch.look());
        assert!(memory.process.bound_bytes < UNKNOWN_BYTES);
        assert!(memory.process.usage_bytes() > 1 << 20);
        let (_, watch) = Memory::new(1 << 20);
        assert!(watch.look());
    }
}
