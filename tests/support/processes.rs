//! Processes of this machine by `/proc`, which only Linux has: who is below whom, and what they hold.

use anyhow::{Context as _, Result};

/// The fields of `/proc/<process>/stat` behind the name, which may hold blanks itself.
pub fn stat(process: u32) -> Option<Vec<String>> {
    let text = fs_err::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

/// All processes below this one.
///
/// # Errors
/// No `/proc`.
pub fn below(process: u32) -> Result<Vec<u32>> {
    let mut all = Vec::new();
    for entry in fs_err::read_dir("/proc").context("processes are read from /proc, which only Linux has")? {
        let Some(other) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if let Some(parent) = stat(other).and_then(|fields| fields.get(1)?.parse::<u32>().ok()) {
            all.push((other, parent));
        }
    }
    let mut found = vec![process];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(all.iter().filter(|(_, of)| *of == parent).map(|(other, _)| *other));
        next += 1;
    }
    found.remove(0);
    Ok(found)
}

/// Bytes of a process in memory now.
///
/// # Errors
/// It is gone.
pub fn resident(process: u32) -> Result<u64> {
    bytes(&format!("/proc/{process}/status"), "VmRSS:")
}

/// The most bytes that a process has had in memory.
///
/// # Errors
/// It is gone.
pub fn most_resident(process: u32) -> Result<u64> {
    bytes(&format!("/proc/{process}/status"), "VmHWM:")
}

/// Bytes of each of these processes, what they share counted once; one that has ended is left out.
///
/// # Errors
/// None of them is left.
pub fn proportional(processes: &[u32]) -> Result<Vec<u64>> {
    let held: Vec<u64> =
        processes.iter().filter_map(|process| bytes(&format!("/proc/{process}/smaps_rollup"), "Pss:").ok()).collect();
    anyhow::ensure!(!held.is_empty(), "none of {} processes is left", processes.len());
    Ok(held)
}

fn bytes(file: &str, key: &str) -> Result<u64> {
    let text = fs_err::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)).with_context(|| format!("{file}: no {key}"))?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}
