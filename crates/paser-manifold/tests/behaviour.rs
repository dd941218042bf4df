//! What the clustering promises on any pool: the order of the rows and the number of threads change nothing, small and
//! degenerate pools work, rows outside the graph find their place, and a stop is obeyed.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use paser_manifold::{
    ClusterCount, Manifold, ManifoldError, ManifoldParams, Placement, Rows, TfidfParams, adjusted_rand_index,
    order_of_vectors, run, tfidf_vectors,
};
use paser_protocol::{Monitor, Silent};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const WIDTH: usize = 20;

/// Unit rows around random centres, and the group of each.
fn groups(sizes: &[usize], noise: f32, seed: u64) -> (Vec<f32>, Vec<u32>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut bell = || (0..4).map(|_| random.random::<f32>()).sum::<f32>() - 2.0;
    let (mut vectors, mut labels) = (Vec::new(), Vec::new());
    for (group, &size) in sizes.iter().enumerate() {
        let centre: Vec<f32> = (0..WIDTH).map(|_| bell()).collect();
        for _ in 0..size {
            vectors.extend(unit(centre.iter().map(|c| c + noise * bell()).collect()));
            labels.push(group as u32);
        }
    }
    (vectors, labels)
}

fn unit(values: Vec<f32>) -> Vec<f32> {
    let length = values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    values.into_iter().map(|x| (f64::from(x) / length) as f32).collect()
}

fn fixed(clusters: usize) -> ManifoldParams {
    ManifoldParams { clusters: ClusterCount::Fixed(clusters), ..ManifoldParams::default() }
}

fn cluster(vectors: &[f32], held_out: &[bool], params: ManifoldParams) -> Result<Manifold, ManifoldError> {
    let order = order_of_vectors(vectors, WIDTH);
    run(&Rows { vectors, dimensions: WIDTH, order: &order, held_out }, &params.check()?, &Silent)
}

fn none(vectors: &[f32]) -> Vec<bool> {
    vec![false; vectors.len() / WIDTH]
}

/// The result without its wall times.
fn timeless(mut manifold: Manifold) -> Manifold {
    manifold.timings.clear();
    manifold
}

#[test]
fn groups_become_clusters() {
    let (vectors, labels) = groups(&[300, 250, 200, 150, 100], 0.4, 1);
    let found = cluster(&vectors, &none(&vectors), fixed(5)).unwrap();
    assert!(adjusted_rand_index(&found.clusters, &labels) > 0.98);
    assert_eq!(found.quality.sizes.iter().sum::<usize>(), 1000);
    assert!(found.quality.sizes.is_sorted_by(|a, b| a >= b));
    assert!((found.eigenvalues[0] - 1.0).abs() < 1e-10);
    for row in found.membership.chunks_exact(found.count) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
    assert_eq!(found.map.len(), 1000);
}

#[test]
fn permuting_the_pool_permutes_the_result_and_nothing_else() {
    let (vectors, _) = groups(&[220, 180, 160, 31, 9], 0.5, 2);
    let n = vectors.len() / WIDTH;
    let mut held_out = vec![false; n];
    held_out.iter_mut().step_by(13).for_each(|mark| *mark = true);
    let params = || ManifoldParams { half_splits: 1, ..ManifoldParams::default() };
    let plain = cluster(&vectors, &held_out, params()).unwrap();
    let mut permutation: Vec<usize> = (0..n).collect();
    permutation.shuffle(&mut ChaCha8Rng::seed_from_u64(9));
    let moved: Vec<f32> =
        permutation.iter().flat_map(|&row| vectors[row * WIDTH..(row + 1) * WIDTH].to_vec()).collect();
    let moved_out: Vec<bool> = permutation.iter().map(|&row| held_out[row]).collect();
    let mut found = timeless(cluster(&moved, &moved_out, params()).unwrap());
    let original = found.clone();
    let (width, count, before) = (found.dimensions, found.count, found.count_before_merge);
    for (place, &row) in permutation.iter().enumerate() {
        found.labels_before_merge[row] = original.labels_before_merge[place];
        found.clusters[row] = original.clusters[place];
        found.map[row] = original.map[place];
        found.placement[row] = original.placement[place];
        found.far[row] = original.far[place];
        for (out, from, columns) in [
            (&mut found.coordinates, &original.coordinates, width),
            (&mut found.membership, &original.membership, count),
            (&mut found.membership_before_merge, &original.membership_before_merge, before),
        ] {
            out[row * columns..(row + 1) * columns].copy_from_slice(&from[place * columns..(place + 1) * columns]);
        }
    }
    assert_eq!(found, timeless(plain));
}

#[test]
fn one_thread_and_two_give_the_same_bytes() {
    // More rows than one block of every parallel sum.
    let (vectors, _) = groups(&[900, 700, 500, 300], 0.6, 3);
    let params = || ManifoldParams { curve_rows: 600, half_splits: 1, ..ManifoldParams::default() };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        timeless(pool.install(|| cluster(&vectors, &none(&vectors), params())).unwrap())
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(3));
}

/// Texts of eight words out of twelve.
fn word_texts(count: usize, seed: u64) -> Vec<String> {
    let words = ["sum", "add", "two", "write", "poem", "code", "loop", "list", "why", "sky", "blue", "cat"];
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| (0..8).map(|_| words[random.random_range(0..words.len())]).collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn tfidf_does_not_depend_on_threads_or_order() {
    let texts = word_texts(900, 4);
    let params = TfidfParams { dimensions: 24, ..TfidfParams::default() };
    let with = |threads: usize, texts: &[String]| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| tfidf_vectors(texts, &vec![false; texts.len()], &params, &Silent)).unwrap()
    };
    let one = with(1, &texts);
    assert_eq!(one, with(2, &texts));
    let reversed: Vec<String> = texts.iter().rev().cloned().collect();
    let other = with(2, &reversed);
    let back: Vec<f32> = other.vectors.chunks_exact(other.dimensions).rev().flatten().copied().collect();
    assert_eq!(one.vectors, back);
    for row in one.vectors.chunks_exact(one.dimensions) {
        assert!((row.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-4);
    }
}

#[test]
fn texts_without_terms_are_named_and_still_get_a_vector() {
    let texts: Vec<String> = ["a b c", "a b d", "unseen", "", "a c d"].map(str::to_owned).to_vec();
    let found = tfidf_vectors(&texts, &[false; 5], &TfidfParams::default(), &Silent).unwrap();
    assert_eq!(found.without_terms, [2, 3]);
    for row in found.vectors.chunks_exact(found.dimensions) {
        assert!((row.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
    }
    let alone = [String::from("one"), String::from("two")];
    let refused = |held_out: &[bool]| tfidf_vectors(&alone, held_out, &TfidfParams::default(), &Silent).unwrap_err();
    assert_eq!(refused(&[false; 2]), ManifoldError::NoTerms { texts: 2 });
    assert_eq!(refused(&[true; 2]), ManifoldError::Empty);
    assert!(matches!(refused(&[false; 3]), ManifoldError::Shape { expected: 2, got: 3, .. }));
}

/// Exactly solved (200 kept texts) and by the iteration (600).
#[test]
fn held_out_texts_shape_no_term_and_no_direction() {
    for (kept, dimensions) in [(200, 12), (600, 12)] {
        let mut texts = word_texts(kept, 6);
        let params = TfidfParams { dimensions, ..TfidfParams::default() };
        let alone = tfidf_vectors(&texts, &vec![false; kept], &params, &Silent).unwrap();
        // A copy of a kept text, texts of terms that no kept text has, and texts that would make rare terms frequent.
        texts.insert(0, texts[17].clone());
        texts.extend(vec!["xylophone zither".to_owned(); 5]);
        texts.extend(vec!["cat cat sky".to_owned(); 300]);
        let held_out: Vec<bool> = (0..texts.len()).map(|row| row == 0 || row > kept).collect();
        let found = tfidf_vectors(&texts, &held_out, &params, &Silent).unwrap();
        assert_eq!((found.terms, &found.singular_values), (alone.terms, &alone.singular_values));
        assert_eq!(found.vectors[dimensions..(kept + 1) * dimensions], alone.vectors);
        let row = |row: usize| &found.vectors[row * dimensions..(row + 1) * dimensions];
        let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        assert!(cosine(row(0), row(18)) > 0.999, "a held-out copy lies at its original: {}", cosine(row(0), row(18)));
        assert_eq!(found.without_terms, (kept as u32 + 1..kept as u32 + 6).collect::<Vec<_>>());
        assert!((cosine(row(kept + 1), row(kept + 1)) - 1.0).abs() < 1e-5);
    }
}

#[test]
fn tiny_and_identical_pools_are_one_cluster() {
    for n in [1, 2, 3, 10] {
        let (vectors, _) = groups(&[n], 0.5, n as u64);
        let found = cluster(&vectors, &none(&vectors), ManifoldParams::default()).unwrap();
        assert_eq!((found.count, found.clusters), (1, vec![0; n]), "{n} rows");
        assert!(found.coordinates.iter().all(|value| value.is_finite()));
        assert!(found.map.iter().flatten().all(|value| value.is_finite()));
    }
    for n in [10, 100, 700] {
        let vectors = unit(vec![1.0; WIDTH]).repeat(n);
        let found = cluster(&vectors, &none(&vectors), ManifoldParams::default()).unwrap();
        assert_eq!((found.count, found.clusters), (1, vec![0; n]), "{n} equal rows");
        assert!(found.map.iter().flatten().all(|value| value.is_finite()));
    }
    let (vectors, _) = groups(&[10], 0.5, 1);
    assert_eq!(cluster(&vectors, &none(&vectors), fixed(1)).unwrap().count, 1);
    assert_eq!(
        cluster(&vectors, &none(&vectors), fixed(11)),
        Err(ManifoldError::TooManyClusters { clusters: 11, rows: 10 })
    );
}

#[test]
fn where_all_crumbs_would_join_one_cluster_a_finer_number_is_taken() {
    // Far groups of forty rows beside groups that overlap: on every half the crumbs are what comes out alike.
    let (mut vectors, _) = groups(&[500, 450, 400, 350], 2.2, 3);
    for seed in 0..3 {
        vectors.extend(groups(&[40], 0.05, 40 + seed).0);
    }
    let found = cluster(&vectors, &none(&vectors), ManifoldParams::default()).unwrap();
    let curve = found.curve.as_ref().unwrap();
    assert!(curve.joined, "the pool of this test must have no other way: {curve:?}");
    assert!(found.count > 1 && curve.chosen > curve.coarse);
    assert_eq!(found.count_before_merge, curve.chosen);
}

#[test]
fn rows_of_which_each_stands_hundreds_of_times_cluster_by_what_they_are() {
    let (few, _) = groups(&[1, 1, 1], 0.5, 5);
    let vectors = few.repeat(200);
    let labels: Vec<u32> = (0..600).map(|row| row % 3).collect();
    let found = cluster(&vectors, &none(&vectors), fixed(3)).unwrap();
    assert_eq!(adjusted_rand_index(&found.clusters, &labels), 1.0);
}

#[test]
fn small_islands_are_left_out_and_join_their_nearest_row() {
    let (vectors, labels) = groups(&[300, 300, 20], 0.3, 6);
    let found = cluster(&vectors, &none(&vectors), fixed(2)).unwrap();
    assert_eq!(adjusted_rand_index(&found.clusters[..600], &labels[..600]), 1.0);
    assert!(found.placement[..600].iter().all(|&placement| placement == Placement::Graph));
    assert!(found.placement[600..].iter().all(|&placement| placement == Placement::SmallComponent));
    assert_eq!((found.quality.left_out_components, found.quality.left_out_rows), (1, 20));
    assert_eq!(found.quality.sizes.iter().sum::<usize>(), 620);
    for row in 600..620 {
        let own = &vectors[row * WIDTH..(row + 1) * WIDTH];
        let cosine = |other: usize| -> f32 {
            vectors[other * WIDTH..(other + 1) * WIDTH].iter().zip(own).map(|(a, b)| a * b).sum()
        };
        let nearest = (0..600).max_by(|&a, &b| cosine(a).total_cmp(&cosine(b))).unwrap();
        assert_eq!(found.clusters[row], found.clusters[nearest]);
    }
}

#[test]
fn large_islands_are_linked_into_one_component() {
    let (vectors, labels) = groups(&[200, 200, 200], 0.1, 7);
    let found = cluster(&vectors, &none(&vectors), fixed(3)).unwrap();
    assert_eq!(found.quality.components, 3);
    assert_eq!(found.quality.linked_components, 2);
    assert_eq!(found.quality.link_edges, 30);
    assert_eq!(adjusted_rand_index(&found.clusters, &labels), 1.0);
}

#[test]
fn held_out_rows_get_the_cluster_of_their_neighbours_and_do_not_touch_the_rest() {
    let (vectors, labels) = groups(&[300, 250, 200], 0.4, 8);
    let n = labels.len();
    let held_out: Vec<bool> = (0..n).map(|row| row % 5 == 0).collect();
    let found = cluster(&vectors, &held_out, fixed(3)).unwrap();
    assert!(adjusted_rand_index(&found.clusters, &labels) > 0.98);
    assert_eq!(found.quality.graph_rows + found.quality.left_out_rows, 600);
    assert!(found.placement.iter().zip(&held_out).all(|(p, &out)| (*p == Placement::HeldOut) == out));

    let kept: Vec<usize> = (0..n).filter(|&row| !held_out[row]).collect();
    let alone: Vec<f32> = kept.iter().flat_map(|&row| vectors[row * WIDTH..(row + 1) * WIDTH].to_vec()).collect();
    let without = cluster(&alone, &none(&alone), fixed(3)).unwrap();
    for (place, &row) in kept.iter().enumerate() {
        assert_eq!(found.clusters[row], without.clusters[place]);
        assert_eq!(found.map[row], without.map[place]);
    }
}

#[test]
fn a_held_out_copy_stands_where_its_original_stands() {
    let (mut vectors, _) = groups(&[200, 200], 0.5, 10);
    let copy = vectors[33 * WIDTH..34 * WIDTH].to_vec();
    vectors.extend(copy);
    let opposite: Vec<f32> = vectors[..WIDTH].iter().map(|x| -x).collect();
    vectors.extend(&opposite);
    let mut held_out = none(&vectors);
    held_out[400] = true;
    held_out[401] = true;
    let found = cluster(&vectors, &held_out, fixed(2)).unwrap();
    assert_eq!(found.clusters[400], found.clusters[33]);
    assert!(!found.far[400]);
    assert!(found.far[401]);
    // Nystrom brings back the first coordinate of a row that is in the graph.
    let z = |row: usize| found.coordinates[row * found.dimensions];
    assert!((z(400) - z(33)).abs() < 0.2 * z(33).abs(), "{} against {}", z(400), z(33));
}

#[test]
fn merging_can_be_undone_from_the_result() {
    let (vectors, _) = groups(&[400, 300, 40], 0.5, 11);
    let found = cluster(&vectors, &none(&vectors), fixed(8)).unwrap();
    assert_eq!(found.count_before_merge, 8);
    assert_eq!(found.count + found.merges.len(), 8);
    for (label, cluster) in found.labels_before_merge.iter().zip(&found.clusters) {
        assert_eq!(found.cluster_of_label[*label as usize], *cluster);
    }
    let kept = cluster(&vectors, &none(&vectors), ManifoldParams { merge: false, ..fixed(8) }).unwrap();
    assert_eq!(kept.clusters, found.labels_before_merge);
    assert!(kept.merges.is_empty());
}

#[test]
fn wrong_input_is_named() {
    let (vectors, _) = groups(&[5], 0.5, 12);
    let held_out = none(&vectors);
    let params = ManifoldParams::default().check().unwrap();
    let with = |vectors: &[f32], order: &[u32]| {
        run(&Rows { vectors, dimensions: WIDTH, order, held_out: &held_out }, &params, &Silent).unwrap_err()
    };
    assert_eq!(with(&vectors, &[0, 1, 2, 3, 3]), ManifoldError::Order { row: 3, times: "twice" });
    assert_eq!(with(&vectors, &[0, 1, 2, 3, 9]), ManifoldError::Order { row: 9, times: "that does not exist" });
    assert!(matches!(with(&vectors[1..], &[0, 1, 2, 3, 4]), ManifoldError::Shape { .. }));
    let mut broken = vectors.clone();
    broken[3 * WIDTH] = f32::NAN;
    assert_eq!(with(&broken, &[0, 1, 2, 3, 4]), ManifoldError::NotFinite { row: 3 });
    broken[3 * WIDTH] = 4.0;
    assert!(matches!(with(&broken, &[0, 1, 2, 3, 4]), ManifoldError::NotUnit { row: 3, .. }));
    assert_eq!(cluster(&vectors, &[true; 5], ManifoldParams::default()), Err(ManifoldError::Empty));
    let params = ManifoldParams { neighbours: 1, ..ManifoldParams::default() };
    assert!(matches!(params.check(), Err(ManifoldError::Parameter { name: "neighbours", .. })));
}

/// Stops the work once it reports more than a share, and records whether progress ever went back.
struct Stopper {
    at: u64,
    last: AtomicU64,
    went_back: AtomicBool,
}

impl Monitor for Stopper {
    fn progress(&self, done: u64, total: u64) {
        assert!(done <= total);
        if self.last.fetch_max(done, Ordering::Relaxed) > done + 1 {
            self.went_back.store(true, Ordering::Relaxed);
        }
    }

    fn cancelled(&self) -> bool {
        self.last.load(Ordering::Relaxed) > self.at
    }
}

#[test]
fn a_stop_is_obeyed_at_any_share_and_progress_only_rises() {
    let (vectors, _) = groups(&[300, 200], 0.5, 13);
    let order = order_of_vectors(&vectors, WIDTH);
    let held_out = none(&vectors);
    let rows = Rows { vectors: &vectors, dimensions: WIDTH, order: &order, held_out: &held_out };
    let params = ManifoldParams { half_splits: 1, ..ManifoldParams::default() }.check().unwrap();
    for at in [0, 300, 700, 950, 1000] {
        let stopper = Stopper { at, last: AtomicU64::new(0), went_back: AtomicBool::new(false) };
        let found = run(&rows, &params, &stopper);
        assert_eq!(found.is_err(), at < 1000, "stopped at {at}");
        assert!(found.is_ok() || found == Err(ManifoldError::Cancelled));
        assert!(!stopper.went_back.load(Ordering::Relaxed));
    }
}

#[test]
fn parameters_read_and_write_as_a_recipe_says_them() {
    let params: ManifoldParams =
        serde_json::from_str(r#"{"clusters": 12, "start": "manifold", "alpha": 0.5}"#).unwrap();
    assert_eq!(params.clusters, ClusterCount::Fixed(12));
    let text = serde_json::to_string(&ManifoldParams::default()).unwrap();
    assert!(text.contains(r#""clusters":"automatic""#), "{text}");
    assert_eq!(serde_json::from_str::<ManifoldParams>(&text).unwrap(), ManifoldParams::default());
    assert!(serde_json::from_str::<ManifoldParams>(r#"{"clusters": "many"}"#).is_err());
    assert!(serde_json::from_str::<ManifoldParams>(r#"{"neighbors": 3}"#).is_err());
}
