//! How much memory a run may take.

use crate::Error;

/// A bound on memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory(u64);

impl Memory {
    /// `None`: what the process may have, by its cgroup or else by the machine,
    /// less a quarter for everything else.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a text that is no size like `4GiB` or `800MB`.
    pub fn new(text: Option<&str>) -> Result<Self, Error> {
        match text {
            Some(text) => parse_bytes(text).map(Self).ok_or_else(|| Error::Parameter {
                parameter: "--memory".to_owned(),
                reason: "expected a size of 64MiB or more, like 800MB or 4GiB".to_owned(),
            }),
            None => Ok(Self(available() / 4 * 3)),
        }
    }

    /// The bound in bytes.
    pub fn bytes(self) -> u64 {
        self.0
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
    let own = groups.lines().filter_map(|line| line.rsplit_once(':').map(|(_, path)| path));
    let mut limits: Vec<u64> = own
        .flat_map(ancestors)
        .filter_map(|path| number(&format!("/sys/fs/cgroup{path}/memory.max")))
        .collect();
    limits.extend(number("/sys/fs/cgroup/memory.max"));
    limits.extend(number("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    let machine = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = machine.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let total = total.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    limits.extend(total.map(|kilobytes| kilobytes << 10));
    limits.into_iter().min().unwrap_or(4 << 30)
}

/// A path and all above it.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path.trim_end_matches('/')), |path| {
        path.rfind('/').map(|place| &path[..place])
    })
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
}
