//! How much memory the embedded Redis may take, so that "nearly full" comes before the system ends it.

use std::path::Path;

use crate::store::StoreError;
use crate::store::link::Link;
use crate::store::preflight::info;

/// The least it is given: less is no shop.
const LEAST: u64 = 64 << 20;

/// Bytes that this process may take at most by its control group, and by those around it.
fn group_limit(groups: &str, root: &Path) -> Option<u64> {
    let limits = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (kinds, path) = (parts.next()?, parts.next()?);
        // Version 2 has one tree, version 1 one for each kind.
        let (tree, file) = match kinds {
            "" => (root.to_owned(), "memory.max"),
            "memory" => (root.join("memory"), "memory.limit_in_bytes"),
            _ => return None,
        };
        let here = tree.join(path.trim_start_matches('/'));
        let around = here.ancestors().take_while(|folder| folder.starts_with(&tree));
        around.filter_map(|folder| std::fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok()).min()
    });
    limits.min()
}

fn machine() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Half of what there is: a rewrite of the append-only file may need as much again for a while.
pub fn share() -> u64 {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limit = group_limit(&groups, Path::new("/sys/fs/cgroup"));
    let there = [machine(), limit].into_iter().flatten().min();
    there.map_or(0, |bytes| (bytes / 2).max(LEAST))
}

/// Sets the server's limit, never below one and a half of what it has in use: a limit that is met already would stop orders
/// of a shop that has room.
pub async fn limit(link: &mut Link, bytes: u64) -> Result<(), StoreError> {
    let memory = info(link, "memory").await?;
    let number = |name: &str| memory.get(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let used = number("used_memory");
    let least = used + used / 2;
    if least > bytes && bytes > 0 {
        tracing::warn!(
            used,
            limit = bytes,
            "The embedded Redis has more in use than two thirds of store.memory_mb: it is given half as much again."
        );
    }
    let wanted = if bytes == 0 { 0 } else { bytes.max(least) };
    if number("maxmemory") == wanted {
        return Ok(());
    }
    link.run(redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(wanted)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_group_around_counts() {
        let root = std::env::temp_dir().join(format!("kamid-memory-{}", std::process::id()));
        for (folder, file, text) in [
            ("shop.slice/kamid", "memory.max", "max\n"),
            ("shop.slice", "memory.max", "1073741824\n"),
            ("memory/docker/7", "memory.limit_in_bytes", "2147483648\n"),
            ("memory", "memory.limit_in_bytes", "9223372036854771712\n"),
        ] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
            std::fs::write(root.join(folder).join(file), text).unwrap();
        }
        assert_eq!(group_limit("0::/shop.slice/kamid\n", &root), Some(1 << 30));
        assert_eq!(group_limit("9:name=systemd:/x\n4:memory:/docker/7\n0::/\n", &root), Some(2 << 30));
        assert_eq!(group_limit("0::/elsewhere\n", &root), None);
        assert!(share() >= LEAST);
        std::fs::remove_dir_all(&root).unwrap();
    }
}
