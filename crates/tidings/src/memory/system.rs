//! What Linux says about memory: this process, its control group (v2 or v1), the machine.

use std::fs;
use std::path::{Path, PathBuf};

/// A limit of this and more is none: v1 shows the largest multiple of a page.
const UNLIMITED_BYTES: u64 = 1 << 60;

/// Where to look.
#[derive(Debug)]
pub(super) struct System {
    proc: PathBuf,
    groups: PathBuf,
}

/// A control group with a limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    usage: PathBuf,
    statistics: PathBuf,
    /// Pages of files that nobody misses: the kernel takes them back before it runs short.
    reclaimable: &'static str,
    pub(super) limit_bytes: u64,
}

impl System {
    pub(super) fn here() -> Self {
        Self {
            proc: "/proc".into(),
            groups: "/sys/fs/cgroup".into(),
        }
    }

    /// The memory of the machine; 0 if it is not known.
    pub(super) fn total_bytes(&self) -> u64 {
        kib(&self.proc.join("meminfo"), "MemTotal:").unwrap_or(0)
    }

    /// What of this process lies in memory.
    pub(super) fn resident_bytes(&self) -> Option<u64> {
        kib(&self.proc.join("self/status"), "VmRSS:")
    }

    /// The nearest group above this process that has a limit. Inside a container the group's own path is often not
    /// there, but its files are at the root.
    pub(super) fn limited_group(&self) -> Option<Group> {
        let text = fs::read_to_string(self.proc.join("self/cgroup")).ok()?;
        let path_in = |controller: &str| {
            text.lines().find_map(|line| {
                let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
                let is_it = controllers.split(',').any(|name| name == controller);
                is_it.then(|| path.trim_start_matches('/').to_owned())
            })
        };
        let v2 = path_in("").and_then(|path| nearest(&self.groups, &path, v2_group));
        v2.or_else(|| nearest(&self.groups.join("memory"), &path_in("memory")?, v1_group))
    }
}

impl Group {
    /// What all processes of the group use, files that can be given up aside.
    pub(super) fn usage_bytes(&self) -> Option<u64> {
        let used = number(&self.usage)?;
        let statistics = fs::read_to_string(&self.statistics).ok()?;
        let reclaimable = statistics.lines().find_map(|line| {
            let (name, value) = line.split_once(' ')?;
            (name == self.reclaimable).then(|| value.parse().ok())?
        });
        Some(used.saturating_sub(reclaimable.unwrap_or(0)))
    }
}

/// The tightest limit on the way from the group up to the root: a limit holds for all below it.
fn nearest(root: &Path, path: &str, group: fn(&Path) -> Option<Group>) -> Option<Group> {
    let own = root.join(path);
    let up = own
        .ancestors()
        .take_while(|directory| directory.starts_with(root));
    up.filter_map(group).min_by_key(|group| group.limit_bytes)
}

fn v2_group(directory: &Path) -> Option<Group> {
    Some(Group {
        limit_bytes: limit(&directory.join("memory.max"))?,
        usage: directory.join("memory.current"),
        statistics: directory.join("memory.stat"),
        reclaimable: "inactive_file",
    })
}

fn v1_group(directory: &Path) -> Option<Group> {
    Some(Group {
        limit_bytes: limit(&directory.join("memory.limit_in_bytes"))?,
        usage: directory.join("memory.usage_in_bytes"),
        statistics: directory.join("memory.stat"),
        reclaimable: "total_inactive_file",
    })
}

/// A limit; `max` and what is as good as that are none.
fn limit(file: &Path) -> Option<u64> {
    number(file).filter(|bytes| *bytes < UNLIMITED_BYTES)
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The value in KiB behind a name.
fn kib(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with these files, as `/proc` and `/sys/fs/cgroup` would have them.
    fn system(name: &str, files: &[(&str, &str)]) -> System {
        let root = std::env::temp_dir().join(format!("tidings-memory-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&root));
        for (path, text) in files {
            let file = root.join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        System {
            proc: root.join("proc"),
            groups: root.join("groups"),
        }
    }

    #[test]
    fn the_second_version() {
        let system = system(
            "v2",
            &[
                ("proc/self/cgroup", "0::/system.slice/tidings.service\n"),
                ("proc/meminfo", "MemTotal:       2048 kB\nMemFree: 1 kB\n"),
                ("proc/self/status", "Name:\ttidings\nVmRSS:\t    1024 kB\n"),
                ("groups/system.slice/tidings.service/memory.max", "max\n"),
                ("groups/system.slice/memory.max", "1000000\n"),
                ("groups/system.slice/memory.current", "700000\n"),
                (
                    "groups/system.slice/memory.stat",
                    "anon 5\ninactive_file 200000\nactive_file 7\n",
                ),
            ],
        );
        let group = system.limited_group().unwrap();
        assert_eq!(
            (group.limit_bytes, group.usage_bytes()),
            (1_000_000, Some(500_000))
        );
        assert_eq!(
            (system.total_bytes(), system.resident_bytes()),
            (2 << 20, Some(1 << 20))
        );
    }

    #[test]
    fn the_second_version_in_a_container() {
        let system = system(
            "container",
            &[
                ("proc/self/cgroup", "0::/../../kubepods/pod1/container\n"),
                ("groups/memory.max", "4096\n"),
                ("groups/memory.current", "4000\n"),
                ("groups/memory.stat", "inactive_file 5000\n"),
            ],
        );
        let group = system.limited_group().unwrap();
        assert_eq!((group.limit_bytes, group.usage_bytes()), (4_096, Some(0)));
    }

    #[test]
    fn the_first_version() {
        let files = [
            (
                "proc/self/cgroup",
                "5:devices:/a\n4:cpu,memory:/docker/abc\n0::/\n",
            ),
            (
                "groups/memory/docker/abc/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            ("groups/memory/memory.limit_in_bytes", "2000\n"),
            ("groups/memory/memory.usage_in_bytes", "1500\n"),
            (
                "groups/memory/memory.stat",
                "inactive_file 1\ntotal_inactive_file 500\n",
            ),
        ];
        let group = system("v1", &files).limited_group().unwrap();
        assert_eq!((group.limit_bytes, group.usage_bytes()), (2_000, Some(1_000)));
    }

    #[test]
    fn no_group_or_no_limit() {
        assert_eq!(system("none", &[]).limited_group(), None);
        let unlimited = [("proc/self/cgroup", "0::/a\n"), ("groups/a/memory.max", "max\n")];
        assert_eq!(system("unlimited", &unlimited).limited_group(), None);
        let garbage = [
            ("proc/self/cgroup", "nonsense\n::\n0::/a\n"),
            ("groups/a/memory.max", "-1\n"),
        ];
        assert_eq!(system("garbage", &garbage).limited_group(), None);
    }
}
