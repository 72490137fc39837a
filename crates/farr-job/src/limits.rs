//! How much memory and time a run may take.

use std::sync::OnceLock;
use std::time::Duration;

use crate::Error;

/// A bound on memory, in bytes; `None`: what the process may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory(Option<u64>);

/// Decoded bytes that a shard holds at most, where memory allows it.
const SHARD_BYTES_MAX: u64 = 64 << 20;
/// ... and where it does not.
const SHARD_BYTES_MIN: u64 = 2 << 20;
/// A shard that is built takes about so many times its decoded bytes: read,
/// sorted, gathered, encoded.
const SHARD_FACTOR: u64 = 6;
/// Rows that are held before they go where rows lie.
const BUFFER_BYTES_MAX: u64 = 1 << 30;
const BUFFER_BYTES_MIN: u64 = 8 << 20;

impl Memory {
    /// `None`: what the process may have, by its cgroup or else by the machine,
    /// less a quarter for everything else.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a text that is no size like `4GiB` or `800MB`.
    pub fn new(text: Option<&str>) -> Result<Self, Error> {
        match text {
            Some(text) => {
                parse_bytes(text).map(|bytes| Self(Some(bytes))).ok_or_else(|| Error::Parameter {
                    parameter: "--memory".to_owned(),
                    reason: "expected a size of 64MiB or more, like 800MB or 4GiB".to_owned(),
                })
            }
            None => Ok(Self(None)),
        }
    }

    /// The bound in bytes. What the process may have is looked up when it is
    /// first asked for.
    pub fn bytes(self) -> u64 {
        static OF_PROCESS: OnceLock<u64> = OnceLock::new();
        self.0.unwrap_or_else(|| *OF_PROCESS.get_or_init(|| available() / 4 * 3))
    }

    /// Decoded bytes of persons' rows per shard that let `threads` shards be
    /// built at a time.
    pub(crate) fn bytes_per_shard(self, threads: usize) -> u64 {
        let each = self.bytes() / 2 / (threads.max(1) as u64 * SHARD_FACTOR);
        each.clamp(SHARD_BYTES_MIN, SHARD_BYTES_MAX)
    }

    /// Bytes of rows that are held before they go where rows lie.
    pub(crate) fn buffer_bytes(self) -> u64 {
        (self.bytes() / 8).clamp(BUFFER_BYTES_MIN, BUFFER_BYTES_MAX)
    }

    /// How many shards of so many decoded bytes may be worked on at a time.
    pub(crate) fn shards_in_flight(self, shard_bytes: u64, threads: usize) -> usize {
        let fit = self.bytes() / 2 / (shard_bytes.max(1).saturating_mul(SHARD_FACTOR));
        usize::try_from(fit).unwrap_or(threads).clamp(1, threads.max(1))
    }
}

/// A number with its unit: `512MiB`, `4G`, `800 MB`; `None` if it is none, or
/// too small to work in.
fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim() {
        "k" | "kb" => 1_000,
        "kib" => 1 << 10,
        "m" | "mb" => 1_000_000,
        "mib" => 1 << 20,
        "g" | "gb" => 1_000_000_000,
        "gib" => 1 << 30,
        "t" | "tb" => 1_000_000_000_000,
        "tib" => 1 << 40,
        _ => return None,
    };
    let bytes = (number.parse::<f64>().ok()? * unit as f64) as u64;
    (bytes >= 64 << 20).then_some(bytes)
}

/// Memory that this process may have: the least of its cgroup's limits and the
/// machine's.
fn available() -> u64 {
    let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut limits: Vec<u64> =
        groups.lines().flat_map(limit_files).filter_map(|path| number(&path)).collect();
    let machine = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = machine.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let total = total.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    limits.extend(total.map(|kilobytes| kilobytes << 10));
    limits.into_iter().min().unwrap_or(4 << 30)
}

/// Where the limits of a line of `/proc/self/cgroup` stand, its group's and
/// those of all above: `0::/path` of version 2, `4:memory:/path` of version 1.
fn limit_files(line: &str) -> Vec<String> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (root, name) = if controllers.is_empty() {
        ("/sys/fs/cgroup", "memory.max")
    } else if controllers.split(',').any(|controller| controller == "memory") {
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
    } else {
        return Vec::new();
    };
    ancestors(path).map(|path| format!("{root}{path}/{name}")).collect()
}

/// A path and all above it.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path.trim_end_matches('/')), |path| {
        path.rfind('/').map(|place| &path[..place])
    })
}

/// A time like `90s`, `30m` or `2h`.
///
/// # Errors
/// [`Error::Parameter`] for anything else.
pub(crate) fn parse_time(flag: &str, text: &str) -> Result<Duration, Error> {
    let failed = || Error::Parameter {
        parameter: flag.to_owned(),
        reason: "expected a time like 90s, 30m or 2h".to_owned(),
    };
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(failed()),
    };
    let seconds = number.parse::<f64>().map_err(|_| failed())? * unit;
    Duration::try_from_secs_f64(seconds).map_err(|_| failed())
}

/// The most memory that this process took since it was last asked to forget,
/// in bytes; `None` where the system does not tell.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// Lets the peak count from now. Where the system does not, peaks are of the
/// whole run so far.
pub(crate) fn forget_peak_memory() {
    use std::io::Write;
    let file = std::fs::OpenOptions::new().write(true).open("/proc/self/clear_refs");
    let _ = file.and_then(|mut file| file.write_all(b"5"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("64MiB", 64 << 20),
            ("4GiB", 4 << 30),
            ("800 MB", 800_000_000),
            ("1.5g", 1_500_000_000),
        ] {
            assert_eq!(Memory::new(Some(text)).unwrap().bytes(), bytes, "{text}");
        }
        for text in ["", "4", "4 apples", "-1GB", "1MB", "GB"] {
            assert!(Memory::new(Some(text)).is_err(), "{text}");
        }
        assert!(Memory::new(None).unwrap().bytes() > 0);
    }

    #[test]
    fn limits_are_looked_up_by_group_and_above() {
        assert_eq!(
            limit_files("0::/user/a"),
            ["/user/a", "/user", ""].map(|path| format!("/sys/fs/cgroup{path}/memory.max"))
        );
        assert_eq!(
            limit_files("4:hugetlb,memory:/b"),
            ["/b", ""].map(|path| format!("/sys/fs/cgroup/memory{path}/memory.limit_in_bytes"))
        );
        assert!(limit_files("5:devices:/b").is_empty());
        assert!(limit_files("").is_empty());
    }

    #[test]
    fn little_memory_means_small_shards_and_few_at_a_time() {
        let (small, large) = (Memory(Some(256 << 20)), Memory(Some(64 << 30)));
        assert_eq!(large.bytes_per_shard(8), SHARD_BYTES_MAX);
        assert_eq!(large.shards_in_flight(SHARD_BYTES_MAX, 8), 8);
        assert!(small.bytes_per_shard(8) < 4 << 20);
        assert_eq!(small.shards_in_flight(SHARD_BYTES_MAX, 8), 1);
        assert_eq!(small.buffer_bytes(), 32 << 20);
    }

    #[test]
    fn times_have_units() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("2h", 7200), ("5", 5)] {
            assert_eq!(parse_time("--timeout", text).unwrap(), Duration::from_secs(seconds));
        }
        for text in ["", "h", "2 weeks", "-3s"] {
            assert!(parse_time("--timeout", text).is_err(), "{text}");
        }
    }
}
