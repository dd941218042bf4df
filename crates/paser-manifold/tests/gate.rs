//! The quality gate of `method.md` section 6 on the real pool, wherever the shared data and MiniLM's weights are found:
//! on 4,000 samples in every run, on the whole pool on request (`--run-ignored all`; minutes without PASER_VECTORS).

#![allow(clippy::unwrap_used)]

#[path = "common/mix.rs"]
mod mix;

use mix::Mix;
use paser_manifold::{
    ClusterCount, Manifold, ManifoldParams, Rows, adjusted_rand_index, kmeans_labels, normalized_mutual_information,
    run,
};
use paser_protocol::Silent;

/// What a number of clusters must reach.
struct Demand {
    clusters: usize,
    /// NMI and ARI against the capability, ARI against the source, before merging.
    before: [f64; 3],
    /// Clusters after merging, and their ARI against the capability.
    merged: usize,
    after: f64,
}

/// How far below the reference a figure may lie.
const TOLERANCE: f64 = 0.03;

impl Mix {
    fn rows<'a>(&'a self, held_out: &'a [bool]) -> Rows<'a> {
        Rows { vectors: &self.vectors, dimensions: self.dimensions, order: &self.order, held_out }
    }

    fn cluster(&self, clusters: ClusterCount, seed: u64) -> Manifold {
        let params = ManifoldParams { clusters, seed, map: false, ..ManifoldParams::default() };
        let held_out = vec![false; self.order.len()];
        run(&self.rows(&held_out), &params.check().unwrap(), &Silent).unwrap()
    }

    /// Clusters with the demanded number and holds the result to it.
    fn meets(&self, demand: &Demand) -> Manifold {
        let count = demand.clusters;
        let found = self.cluster(ClusterCount::Fixed(count), 0);
        let labels = &found.labels_before_merge;
        let measured = [
            normalized_mutual_information(labels, &self.capability),
            adjusted_rand_index(labels, &self.capability),
            adjusted_rand_index(labels, &self.source),
        ];
        let merged = adjusted_rand_index(&found.clusters, &self.capability);
        eprintln!("K {count}: {measured:.3?}, after merging {} clusters, {merged:.3}", found.count);
        for (measured, expected) in measured.iter().zip(demand.before) {
            assert!(*measured >= expected - TOLERANCE, "K {count}: {measured} against {expected}");
        }
        let slack = usize::from(count >= 12);
        assert!(found.count.abs_diff(demand.merged) <= slack, "K {count}: {} clusters after merging", found.count);
        assert!(merged >= demand.after - TOLERANCE, "K {count} after merging: {merged} against {}", demand.after);
        assert_eq!(found.quality.components, 1);
        assert!(found.quality.recall > 0.999);
        found
    }

    /// Other seeds give nearly the same eight clusters.
    fn is_steady(&self, eight: &Manifold, seeds: std::ops::Range<u64>) {
        for seed in seeds {
            let other = self.cluster(ClusterCount::Fixed(8), seed);
            let agreement = adjusted_rand_index(&eight.labels_before_merge, &other.labels_before_merge);
            assert!(agreement >= 0.95, "seed {seed}: {agreement}");
        }
    }
}

#[test]
fn capabilities_of_four_thousand_samples_are_found() {
    if let Err(reason) = mix::available() {
        eprintln!("skipped: the quality gate was not run: {reason}");
        return;
    }
    let mix = mix::load(Some(4000)).unwrap();
    // `tests/golden/gate.py` computed these figures from the same vectors.
    for demand in [
        Demand { clusters: 5, before: [0.734, 0.683, 0.655], merged: 5, after: 0.683 },
        Demand { clusters: 8, before: [0.689, 0.626, 0.636], merged: 7, after: 0.622 },
        Demand { clusters: 12, before: [0.648, 0.584, 0.591], merged: 8, after: 0.606 },
    ] {
        let found = mix.meets(&demand);
        let held_out = vec![false; mix.order.len()];
        let plain = kmeans_labels(&mix.rows(&held_out), demand.clusters, 0, &Silent).unwrap();
        let agreement = |labels: &[u32]| adjusted_rand_index(labels, &mix.capability);
        eprintln!("k-means on the vectors {:.3}", agreement(&plain));
        assert!(agreement(&found.labels_before_merge) > agreement(&plain), "k-means on the vectors is as good");
        if demand.clusters == 8 {
            mix.is_steady(&found, 1..3);
        }
    }
}

/// The figures of `method.md` section 6.
#[test]
#[ignore = "clusters the whole pool five times: `cargo nextest run -p paser-manifold --test gate --run-ignored only`"]
fn capabilities_of_the_whole_pool_are_found() {
    let mix = mix::load(None).unwrap();
    for demand in [
        Demand { clusters: 5, before: [0.80, 0.81, 0.55], merged: 4, after: 0.82 },
        Demand { clusters: 8, before: [0.73, 0.665, 0.66], merged: 5, after: 0.69 },
        Demand { clusters: 12, before: [0.667, 0.60, 0.61], merged: 11, after: 0.604 },
        Demand { clusters: 20, before: [0.647, 0.59, 0.61], merged: 14, after: 0.595 },
    ] {
        let found = mix.meets(&demand);
        if demand.clusters == 8 {
            mix.is_steady(&found, 1..4);
        }
    }
    let curve = mix.cluster(ClusterCount::Automatic, 0).curve.unwrap();
    assert!((5..=6).contains(&curve.coarse), "coarse {}", curve.coarse);
    assert!(curve.fine.is_some_and(|fine| (11..=13).contains(&fine)), "fine {:?}", curve.fine);
    assert_eq!(curve.unclear, None);
    assert_eq!(Some(curve.chosen), curve.fine);
}
