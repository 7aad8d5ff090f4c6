//! What the container (a control group of Linux) leaves to this process.
//!
//! A group's limit holds for all groups below it, so the smallest on the way from the process's own group to
//! the top counts. Inside a container the top is often the group itself, and the path that the kernel shows
//! leads nowhere there: what cannot be read sets no limit.

use std::fs;
use std::path::{Path, PathBuf};

const GROUPS: &str = "/sys/fs/cgroup";

/// Bytes that the process may use, if it is limited.
pub fn memory_limit() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    limit_files(&own).iter().filter_map(|path| parse_limit(&fs::read_to_string(path).ok()?)).min()
}

/// The files that may hold a limit, from what `/proc/self/cgroup` says.
fn limit_files(own: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        let (root, name) = if controllers.is_empty() {
            (Path::new(GROUPS).to_path_buf(), "memory.max")
        } else if controllers.split(',').any(|controller| controller == "memory") {
            (Path::new(GROUPS).join("memory"), "memory.limit_in_bytes")
        } else {
            continue;
        };
        let group = Path::new(group.trim_start_matches('/'));
        files.extend(group.ancestors().map(|group| root.join(group).join(name)));
    }
    files
}

/// The number in such a file; `max` is none.
fn parse_limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(own: &str) -> Vec<String> {
        limit_files(own).iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn limits_are_looked_for_up_to_the_top() {
        assert_eq!(
            files("0::/system.slice/a.service\n"),
            ["/sys/fs/cgroup/system.slice/a.service/memory.max", "/sys/fs/cgroup/system.slice/memory.max", "/sys/fs/cgroup/memory.max"]
        );
        assert_eq!(files("0::/\n"), ["/sys/fs/cgroup/memory.max"]);
    }

    #[test]
    fn the_older_layout_has_a_tree_for_memory() {
        assert_eq!(
            files("5:cpu,cpuacct:/x\n4:memory:/docker/y\n"),
            [
                "/sys/fs/cgroup/memory/docker/y/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes"
            ]
        );
        assert_eq!(files("nonsense\n\n1:memory"), Vec::<String>::new());
    }

    #[test]
    fn a_limit_is_a_number() {
        assert_eq!(parse_limit("1073741824\n"), Some(1 << 30));
        assert_eq!(parse_limit("max\n"), None);
        assert_eq!(parse_limit(""), None);
    }
}
