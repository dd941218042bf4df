//! What this machine has and what the process uses of it: threads, memory, its peak. Where the operating system does
//! not tell, a number is 0 and the face leaves it out.

use std::fmt::Write as _;

/// Processor threads that work may use.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Bytes from a `Key:   123 kB` line of a file in /proc.
fn kilobytes(path: &str, key: &str) -> u64 {
    let Ok(text) = fs_err::read_to_string(path) else { return 0 };
    text.lines()
        .find_map(|line| {
            line.strip_prefix(key)?.strip_prefix(':')?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
        })
        .map_or(0, |kilobytes| kilobytes * 1024)
}

pub(crate) fn total_memory() -> u64 {
    kilobytes("/proc/meminfo", "MemTotal")
}

pub(crate) fn free_memory() -> u64 {
    kilobytes("/proc/meminfo", "MemAvailable")
}

/// What this process has.
pub(crate) fn memory() -> u64 {
    kilobytes("/proc/self/status", "VmRSS")
}

/// The most it ever was since [`reset_peak_memory`].
pub(crate) fn peak_memory() -> u64 {
    kilobytes("/proc/self/status", "VmHWM")
}

/// Starts the peak anew. Where the system refuses, the peak goes on from the start of the process.
pub(crate) fn reset_peak_memory() {
    let _ = fs_err::write("/proc/self/clear_refs", "5");
}

/// `cpu, 2 threads, 23.4 GB`
pub(crate) fn describe() -> String {
    let threads = threads();
    let mut text = format!("cpu, {threads} thread{}", if threads == 1 { "" } else { "s" });
    let total = total_memory();
    if total > 0 {
        // Writing into a String cannot fail.
        let _ = write!(text, ", {:.1} GB", total as f64 / 1e9);
    }
    text
}
