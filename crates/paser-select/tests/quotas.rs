//! Spreading a budget: sums, caps, proportion, ties, and what happens without weights.
#![allow(clippy::unwrap_used)]

use paser_protocol::Weight;
use paser_select::{ClusterWeight, Quotas, SelectError, quotas};
use proptest::prelude::*;

fn cluster(cds: f64, eligible: u64) -> ClusterWeight {
    ClusterWeight { cds: Some(cds), size: eligible, eligible, ..ClusterWeight::default() }
}

fn amounts(quotas: &Quotas) -> Vec<u64> {
    quotas.clusters.iter().map(|cluster| cluster.quota).collect()
}

#[test]
fn surplus_of_a_full_cluster_flows_to_the_others_by_the_same_weights() {
    // Raw shares of 100 are 60, 30, 10; the first holds 20 only, so 80 go 3 : 1.
    let clusters = [cluster(0.6, 20), cluster(0.3, 500), cluster(0.1, 500)];
    let spread = quotas(&clusters, Weight::Cds, 100).unwrap();
    assert_eq!(amounts(&spread), [20, 60, 20]);
    let raw: Vec<f64> = spread.clusters.iter().map(|cluster| cluster.raw).collect();
    assert!(raw.iter().zip([60.0, 30.0, 10.0]).all(|(a, b)| (a - b).abs() < 1e-9));
    // The overflow can fill a second cluster in turn.
    let clusters = [cluster(0.6, 20), cluster(0.3, 50), cluster(0.1, 500)];
    assert_eq!(amounts(&quotas(&clusters, Weight::Cds, 100).unwrap()), [20, 50, 30]);
}

#[test]
fn largest_remainders_get_the_rest_and_ties_go_to_the_lower_number() {
    assert_eq!(
        amounts(&quotas(&[cluster(0.1, 9), cluster(0.1, 9), cluster(0.1, 9)], Weight::Cds, 5).unwrap()),
        [2, 2, 1]
    );
    assert_eq!(
        amounts(&quotas(&[cluster(0.1, 99), cluster(0.26, 99), cluster(0.64, 99)], Weight::Cds, 10).unwrap()),
        [1, 3, 6]
    );
}

#[test]
fn pins_come_first_and_stand_in_quota_and_cap() {
    let clusters = [ClusterWeight { pinned: 7, ..cluster(0.1, 10) }, cluster(0.3, 10)];
    let spread = quotas(&clusters, Weight::Cds, 15).unwrap();
    assert_eq!(amounts(&spread), [9, 6]);
    assert_eq!((spread.clusters[0].cap, spread.total, spread.available), (17, 15, 27));
    assert_eq!(quotas(&clusters, Weight::Cds, 6), Err(SelectError::MorePinsThanBudget { pinned: 7, budget: 6 }));
}

#[test]
fn weights_and_sizes() {
    let clusters = [cluster(0.1, 300), cluster(0.2, 100)];
    assert_eq!(amounts(&quotas(&clusters, Weight::CdsXSize, 50).unwrap()), [30, 20]);
    assert_eq!(amounts(&quotas(&clusters, Weight::Uniform, 50).unwrap()), [25, 25]);
}

#[test]
fn without_any_damage_all_clusters_count_the_same_and_it_is_said() {
    let spread = quotas(&[cluster(0.0, 100), cluster(0.0, 100)], Weight::Cds, 30).unwrap();
    assert_eq!((amounts(&spread), spread.equal_weights), (vec![15, 15], true));
    let spread = quotas(&[cluster(0.0, 10), cluster(0.1, 10)], Weight::Cds, 14).unwrap();
    assert_eq!((amounts(&spread), spread.equal_weights), (vec![4, 10], false));
    assert_eq!(quotas(&[], Weight::Cds, 10).unwrap().total, 0);
    let only_pins = quotas(&[ClusterWeight { pinned: 3, ..cluster(0.0, 0) }], Weight::Cds, 10).unwrap();
    assert_eq!((amounts(&only_pins), only_pins.equal_weights), (vec![3], false));
}

fn clusters() -> impl Strategy<Value = Vec<ClusterWeight>> {
    let one = (prop_oneof![Just(None), Just(Some(0.0)), (1e-6..0.7f64).prop_map(Some)], 0u64..2000, 0u64..30).prop_map(
        |(cds, eligible, pinned)| ClusterWeight {
            cds,
            size: eligible + pinned,
            eligible,
            pinned,
            ..ClusterWeight::default()
        },
    );
    prop::collection::vec(one, 1..40)
}

fn weights() -> impl Strategy<Value = Weight> {
    prop_oneof![Just(Weight::Cds), Just(Weight::CdsXSize), Just(Weight::Uniform)]
}

#[test]
fn a_quota_by_hand_is_served_first_and_the_rest_goes_by_weight_and_emphasis() {
    let fixed = |quota| ClusterWeight { fixed: Some(quota), ..cluster(0.5, 50) };
    let spread = quotas(&[fixed(10), cluster(0.1, 100), cluster(0.3, 100)], Weight::Cds, 50).unwrap();
    assert_eq!(amounts(&spread), [10, 10, 30]);
    let raw: Vec<i64> = spread.clusters.iter().map(|cluster| cluster.raw.round() as i64).collect();
    assert_eq!(raw, [10, 10, 30]);
    let doubled = ClusterWeight { emphasis: 3.0, ..cluster(0.1, 100) };
    assert_eq!(amounts(&quotas(&[fixed(10), doubled, cluster(0.3, 100)], Weight::Cds, 50).unwrap()), [10, 20, 20]);
    let none = ClusterWeight { emphasis: 0.0, ..cluster(0.1, 100) };
    assert_eq!(amounts(&quotas(&[fixed(10), none, cluster(0.3, 20)], Weight::Cds, 50).unwrap()), [10, 20, 20]);
    // Where nothing is damaged emphasis alone decides.
    let pair = [cluster(0.0, 90), ClusterWeight { emphasis: 2.0, ..cluster(0.0, 90) }];
    assert_eq!(amounts(&quotas(&pair, Weight::Cds, 90).unwrap()), [30, 60]);
}

#[test]
fn a_quota_by_hand_stays_between_pins_and_cap_and_within_the_budget() {
    let fixed = |quota, pinned| ClusterWeight { fixed: Some(quota), pinned, ..cluster(0.5, 50) };
    let open = cluster(0.1, 100);
    assert_eq!(amounts(&quotas(&[fixed(3, 8), open], Weight::Cds, 20).unwrap()), [8, 12]);
    assert_eq!(amounts(&quotas(&[fixed(500, 0), open], Weight::Cds, 70).unwrap()), [50, 20]);
    let spread = quotas(&[fixed(40, 0), fixed(20, 0), open], Weight::Cds, 30).unwrap();
    assert_eq!((amounts(&spread), spread.scaled), (vec![20, 10, 0], true));
    let spread = quotas(&[fixed(10, 0), open], Weight::Cds, 130).unwrap();
    assert_eq!((amounts(&spread), spread.held_back, spread.available), (vec![10, 100], 20, 110));
    assert!(!spread.scaled && !spread.equal_weights);
    let all = quotas(&[fixed(10, 0), fixed(5, 0)], Weight::Cds, 40).unwrap();
    assert_eq!((amounts(&all), all.held_back, all.equal_weights), (vec![10, 5], 25, false));
}

fn by_hand() -> impl Strategy<Value = Vec<ClusterWeight>> {
    let hand = (prop_oneof![2 => Just(None), 1 => (0u64..3000).prop_map(Some)], prop_oneof![Just(1.0), 0.0..5.0f64]);
    (clusters(), prop::collection::vec(hand, 40)).prop_map(|(clusters, hands)| {
        let set = |(cluster, (fixed, emphasis)): (ClusterWeight, _)| ClusterWeight { fixed, emphasis, ..cluster };
        clusters.into_iter().zip(hands).map(set).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn quotas_by_hand_sum_too(clusters in by_hand(), weight in weights(), share in 0.0..1.3f64) {
        let pinned: u64 = clusters.iter().map(|cluster| cluster.pinned).sum();
        let eligible: u64 = clusters.iter().map(|cluster| cluster.eligible).sum();
        let budget = pinned + (share * eligible as f64) as u64;
        let spread = quotas(&clusters, weight, budget).unwrap();
        prop_assert_eq!(spread.total, budget.min(spread.available));
        prop_assert_eq!(spread.total + spread.held_back, budget.min(pinned + eligible));
        prop_assert_eq!(spread.clusters.iter().map(|cluster| cluster.quota).sum::<u64>(), spread.total);
        for (quota, cluster) in spread.clusters.iter().zip(&clusters) {
            prop_assert!(quota.quota <= quota.cap && quota.quota >= cluster.pinned && quota.raw.is_finite());
            if let Some(fixed) = cluster.fixed {
                let asked = fixed.clamp(cluster.pinned, quota.cap);
                prop_assert!(quota.quota <= asked && (spread.scaled || quota.quota == asked));
            }
        }
        if !clusters.iter().any(|cluster| cluster.fixed.is_some()) {
            prop_assert_eq!((spread.scaled, spread.held_back), (false, 0));
        }
    }

    #[test]
    fn quotas_sum_and_stay_within_caps(clusters in clusters(), weight in weights(), share in 0.0..1.3f64) {
        let pinned: u64 = clusters.iter().map(|cluster| cluster.pinned).sum();
        let eligible: u64 = clusters.iter().map(|cluster| cluster.eligible).sum();
        let budget = pinned + (share * eligible as f64) as u64;
        let spread = quotas(&clusters, weight, budget).unwrap();
        prop_assert_eq!(spread.total, budget.min(pinned + eligible));
        prop_assert_eq!(spread.clusters.iter().map(|cluster| cluster.quota).sum::<u64>(), spread.total);
        for (quota, cluster) in spread.clusters.iter().zip(&clusters) {
            prop_assert!(quota.quota <= quota.cap && quota.quota >= cluster.pinned);
            prop_assert!(quota.raw.is_finite());
        }
        prop_assert!((spread.clusters.iter().map(|cluster| cluster.raw).sum::<f64>() - budget as f64).abs() < 1e-6 * (1.0 + budget as f64));
    }

    /// Below its cap every cluster lies within one of `level x weight`, with one level for all.
    #[test]
    fn open_clusters_share_by_weight(damages in prop::collection::vec((0.01..0.7f64, 0u64..3000), 1..40), share in 0.0..1.0f64) {
        let clusters: Vec<ClusterWeight> = damages.iter().map(|&(cds, eligible)| cluster(cds, eligible)).collect();
        let eligible: u64 = damages.iter().map(|damage| damage.1).sum();
        let budget = (share * eligible as f64) as u64;
        let spread = quotas(&clusters, Weight::Cds, budget).unwrap();
        let filled = |level: f64| damages.iter().map(|&(cds, cap)| (level * cds).min(cap as f64)).sum::<f64>();
        let (mut low, mut high) = (0.0, 1e7);
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if filled(middle) < budget as f64 { low = middle } else { high = middle }
        }
        for (quota, &(cds, cap)) in spread.clusters.iter().zip(&damages) {
            let exact = (high * cds).min(cap as f64);
            prop_assert!((quota.quota as f64 - exact).abs() < 1.0 + 1e-3, "{} against {}", quota.quota, exact);
        }
    }

    #[test]
    fn a_larger_budget_takes_at_most_one_from_a_cluster(clusters in clusters(), weight in weights(), more in 1u64..50) {
        let pinned: u64 = clusters.iter().map(|cluster| cluster.pinned).sum();
        let small = quotas(&clusters, weight, pinned + 100).unwrap();
        let large = quotas(&clusters, weight, pinned + 100 + more).unwrap();
        for (small, large) in small.clusters.iter().zip(&large.clusters) {
            prop_assert!(large.quota + 1 >= small.quota);
        }
    }
}
