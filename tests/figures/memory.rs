//! Memory of processes as figures.

use paser_tests::processes;
use serde_json::{Value, json};

/// Bytes that a process holds now, and held at most.
pub fn of_process(process: u32) -> Value {
    json!({
        "resident_bytes": processes::resident(process).ok(),
        "peak_resident_bytes": processes::most_resident(process).ok(),
    })
}

/// Bytes of several processes, what they share counted once: the sum, and the largest of them.
pub fn of_all(all: &[u32]) -> Value {
    let held = processes::proportional(all).unwrap_or_default();
    json!({ "proportional_bytes": held.iter().sum::<u64>(), "largest_process_bytes": held.iter().max() })
}
