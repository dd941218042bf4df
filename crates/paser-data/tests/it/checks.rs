//! Near-duplicates and benchmark questions in the measured pool.

use std::collections::BTreeMap;

use paser_data::{ReadOptions, leakage, near_duplicates, read_benchmark, read_pool};
use paser_protocol::Silent;

use crate::support::shared;

#[test]
fn the_measured_pool_holds_the_known_test_questions() {
    let (Some(path), Some(folder)) = (shared("data/recovery_mix.jsonl"), shared("data/eval")) else { return };
    let pool = read_pool(&path, &ReadOptions::default(), &Silent).unwrap();
    let files = [
        "arc_easy",
        "arc_challenge",
        "openbookqa",
        "boolq_no_passage",
        "gsm8k_test",
        "humaneval",
        "piqa",
        "winogrande",
    ];
    let benchmarks: Vec<_> =
        files.iter().map(|file| read_benchmark(&folder.join(format!("{file}.jsonl"))).unwrap()).collect();
    let questions: Vec<usize> = benchmarks.iter().map(|benchmark| benchmark.questions.len()).collect();
    assert_eq!(questions, [2376, 1172, 500, 3270, 1319, 164, 1838, 1267]);
    let found = leakage(&pool.samples, &pool.held_out, &benchmarks, &Silent).unwrap();
    let mut counts = BTreeMap::new();
    for (benchmark, leaks) in benchmarks.iter().zip(&found.benchmarks) {
        counts.insert(benchmark.name.as_str(), leaks.leaks.len());
    }
    // Questions that stand in the pool word for word, as counted for the pool's description; shorter ones cannot count.
    for (name, least) in [("ARC-e", 8), ("ARC-c", 5), ("OpenBookQA", 10), ("BoolQ", 4)] {
        assert!(counts[name] >= least, "{name}: {counts:?}");
    }
}

#[test]
fn near_duplicates_of_the_measured_pool_are_few() {
    let Some(path) = shared("data/recovery_mix.jsonl") else { return };
    let pool = read_pool(&path, &ReadOptions::default(), &Silent).unwrap();
    let found = near_duplicates(&pool.samples, &pool.held_out, 0.8, &Silent).unwrap();
    // The snowboard that is asked for twice.
    let kept = |text: &str| found.groups.iter().any(|group| pool.samples[group.kept as usize].instruction == text);
    assert!(kept("How can I learn to snowboad?") && (20..60).contains(&found.groups.len()));
}
