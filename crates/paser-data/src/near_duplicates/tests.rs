#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use paser_protocol::Silent;
use proptest::prelude::*;

use super::*;
use crate::content_hash;

fn sample(instruction: &str, output: &str) -> Sample {
    Sample {
        id: String::new(),
        instruction: instruction.to_owned(),
        input: String::new(),
        output: output.to_owned(),
        hash: content_hash(instruction, "", output),
        multiplicity: 1,
        line: 1,
    }
}

fn find(samples: &[Sample], threshold: f64) -> NearDuplicates {
    near_duplicates(samples, &vec![false; samples.len()], threshold, &Silent).unwrap()
}

/// `count` words that no other `stream` has.
fn text(stream: usize, count: usize) -> Vec<String> {
    (0..count).map(|word| format!("s{stream}w{word}")).collect()
}

/// Groups as sets of rows.
fn sets(found: &NearDuplicates) -> BTreeSet<BTreeSet<u32>> {
    found.groups.iter().map(|group| group.others.iter().copied().chain([group.kept]).collect()).collect()
}

#[test]
fn planted_groups_are_found_and_nothing_else() {
    let mut pool = Vec::new();
    let mut planted: BTreeSet<BTreeSet<u32>> = BTreeSet::new();
    for stream in 0..200 {
        let words = text(stream, 60);
        let mut rows = BTreeSet::from([pool.len() as u32]);
        pool.push(sample(&words.join(" "), "answer"));
        if stream % 4 == 0 {
            // Case and punctuation only; then the last word: 59 of 61 shingles in common.
            rows.extend([pool.len() as u32, pool.len() as u32 + 1]);
            pool.push(sample(&words.join(", ").to_uppercase(), "Answer!"));
            pool.push(sample(&words.join(" "), "another"));
            planted.insert(rows);
        } else if stream % 4 == 1 {
            // Half of the text: too little.
            pool.push(sample(&words[..30].join(" "), &text(1000 + stream, 30).join(" ")));
        }
    }
    let found = find(&pool, 0.8);
    assert_eq!(sets(&found), planted);
    assert_eq!(found.left_out, 0);
    for group in &found.groups {
        assert_eq!(group.others.len(), 2);
        assert!(group.others.iter().all(|row| !found.kept[*row as usize]) && found.kept[group.kept as usize]);
        assert!(group.similarity > 0.9 && found.similarity[group.kept as usize] == 1.0);
    }
    assert!(found.similarity[1].is_finite() && found.similarity[pool.len() - 1].is_nan());
    assert_eq!(found.group[pool.len() - 1], ALONE);
}

#[test]
fn similarity_is_the_exact_jaccard_of_the_shingles() {
    let words = text(0, 12);
    // 10 shingles each; the last word differs, so 9 are shared, of 11.
    let other = [&words[..11], &["x".to_owned()]].concat();
    let found = find(&[sample(&words.join(" "), ""), sample(&other.join(" "), "")], 0.8);
    assert_eq!(found.groups[0].similarity, (9.0_f64 / 11.0) as f32);
    assert!(find(&[sample(&words.join(" "), ""), sample(&other.join(" "), "")], 0.82).groups.is_empty());
}

#[test]
fn short_texts_are_sets_of_words_and_empty_ones_nothing() {
    let pool =
        [sample("Hi there", ""), sample("there, hi!", ""), sample("?", "!"), sample("...", ""), sample("hi", "")];
    assert_eq!(sets(&find(&pool, 0.8)), BTreeSet::from([BTreeSet::from([0, 1])]));
}

#[test]
fn the_longest_response_is_kept() {
    let question = text(0, 60).join(" ");
    let pool = [sample(&question, "a"), sample(&question, "a b c"), sample(&question, "a b")];
    let found = find(&pool, 0.8);
    assert_eq!((found.groups[0].kept, &found.kept[..]), (1, &[false, true, false][..]));
    let found = near_duplicates(&pool, &[false, true, false], 0.8, &Silent).unwrap();
    assert_eq!((found.groups[0].kept, found.group[1]), (2, ALONE));
}

#[test]
fn thousands_of_equal_texts_are_one_group_without_their_square() {
    let question = text(0, 40).join(" ");
    // 5,000 texts that differ in punctuation alone, and as many that share a template with each other.
    let marks = |number: usize| "!?".chars().cycle().skip(number % 2).take(1 + number / 2).collect::<String>();
    let mut pool: Vec<Sample> = (0..5000).map(|number| sample(&question, &marks(number))).collect();
    pool.extend((0..5000).map(|number| sample(&text(1, 40).join(" "), &text(number + 2, 4).join(" "))));
    let started = std::time::Instant::now();
    let found = find(&pool, 0.8);
    assert_eq!(found.groups.iter().map(|group| group.others.len() + 1).max(), Some(5000));
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    assert!(sets(&found).iter().any(|set| set.len() == 5000 && set.iter().all(|row| *row < 5000)));
}

#[test]
fn crowded_buckets_say_what_they_left_out() {
    // 80 families in one bucket: all share 50 words, and each has 12 of its own, which keep it apart at 0.8.
    let shared = text(0, 50).join(" ");
    let family = |number: usize| format!("{shared} {}", text(1 + number % 80, 12).join(" "));
    let pool: Vec<Sample> = (0..400).map(|number| sample(&family(number), &"!".repeat(number + 1))).collect();
    let permutations = permutations();
    let sketches: Vec<Sketch> = pool.iter().map(|sample| sketch(sample, Cut::of(0.8), &permutations)).collect();
    let bucket: Vec<(u64, u32)> = (0..400).map(|place| (0, place)).collect();
    let roots: Vec<u32> = (0..400).collect();
    let (pairs, left_out) = bucket_pairs(&bucket, &sketches, &roots, 0.8, &Silent);
    // 64 families have a representative, whom 4 others join; the 16 other families are left out here.
    assert_eq!((pairs.len(), left_out), (64 * 4, 16 * 5));
    assert!(pairs.iter().all(|(a, b)| a % 80 == b % 80));
}

#[test]
fn pairs_just_above_the_threshold_are_found() {
    let pair = |stream: usize| {
        let words = text(stream, 102);
        let other = [&words[..91], &text(1000 + stream, 11)].concat();
        [words, other].map(|words| sample(&words.join(" "), ""))
    };
    let pool: Vec<Sample> = (0..300).flat_map(pair).collect();
    // 89 of 111 shingles: 0.802.
    let found = find(&pool, 0.8);
    assert!(found.groups.len() >= 294, "{} of 300", found.groups.len());
    assert!(found.groups.iter().all(|group| group.others == [group.kept ^ 1]));
}

#[test]
fn bands_find_what_lies_at_the_threshold() {
    assert_eq!(Cut::of(0.8), Cut { bands: 21, rows: 6 });
    for threshold in [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0] {
        let cut = Cut::of(threshold);
        assert!(cut.bands * cut.rows <= PERMUTATIONS);
        assert!(1.0 - (1.0 - threshold.powi(cut.rows as i32)).powi(cut.bands as i32) >= RECALL, "{threshold}");
    }
}

#[test]
fn sketches_estimate_similarity() {
    let permutations = permutations();
    let cut = Cut { bands: PERMUTATIONS, rows: 1 };
    for shared in [10_usize, 50, 80] {
        let (mut error, mut bias) = (0.0_f64, 0.0);
        for trial in 0..40 {
            let base = text(trial, 102);
            let other: Vec<String> =
                base[..shared + 2].iter().cloned().chain(text(900 + trial, 100 - shared)).collect();
            let [a, b] = [base, other].map(|words| sketch(&sample(&words.join(" "), ""), cut, &permutations));
            let equal = a.bands.iter().zip(&b.bands).filter(|(a, b)| a == b).count();
            let difference = equal as f64 / PERMUTATIONS as f64 - jaccard(&a.shingles, &b.shingles);
            (error, bias) = (error.max(difference.abs()), bias + difference / 40.0);
        }
        assert!(error < 0.16 && bias.abs() < 0.03, "{shared}: {error} {bias}");
    }
}

#[test]
fn a_stop_is_heard() {
    struct Stop;
    impl Monitor for Stop {
        fn progress(&self, _: u64, _: u64) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    let pool = [sample("a", "b")];
    assert!(matches!(near_duplicates(&pool, &vec![false; pool.len()], 0.8, &Stop), Err(DataError::Cancelled)));
}

/// Texts of few words from few: many near-duplicates.
fn pools() -> impl Strategy<Value = Vec<Sample>> {
    let text = || proptest::collection::vec(0..2_u8, 0..8).prop_map(|words| format!("{words:?}"));
    proptest::collection::vec((text(), text()).prop_map(|(a, b)| sample(&a, &b)), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn neither_order_nor_threads_change_what_is_found(pool in pools(), turn in 0..60_usize) {
        let threads = |count| rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap();
        // Rows of equal content are one sample in a pool.
        let mut pool = pool;
        pool.sort_by_key(|sample| sample.hash);
        pool.dedup_by_key(|sample| sample.hash);
        let once = threads(1).install(|| find(&pool, 0.7));
        let many = threads(3).install(|| find(&pool, 0.7));
        prop_assert_eq!(format!("{once:?}"), format!("{many:?}"));
        let turn = turn % pool.len().max(1);
        pool.rotate_left(turn);
        let turned = find(&pool, 0.7);
        let back = |row: u32| ((row as usize + turn) % pool.len()) as u32;
        let groups: Vec<_> = turned.groups.iter().map(|group| NearGroup {
            kept: back(group.kept), others: group.others.iter().map(|row| back(*row)).collect(), ..group.clone()
        }).collect();
        prop_assert_eq!(groups, once.groups);
    }

    #[test]
    fn groups_are_chains_of_pairs_at_the_threshold_or_above(pool in pools()) {
        let permutations = permutations();
        let sketches: Vec<Sketch> = pool.iter().map(|sample| sketch(sample, Cut::of(0.7), &permutations)).collect();
        let found = find(&pool, 0.7);
        let mut union = Union((0..pool.len() as u32).collect());
        for a in 0..pool.len() {
            for b in 0..a {
                let both = !sketches[a].shingles.is_empty() && !sketches[b].shingles.is_empty();
                if both && alike(&sketches[a], &sketches[b], 0.7) {
                    union.join(a as u32, b as u32);
                }
            }
        }
        // Every group lies within one true set; the bands may miss a pair, never invent one.
        for group in &found.groups {
            for other in &group.others {
                prop_assert_eq!(union.root(*other), union.root(group.kept));
            }
        }
        let grouped = found.group.iter().filter(|group| **group != ALONE).count();
        let members: usize = found.groups.iter().map(|group| group.others.len() + 1).sum();
        prop_assert_eq!(grouped, members);
        prop_assert_eq!(found.kept.iter().filter(|kept| !**kept).count(), members - found.groups.len());
    }
}

#[test]
fn a_pair_exactly_at_the_threshold_counts() {
    let sketch = |count: u64| Sketch { shingles: (0..count).collect(), bands: Box::default() };
    // 0.55 * 20 is a little more than 11 in binary.
    for (least, most, threshold) in [(11, 20, 0.55), (14, 25, 0.56), (4, 5, 0.8), (29, 50, 0.58)] {
        assert!(alike(&sketch(least), &sketch(most), threshold), "{least} of {most}");
        assert!(!alike(&sketch(least - 1), &sketch(most), threshold));
    }
}
