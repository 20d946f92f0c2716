//! What a server process costs, from `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context, Result};

/// The unit of `/proc/PID/stat`, fixed by the kernel's interface.
const TICKS_PER_SECOND: u64 = 100;
/// "No such process": what reading a file of `/proc` says when the thread ended after the file was opened.
const ESRCH: i32 = 3;

/// A process to observe.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    pid: u32,
}

/// The processor time used up to one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuSample {
    /// Nanoseconds per living thread, from `schedstat`.
    threads_ns: BTreeMap<u32, u64>,
    /// User and system time of the whole process, ended threads included.
    ticks: u64,
}

impl Process {
    /// A process by its id.
    pub fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// This process.
    pub fn this() -> Self {
        Self::new(std::process::id())
    }

    /// Processor time used so far.
    pub fn cpu(self) -> Result<CpuSample> {
        let mut threads_ns = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{}/task", self.pid)).context("the server is gone")? {
            let entry = entry?;
            let Some(thread) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            match fs::read_to_string(entry.path().join("schedstat")) {
                Ok(text) => {
                    let on_cpu_ns = text
                        .split(' ')
                        .next()
                        .unwrap_or_default()
                        .parse()
                        .context("schedstat")?;
                    threads_ns.insert(thread, on_cpu_ns);
                }
                // Ended in between, or a kernel without scheduler statistics.
                Err(error) if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH) => {}
                Err(error) => return Err(error).context("schedstat"),
            }
        }
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).context("the server is gone")?;
        Ok(CpuSample {
            threads_ns,
            ticks: ticks(&stat).context("/proc/PID/stat")?,
        })
    }

    /// Resident memory in KiB.
    pub fn resident_kb(self) -> Result<u64> {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.pid)).context("the server is gone")?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("no VmRSS")?;
        line.trim().trim_end_matches("kB").trim().parse().context("VmRSS")
    }
}

impl CpuSample {
    /// Processor time used from this sample to a later one: by the nanosecond while no thread has ended in between,
    /// by the clock tick otherwise.
    pub fn until(&self, later: &Self) -> Duration {
        let all_live = !self.threads_ns.is_empty()
            && self
                .threads_ns
                .keys()
                .all(|thread| later.threads_ns.contains_key(thread));
        if !all_live {
            return Duration::from_millis((later.ticks - self.ticks) * 1000 / TICKS_PER_SECOND);
        }
        let before = |thread| self.threads_ns.get(thread).copied().unwrap_or(0);
        Duration::from_nanos(
            later
                .threads_ns
                .iter()
                .map(|(thread, after)| after.saturating_sub(before(thread)))
                .sum(),
        )
    }
}

/// utime + stime: fields 14 and 15, counted behind the name, which may contain anything.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_stand_behind_any_name() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 40 2 0 0 20 0";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("7 (x) S 1"), None);
    }

    #[test]
    fn an_ended_thread_falls_back_to_ticks() {
        let sample = |threads: &[(u32, u64)], ticks| CpuSample {
            threads_ns: threads.iter().copied().collect(),
            ticks,
        };
        let before = sample(&[(1, 5_000), (2, 7_000)], 100);
        assert_eq!(
            before.until(&sample(&[(1, 6_000), (2, 7_500), (3, 10)], 100)),
            Duration::from_nanos(1_510)
        );
        assert_eq!(
            before.until(&sample(&[(1, 6_000)], 103)),
            Duration::from_millis(30)
        );
    }

    #[test]
    fn this_process_can_be_read() {
        let before = Process::this().cpu().unwrap();
        assert!(Process::this().resident_kb().unwrap() > 0);
        assert!(before.until(&Process::this().cpu().unwrap()) < Duration::from_mins(1));
    }
}
