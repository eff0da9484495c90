//! The processes below this one.

use std::{collections::BTreeMap, fs, process};

use rustix::process::{Pid, Signal, kill_process};

/// Every living process that this one started, and what those started.
pub(super) fn descendants() -> Vec<u32> {
    below(process::id(), &parents())
}

/// Whether nothing runs below a process.
pub(crate) fn is_alone(process: u32) -> bool {
    below(process, &parents()).is_empty()
}

/// Sends a signal to each; one that is gone already is no news.
pub(super) fn send(processes: &[u32], signal: Signal) {
    let ids = processes.iter().filter_map(|id| Pid::from_raw(i32::try_from(*id).ok()?));
    ids.for_each(|id| {
        let _ = kill_process(id, signal);
    });
}

/// The ids below `root`, given each process's parent.
fn below(root: u32, parents: &BTreeMap<u32, u32>) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        let children = parents.iter().filter(|&(id, of)| *of == parent && !found.contains(id));
        let children: Vec<u32> = children.map(|(id, _)| *id).collect();
        found.extend(children);
        next += 1;
    }
    found.split_off(1)
}

/// Each process's parent: from `/proc` where there is one, else from `ps`.
fn parents() -> BTreeMap<u32, u32> {
    let Ok(folder) = fs::read_dir("/proc") else { return parents_by_ps() };
    let ids = folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter_map(|id: u32| Some((id, parent_of(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)?))).collect()
}

/// The parent in a line of `/proc/<id>/stat`; none for a zombie, which has ended.
fn parent_of(stat: &str) -> Option<u32> {
    // The name before it may hold anything, brackets and spaces too.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (state != "Z").then_some(parent)
}

fn parents_by_ps() -> BTreeMap<u32, u32> {
    let mut ps = process::Command::new("ps");
    let Ok(ps) = ps.args(["-A", "-o", "pid=,ppid=,stat="]).stdout(process::Stdio::piped()).spawn() else {
        return BTreeMap::new();
    };
    let own = ps.id();
    let Ok(output) = ps.wait_with_output() else { return BTreeMap::new() };
    let pair = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (id, parent) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (id != own && !fields.next()?.starts_with('Z')).then_some((id, parent))
    };
    String::from_utf8_lossy(&output.stdout).lines().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::{below, parent_of};

    #[test]
    fn the_processes_below_are_found_at_any_depth() {
        let parents = [(1, 0), (10, 1), (11, 10), (12, 11), (20, 1)].into();
        assert_eq!(below(10, &parents), [11, 12]);
        assert_eq!(below(12, &parents), [0_u32; 0]);
    }

    #[test]
    fn a_name_with_brackets_does_not_hide_the_parent() {
        assert_eq!(parent_of("7 (a) b) S 3 7 7 0"), Some(3));
        assert_eq!(parent_of("7 (sh) Z 3 7 7 0"), None);
        assert_eq!(parent_of(""), None);
    }
}
