//! The quality gate of `method.md` section 6 on the real pool. Runs when PASER_VECTORS names its sentence vectors
//! (see `examples/quality.rs`); it says so and passes otherwise.

#![allow(clippy::unwrap_used)]

#[path = "common/mix.rs"]
mod mix;

use paser_manifold::{
    ClusterCount, Manifold, ManifoldParams, Rows, adjusted_rand_index, normalized_mutual_information, run,
};
use paser_protocol::Silent;

/// K, then NMI and ARI against the capability and ARI against the source before merging, clusters after merging and
/// their capability ARI.
const REFERENCE: [(usize, [f64; 3], usize, f64); 4] = [
    (5, [0.80, 0.81, 0.55], 4, 0.82),
    (8, [0.73, 0.665, 0.66], 5, 0.69),
    (12, [0.667, 0.60, 0.61], 11, 0.604),
    (20, [0.647, 0.59, 0.61], 14, 0.595),
];

const TOLERANCE: f64 = 0.03;

fn cluster(mix: &mix::Mix, clusters: ClusterCount, seed: u64) -> Manifold {
    let params = ManifoldParams { clusters, seed, map: false, ..ManifoldParams::default() };
    let held_out = vec![false; mix.order.len()];
    let rows = Rows { vectors: &mix.vectors, dimensions: mix.dimensions, order: &mix.order, held_out: &held_out };
    run(&rows, &params.check().unwrap(), &Silent).unwrap()
}

#[test]
fn capabilities_of_the_real_pool_are_found() {
    let mix = match mix::load() {
        Ok(mix) => mix,
        Err(reason) => {
            eprintln!("skipped: {reason}");
            return;
        }
    };
    for (count, before, clusters, after) in REFERENCE {
        let found = cluster(&mix, ClusterCount::Fixed(count), 0);
        let labels = &found.labels_before_merge;
        let measured = [
            normalized_mutual_information(labels, &mix.capability),
            adjusted_rand_index(labels, &mix.capability),
            adjusted_rand_index(labels, &mix.source),
        ];
        for (measured, expected) in measured.iter().zip(before) {
            assert!(*measured >= expected - TOLERANCE, "K {count}: {measured} against {expected}");
        }
        let slack = usize::from(count >= 12);
        assert!(found.count.abs_diff(clusters) <= slack, "K {count}: {} clusters after merging", found.count);
        let measured = adjusted_rand_index(&found.clusters, &mix.capability);
        assert!(measured >= after - TOLERANCE, "K {count} after merging: {measured} against {after}");
        assert_eq!(found.quality.components, 1);
        assert!(found.quality.recall > 0.999);
        if count == 8 {
            for seed in 1..4 {
                let other = cluster(&mix, ClusterCount::Fixed(8), seed);
                let agreement = adjusted_rand_index(labels, &other.labels_before_merge);
                assert!(agreement >= 0.95, "seed {seed}: {agreement}");
            }
        }
    }
}

#[test]
fn the_stability_curve_of_the_real_pool_speaks_for_few_and_for_a_dozen() {
    let mix = match mix::load() {
        Ok(mix) => mix,
        Err(reason) => {
            eprintln!("skipped: {reason}");
            return;
        }
    };
    let curve = cluster(&mix, ClusterCount::Automatic, 0).curve.unwrap();
    assert!((5..=6).contains(&curve.coarse), "coarse {}", curve.coarse);
    assert!(curve.fine.is_some_and(|fine| (11..=13).contains(&fine)), "fine {:?}", curve.fine);
    assert_eq!(curve.unclear, None);
    assert_eq!(Some(curve.chosen), curve.fine);
}
