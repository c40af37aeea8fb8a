//! How much memory the process may use.

use std::fs;
use std::path::Path;

/// Where neither a flag nor a control group sets a limit: the chart's limit.
pub const DEFAULT_BUDGET: u64 = 256 * 1024 * 1024;

/// Less does not hold even an idle process.
const LEAST_BUDGET: u64 = 32 * 1024 * 1024;

/// The limit of the control group that the process runs in, if it has one.
#[must_use]
pub fn limit() -> Option<u64> {
    limit_in(Path::new("/sys/fs/cgroup"), &fs::read_to_string("/proc/self/cgroup").unwrap_or_default())
}

/// Has the kernel give the process pages of ordinary size only. A huge page stays whole as long as a part of it is in
/// use, and the tables and what a list leaves behind are many small pieces: idle with 10,000 Warehouses, a process has
/// 35 MB instead of 51 MB.
///
/// # Errors
/// The kernel's, where it knows no such setting.
#[cfg(target_os = "linux")]
pub fn without_huge_pages() -> std::io::Result<()> {
    Ok(rustix::thread::disable_transparent_huge_pages(true)?)
}

/// Reads a budget.
///
/// # Errors
/// When it is not a number of bytes, or so small that nothing could be served.
pub fn parse(text: &str) -> Result<u64, String> {
    let budget = bytes(text)?;
    if budget < LEAST_BUDGET { Err("at least 32Mi are needed".to_owned()) } else { Ok(budget) }
}

/// Reads a number of bytes, as Kubernetes writes it.
///
/// # Errors
/// When it is not one.
pub fn bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit {
        "" => Some(1_u64),
        "Ki" => Some(1 << 10),
        "Mi" => Some(1 << 20),
        "Gi" => Some(1 << 30),
        _ => None,
    };
    let bytes = unit.and_then(|unit| digits.parse::<u64>().ok()?.checked_mul(unit));
    bytes.ok_or_else(|| "give a number of bytes, or one with Ki, Mi or Gi, such as 256Mi".to_owned())
}

/// The smallest limit from the group to the root. In a container, the root is mostly the container's own group.
fn limit_in(root: &Path, groups: &str) -> Option<u64> {
    let limits = groups.lines().flat_map(|line| {
        // The number of the hierarchy, its controllers (none in version 2), the path of the group.
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { return Vec::new() };
        let (root, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => (root.join("memory"), "memory.limit_in_bytes"),
            _ => return Vec::new(),
        };
        let group = root.join(group.trim_start_matches('/'));
        let groups = group.ancestors().take_while(|group| group.starts_with(&root));
        groups.filter_map(|group| read(&group.join(file))).collect()
    });
    limits.min()
}

/// Version 2 writes "max" for no limit, version 1 a number that no machine has.
fn read(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok().filter(|limit| *limit < 1 << 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_written_as_kubernetes_writes_it() {
        assert_eq!(parse("268435456"), Ok(256 << 20));
        assert_eq!(parse("256Mi"), Ok(256 << 20));
        assert_eq!(parse("1Gi"), Ok(1 << 30));
        for wrong in ["", "Mi", "1.5Gi", "256M", "-1", "1Mi", "99999999999Gi"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_smallest_limit_from_the_group_to_the_root_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        assert_eq!(limit_in(root.path(), "0::/\n"), None);
        write("memory.max", "max\n");
        assert_eq!(limit_in(root.path(), "0::/\n"), None);
        write("pods/memory.max", "268435456\n");
        write("pods/one/memory.max", "536870912\n");
        assert_eq!(limit_in(root.path(), "0::/pods/one\n"), Some(268_435_456));
        // The path may be one of the host, which does not exist here.
        write("memory.max", "134217728\n");
        assert_eq!(limit_in(root.path(), "0::/kubepods/pod1/abc\n"), Some(134_217_728));
        let old = "3:cpu,cpuacct:/a\n2:memory:/a\n";
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(limit_in(root.path(), old), None);
        write("memory/a/memory.limit_in_bytes", "1048576\n");
        assert_eq!(limit_in(root.path(), old), Some(1_048_576));
        assert_eq!(limit_in(root.path(), "nonsense"), None);
    }
}
