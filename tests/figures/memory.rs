//! Memory of processes, from `/proc`, so on Linux only.

use serde_json::{Value, json};

fn field(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    let number = line.split_once(':')?.1.split_whitespace().next()?;
    number.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Bytes that a process holds now, and held at most.
pub fn of_process(process: u32) -> Value {
    let text = fs_err::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    json!({ "resident_bytes": field(&text, "VmRSS"), "peak_resident_bytes": field(&text, "VmHWM") })
}

/// Bytes of several processes, what they share counted once: the sum, and the largest of them.
pub fn of_all(processes: &[u32]) -> Value {
    let of = |process: &u32| {
        let text = fs_err::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
        field(&text, "Pss")
    };
    let all: Vec<u64> = processes.iter().filter_map(of).collect();
    json!({ "proportional_bytes": all.iter().sum::<u64>(), "largest_process_bytes": all.iter().max() })
}
