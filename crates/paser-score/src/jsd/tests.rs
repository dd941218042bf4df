//! The kernel against the formula of method.md section 2 written out in f64, and its exact properties.
#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

/// method.md section 2, word for word, in f64 on the same f32 logits.
fn reference(dense: &[f32], pruned: &[f32], target: usize) -> Measures {
    let log_softmax = |row: &[f32]| -> Vec<f64> {
        let max = row.iter().fold(f64::NEG_INFINITY, |max, &x| max.max(f64::from(x)));
        let lse = max + row.iter().map(|&x| (f64::from(x) - max).exp()).sum::<f64>().ln();
        row.iter().map(|&x| f64::from(x) - lse).collect()
    };
    let (a, b) = (log_softmax(dense), log_softmax(pruned));
    let mut sums = [0.0; 5];
    for (&a, &b) in a.iter().zip(&b) {
        let (p, q) = (a.exp(), b.exp());
        let expected = match (a == f64::NEG_INFINITY, b == f64::NEG_INFINITY) {
            (true, true) => 0.0,
            (true, false) => q * LN_2,
            (false, true) => p * LN_2,
            (false, false) => {
                let d = b - a;
                let l = (-d.abs()).exp().ln_1p();
                p * (LN_2 - (d.max(0.0) + l)) + q * (LN_2 - ((-d).max(0.0) + l))
            }
        };
        sums[0] += 0.5 * expected;
        sums[1] += if p > 0.0 { p * (a - b) } else { 0.0 };
        sums[2] += if q > 0.0 { q * (b - a) } else { 0.0 };
        sums[3] -= if p > 0.0 { p * a } else { 0.0 };
        sums[4] -= if q > 0.0 { q * b } else { 0.0 };
    }
    let top = |row: &[f32]| (0..row.len()).rev().max_by(|&i, &j| row[i].total_cmp(&row[j])).unwrap() as u32;
    Measures {
        jsd: sums[0],
        loss_dense: -a[target],
        loss_pruned: -b[target],
        kl_dense_pruned: sums[1],
        kl_pruned_dense: sums[2],
        entropy_dense: sums[3],
        entropy_pruned: sums[4],
        top1_dense: top(dense),
        top1_pruned: top(pruned),
    }
}

fn close(got: f64, expected: f64, relative: f64, absolute: f64) -> bool {
    got == expected || (got - expected).abs() <= absolute.max(relative * expected.abs())
}

fn assert_matches(dense: &[f32], pruned: &[f32], target: usize) {
    let got = Kernel::new().measure(dense, pruned, target as u32).unwrap();
    let expected = reference(dense, pruned, target);
    assert!(close(got.jsd, expected.jsd, 1e-5, 5e-8), "jsd {} expected {}", got.jsd, expected.jsd);
    assert!((0.0..=LN_2).contains(&got.jsd));
    for (name, got, expected) in [
        ("loss dense", got.loss_dense, expected.loss_dense),
        ("loss pruned", got.loss_pruned, expected.loss_pruned),
        ("kl dense pruned", got.kl_dense_pruned, expected.kl_dense_pruned),
        ("kl pruned dense", got.kl_pruned_dense, expected.kl_pruned_dense),
        ("entropy dense", got.entropy_dense, expected.entropy_dense),
        ("entropy pruned", got.entropy_pruned, expected.entropy_pruned),
    ] {
        assert!(close(got, expected, 2e-6, 1e-6), "{name} {got} expected {expected}");
    }
    assert_eq!((got.top1_dense, got.top1_pruned), (expected.top1_dense, expected.top1_pruned));
}

/// Rows that hurt: wide spreads, ties, -inf, nearly equal pairs, a few dominating entries.
fn rows() -> impl Strategy<Value = (Vec<f32>, Vec<f32>, usize)> {
    let entry = prop_oneof![
        6 => -10.0f32..10.0,
        2 => -60.0f32..60.0,
        1 => Just(0.0f32),
        1 => Just(f32::NEG_INFINITY),
        1 => -1e4f32..1e4,
        1 => prop::sample::select(vec![1e4f32, -1e4, 80.0, -80.0, 88.0]),
    ];
    let shift = prop_oneof![Just(0.0f32), -1e-4f32..1e-4, -1e-2f32..1e-2, -1.0f32..1.0, -30.0f32..30.0];
    (1usize..150).prop_flat_map(move |width| {
        (
            prop::collection::vec((entry.clone(), shift.clone(), entry.clone(), 0u8..8), width),
            prop_oneof![Just(0u8), Just(3), Just(8)],
            0..width,
        )
            .prop_map(|(cells, unrelated, target)| {
                let dense: Vec<f32> = cells.iter().map(|cell| cell.0).collect();
                let pruned =
                    cells.iter().map(|cell| if cell.3 < unrelated { cell.2 } else { cell.0 + cell.1 }).collect();
                (dense, pruned, target)
            })
    })
}

fn has_finite(row: &[f32]) -> bool {
    row.iter().any(|x| x.is_finite())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn matches_the_formula_in_f64((dense, pruned, target) in rows()) {
        prop_assume!(has_finite(&dense) && has_finite(&pruned));
        assert_matches(&dense, &pruned, target);
    }

    #[test]
    fn symmetric_to_the_bit((dense, pruned, target) in rows()) {
        prop_assume!(has_finite(&dense) && has_finite(&pruned));
        let mut kernel = Kernel::new();
        let there = kernel.measure(&dense, &pruned, target as u32).unwrap();
        let back = kernel.measure(&pruned, &dense, target as u32).unwrap();
        prop_assert_eq!(there.jsd.to_bits(), back.jsd.to_bits());
        prop_assert_eq!(there.kl_dense_pruned.to_bits(), back.kl_pruned_dense.to_bits());
        prop_assert_eq!(there.entropy_dense.to_bits(), back.entropy_pruned.to_bits());
    }

    #[test]
    fn equal_rows_give_exactly_zero((dense, _, target) in rows()) {
        prop_assume!(has_finite(&dense));
        let got = Kernel::new().measure(&dense, &dense, target as u32).unwrap();
        prop_assert_eq!((got.jsd, got.kl_dense_pruned, got.kl_pruned_dense), (0.0, 0.0, 0.0));
        prop_assert_eq!(got.loss_dense.to_bits(), got.loss_pruned.to_bits());
    }

    #[test]
    fn finite_for_any_finite_logits(
        cells in prop::collection::vec((prop::num::f32::NORMAL | prop::num::f32::ZERO, prop::num::f32::NORMAL), 1..80)
    ) {
        let (dense, pruned): (Vec<f32>, Vec<f32>) = cells.into_iter().unzip();
        let got = Kernel::new().measure(&dense, &pruned, 0).unwrap();
        prop_assert!((0.0..=LN_2).contains(&got.jsd), "{}", got.jsd);
        prop_assert!(got.loss_dense.is_finite() && got.loss_pruned.is_finite());
        prop_assert!(got.entropy_dense >= 0.0 && got.entropy_dense.is_finite());
    }
}

#[test]
fn a_wide_vocabulary_and_small_differences_keep_their_digits() {
    // a slowly varying row of 32,000 entries and copies moved by 1e-4 to 1: the sums must not drift
    let dense: Vec<f32> = (0..32_000).map(|i| ((i as f32) * 0.37).sin() * 8.0).collect();
    for step in [1e-4f32, 1e-3, 1e-2, 1e-1, 1.0] {
        let pruned: Vec<f32> = dense.iter().enumerate().map(|(i, x)| x + step * ((i as f32) * 0.11).cos()).collect();
        assert_matches(&dense, &pruned, 17);
    }
}

#[test]
fn one_dominating_entry_with_a_small_difference() {
    for gap in [5.0f32, 10.0, 20.0] {
        for step in [1e-3f32, 1e-2, 0.1, 0.5] {
            let mut dense = vec![0.0f32; 40];
            let mut pruned = dense.clone();
            dense[3] = gap;
            pruned[3] = gap + step;
            assert_matches(&dense, &pruned, 3);
        }
    }
}

#[test]
fn minus_infinity_follows_the_rules() {
    let inf = f32::INFINITY;
    // both -inf: skipped; one: (ln 2) / 2 times the other's probability
    let dense = [0.0, -inf, -inf, 0.0];
    let pruned = [0.0, -inf, 0.0, -inf];
    let got = Kernel::new().measure(&dense, &pruned, 0).unwrap();
    assert!((got.jsd - 2.0 * 0.5 * LN_2 / 2.0).abs() < 1e-7, "{}", got.jsd);
    assert_eq!((got.kl_dense_pruned, got.kl_pruned_dense), (f64::INFINITY, f64::INFINITY));
    assert_eq!(Kernel::new().measure(&dense, &pruned, 1).unwrap().loss_dense, f64::INFINITY);
    // two models with no token in common
    let got = Kernel::new().measure(&[0.0, -inf], &[-inf, 0.0], 0).unwrap();
    assert_eq!(got.jsd, LN_2);
}

#[test]
fn what_is_no_distribution_is_refused() {
    let fine = [0.0f32; 20];
    for bad in [f32::NAN, f32::INFINITY] {
        for place in [0, 7, 19] {
            let mut row = fine;
            row[place] = bad;
            assert!(Kernel::new().measure(&row, &fine, 0).is_none(), "{bad} at {place}");
            assert!(Kernel::new().measure(&fine, &row, 0).is_none(), "{bad} at {place}");
        }
    }
    assert!(Kernel::new().measure(&[f32::NEG_INFINITY; 20], &fine, 0).is_none());
}

#[test]
fn ties_go_to_the_lowest_id() {
    let got = Kernel::new().measure(&[1.0, 3.0, 3.0, 0.0], &[2.0, 0.0, 2.0, 2.0], 0).unwrap();
    assert_eq!((got.top1_dense, got.top1_pruned), (1, 0));
}
