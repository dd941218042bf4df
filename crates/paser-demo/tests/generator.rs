//! The generator: counts, shares, noise, disjoint parts, the same bytes from the same seed.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use paser_demo::pool::{SEED, TrainingStream, generate_pool, generate_tests};
use paser_demo::split::{Part, part_of};
use paser_demo::tasks::Capability;

#[test]
fn the_pool_has_its_shares_and_its_noise() {
    let pool = generate_pool(SEED).unwrap();
    assert_eq!(pool.rows.len(), 3000);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut noise: BTreeMap<&str, usize> = BTreeMap::new();
    for (row, label) in pool.rows.iter().zip(&pool.labels) {
        assert_eq!(row.id, label.id);
        *counts.entry(label.capability.as_str()).or_default() += 1;
        *noise.entry(label.noise.as_str()).or_default() += 1;
    }
    let expected = [1260, 750, 360, 270, 180, 180];
    for (capability, count) in Capability::ALL.into_iter().zip(expected) {
        assert_eq!(counts[capability.name()], count, "{}", capability.name());
    }
    assert_eq!(noise[""], 2760);
    assert_eq!(noise["contradiction"], 120);
    assert_eq!(noise["off-topic"], 120);
}

#[test]
fn the_same_seed_gives_the_same_pool_and_another_seed_another() {
    let first = generate_pool(SEED).unwrap();
    assert_eq!(first.rows, generate_pool(SEED).unwrap().rows);
    assert_ne!(first.rows, generate_pool(SEED + 1).unwrap().rows);
}

#[test]
fn tests_pool_and_training_share_no_text_and_no_sum() {
    let text = |instruction: &str, input: &str| format!("{instruction}\n{input}");
    let pool: BTreeSet<String> =
        generate_pool(SEED).unwrap().rows.iter().map(|r| text(&r.instruction, &r.input)).collect();
    assert_eq!(pool.len(), 3000, "a text stands twice in the pool");
    let items = generate_tests().unwrap();
    let tests: BTreeSet<String> = items.iter().map(|t| text(&t.instruction, &t.input)).collect();
    assert_eq!(tests.len(), 600);
    assert!(tests.is_disjoint(&pool));
    let sums: BTreeSet<&str> =
        items.iter().filter(|t| t.sub == "add" || t.sub == "subtract").map(|t| t.output.as_str()).collect();
    let mut stream = TrainingStream::new(1);
    for _ in 0..40_000 {
        let task = stream.next(&[1.0; 6]);
        assert!(!tests.contains(&task.text()), "{} is a test", task.text());
        assert!(!pool.contains(&task.text()), "{} is in the pool", task.text());
        assert!(!sums.contains(task.output.as_str()), "{} is a test sum", task.output);
    }
}

#[test]
fn parts_have_their_sizes() {
    let mut counts = [0usize; 4];
    for i in 0..20_000 {
        counts[part_of(&format!("text {i}")) as usize] += 1;
    }
    let shares = counts.map(|c| c as f64 / 20_000.0);
    for (share, expected) in shares.into_iter().zip([0.06, 0.24, 0.04, 0.66]) {
        assert!((share - expected).abs() < 0.01, "{shares:?}");
    }
    // By sha256sum: the first eight bytes as a big-endian number, modulo 100.
    for (key, part) in
        [("add 1 2", Part::Tests), ("add 1 3", Part::Pool), ("add 1 4", Part::Development), ("add 1 1", Part::Training)]
    {
        assert_eq!(part_of(key), part, "{key}");
    }
}

#[test]
fn pool_rows_carry_no_label() {
    let row = serde_json::to_value(&generate_pool(SEED).unwrap().rows[0]).unwrap();
    let keys: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["id", "instruction", "input", "output"]);
}
