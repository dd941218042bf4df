//! Comparisons with numpy, scipy and scikit-learn: `tests/golden/make.py` computed the values and says the versions.

use std::sync::atomic::AtomicU64;

use paser_protocol::Silent;
use serde_json::Value;

use crate::affinity::build;
use crate::diffusion::coordinates;
use crate::lanczos::largest;
use crate::neighbours::{exact, recall};
use crate::progress::Progress;
use crate::sparse::SparseRows;
use crate::symnmf::factorise;
use crate::{TfidfParams, adjusted_rand_index, normalized_mutual_information, tfidf_vectors};

/// The generator of `make.py`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn bell(&mut self) -> f64 {
        self.uniform() + self.uniform() + self.uniform() + self.uniform() - 2.0
    }
}

fn mixture(rows: usize, dimensions: usize, groups: usize, noise: f64, seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    let centres: Vec<Vec<f64>> = (0..groups).map(|_| (0..dimensions).map(|_| random.bell()).collect()).collect();
    (0..rows)
        .flat_map(|row| {
            let values: Vec<f64> = centres[row % groups].iter().map(|c| c + noise * random.bell()).collect();
            let length = values.iter().map(|x| x * x).sum::<f64>().sqrt();
            values.into_iter().map(move |x| (x / length) as f32)
        })
        .collect()
}

fn texts(count: usize, seed: u64) -> Vec<String> {
    const WORDS: [&str; 20] = [
        "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu",
        "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon",
    ];
    let mut random = Random(seed);
    (0..count)
        .map(|row| {
            let topic = row % 5;
            let words: Vec<String> = (0..6 + random.next() % 9)
                .map(|_| match random.next() % 10 {
                    0..6 => WORDS[topic * 4 + (random.next() % 4) as usize].to_owned(),
                    6..8 => WORDS[(random.next() % 20) as usize].to_uppercase(),
                    8 => (random.next() % 100).to_string(),
                    _ => format!("{}x", ["+", "-", "=", "?"][(random.next() % 4) as usize]),
                })
                .collect();
            words.join(" ")
        })
        .collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn close(got: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (place, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() <= tolerance, "{what} {place}: {got} against {expected}");
    }
}

fn golden(text: &str) -> Value {
    serde_json::from_str(text).expect("golden values parse")
}

#[test]
fn neighbours_operator_and_coordinates_are_those_of_the_reference() {
    let golden = golden(include_str!("../tests/golden/manifold.json"));
    let points = mixture(600, 24, 6, 1.0, 1);
    let reported = AtomicU64::new(0);
    let progress = Progress::whole(&Silent, &reported);
    let found = exact(&points, 24, 30, 15, &progress).expect("not cancelled");
    for (row, expected) in golden["neighbours_of_first_40"].as_array().expect("rows").iter().enumerate() {
        let expected: Vec<u32> = numbers(expected).iter().map(|&x| x as u32).collect();
        assert_eq!(found.of(row).0, expected, "row {row}");
    }
    close(found.of(17).1, &numbers(&golden["distances_of_row_17"]), 1e-12, "distance");
    assert_eq!(recall(&points, 24, &found, 1000, &progress).expect("not cancelled"), (1.0, 600));
    for (alpha, expected) in golden["alpha"].as_object().expect("alphas") {
        let graph = build(&points, 24, &found, 7, alpha.parse().expect("a number"), &progress).expect("not cancelled");
        assert_eq!(graph.components.count as u64, golden["components"].as_u64().expect("a count"));
        let degrees = graph.weights.row_sums();
        let volume: f64 = degrees.iter().sum();
        let constant: Vec<f64> = degrees.iter().map(|degree| (degree / volume).sqrt()).collect();
        let pairs = largest(&graph.weights.normalised(&degrees), &constant, 15, 3, &progress).expect("converges");
        close(&pairs.values, &numbers(&expected["eigenvalues"]), 1e-11, "eigenvalue");
        let z = coordinates(&pairs, &degrees, 14, 1.0);
        close(&z[17 * 14..18 * 14], &numbers(&expected["coordinates_of_row_17"]), 1e-6, "coordinate");
    }
}

#[test]
fn agreement_measures_are_those_of_scikit_learn() {
    let golden = golden(include_str!("../tests/golden/agreement.json"));
    for case in golden["cases"].as_array().expect("cases") {
        let labels = |key: &str| -> Vec<u32> { numbers(&case[key]).iter().map(|&x| x as u32).collect() };
        let (a, b) = (labels("a"), labels("b"));
        let expected = [&case["adjusted_rand_index"], &case["normalized_mutual_information"]];
        let expected = expected.map(|value| value.as_f64().expect("a number"));
        close(&[adjusted_rand_index(&a, &b), normalized_mutual_information(&a, &b)], &expected, 1e-12, "agreement");
    }
}

#[test]
fn factorisation_takes_the_steps_of_the_reference() {
    let golden = golden(include_str!("../tests/golden/factorisation.json"));
    let edges: Vec<(u32, u32, f64)> = golden["edges"]
        .as_array()
        .expect("edges")
        .iter()
        .map(|edge| {
            let edge = numbers(edge);
            (edge[0] as u32, edge[1] as u32, edge[2])
        })
        .collect();
    let affinity = SparseRows::from_edges(golden["rows"].as_u64().expect("a count") as usize, &edges);
    let start: Vec<u32> = numbers(&golden["start"]).iter().map(|&x| x as u32).collect();
    let reported = AtomicU64::new(0);
    let found = factorise(&affinity, &start, 3, &Progress::whole(&Silent, &reported)).expect("not cancelled");
    let errors = numbers(&golden["errors"]);
    assert!(found.steps >= 20 && found.steps < 200, "{}", found.steps);
    close(&[found.error], &[errors[found.steps]], 1e-12, "error");
    assert!(errors[found.steps - 10] - errors[found.steps] < 1e-4 * errors[found.steps - 10]);
}

#[test]
fn tfidf_spans_the_directions_of_scikit_learn() {
    let golden = golden(include_str!("../tests/golden/tfidf.json"));
    // 60 texts are decomposed exactly, 700 by the subspace iteration.
    for (case, tolerances) in golden["cases"].as_array().expect("cases").iter().zip([(1e-6, 1e-6), (1e-3, 5e-3)]) {
        let made = texts(case["texts"].as_u64().expect("a count") as usize, 4);
        assert_eq!(made[0], case["first_text"].as_str().expect("a text"));
        let singular = numbers(&case["singular_values"]);
        let params = TfidfParams { dimensions: singular.len(), ..TfidfParams::default() };
        let found = tfidf_vectors(&made, &vec![false; made.len()], &params, &Silent).expect("not cancelled");
        assert_eq!(found.terms as u64, case["terms"].as_u64().expect("a count"));
        assert!(found.without_terms.is_empty());
        close(&found.singular_values, &singular, tolerances.0 * singular[0], "singular value");
        let row = |i: usize| &found.vectors[i * singular.len()..(i + 1) * singular.len()];
        let cosines: Vec<f64> =
            (0..20).map(|i| row(i).iter().zip(row(0)).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()).collect();
        close(&cosines, &numbers(&case["cosines_of_row_0"]), tolerances.1, "cosine");
    }
}
