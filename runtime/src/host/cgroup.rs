//! The control groups of this process, of version 1 and 2.
//!
//! A limit holds for all groups below, so the smallest one on the way up counts. Inside a container
//! the path that `/proc/self/cgroup` tells may be that of the host, which is not there to see; the
//! limit is then in the root of what is mounted. The walk covers both.

use std::fs;
use std::path::{Path, PathBuf};

/// From this on, version 1 means that there is no limit.
const UNLIMITED: u64 = 1 << 60;

/// Where this process is.
pub(super) struct Cgroups {
    unified: Option<Group>,
    memory: Option<Group>,
}

/// A group by its path below a mount.
struct Group {
    mount: PathBuf,
    path: String,
}

impl Cgroups {
    pub(super) fn read(root: &Path) -> Self {
        let text = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        let mount = root.join("sys/fs/cgroup");
        let find = |wanted: fn(&str, &str) -> bool| {
            text.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':');
                let (id, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
                wanted(id, controllers).then(|| path.to_owned())
            })
        };
        let unified = find(|id, controllers| id == "0" && controllers.is_empty());
        let memory = find(|_, controllers| controllers.split(',').any(|name| name == "memory"));
        Self {
            unified: unified.map(|path| Group { mount: mount.clone(), path }),
            memory: memory.map(|path| Group { mount: mount.join("memory"), path }),
        }
    }

    /// The smallest limit in bytes, and the file that has it.
    pub(super) fn memory(&self) -> Option<(u64, PathBuf)> {
        let unified = self.unified.iter().flat_map(|group| group.limits("memory.max"));
        let memory = self.memory.iter().flat_map(|group| group.limits("memory.limit_in_bytes"));
        unified.chain(memory).filter(|(limit, _)| *limit < UNLIMITED).min()
    }

    /// Whether a group lets nothing of this process be swapped out.
    pub(super) fn forbids_swap(&self) -> bool {
        let limits = self.unified.iter().flat_map(|group| group.limits("memory.swap.max"));
        limits.into_iter().any(|(limit, _)| limit == 0)
    }
}

impl Group {
    /// The numbers in `file` of this group and all above it.
    fn limits(&self, file: &str) -> Vec<(u64, PathBuf)> {
        let below = Path::new(self.path.trim_start_matches('/'));
        let groups = below.ancestors().map(|group| self.mount.join(group).join(file));
        let number = |path: PathBuf| {
            let text = fs::read_to_string(&path).ok()?;
            Some((text.trim().parse().ok()?, path))
        };
        groups.filter_map(number).collect()
    }
}
