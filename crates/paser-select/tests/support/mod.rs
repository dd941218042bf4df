//! Pools for tests: small ones written by hand, random ones for properties.
#![allow(clippy::unwrap_used, dead_code)]

use std::collections::BTreeMap;

use paser_protocol::{Budget, Damage, Guard, Refill, Strategy, Weight};
use paser_select::{Concepts, Curation, PassColumn, PerSample, PoolColumns, Score, SelectParams, Vectors};
use proptest::prelude::{Just, Strategy as Generator, any, prop, prop_oneof};

/// One sample of a test pool.
#[derive(Clone, Debug)]
pub struct Sample {
    pub hash: u64,
    pub cluster: u32,
    pub alternative: u32,
    pub held_out: bool,
    pub score: Option<Score>,
    pub tokens: u32,
    pub concepts: Vec<u32>,
}

/// A scored sample with the given damage and without concepts.
pub fn sample(hash: u64, cluster: u32, jsd: f64) -> Sample {
    Sample {
        hash,
        cluster,
        alternative: 0,
        held_out: false,
        score: Some(score(jsd, 10)),
        tokens: 30,
        concepts: Vec::new(),
    }
}

pub fn score(jsd: f64, response_tokens: u32) -> Score {
    let sample_tokens = 8 + response_tokens;
    Score {
        jsd,
        jsd_rest: (response_tokens > 1).then_some(jsd / 2.0),
        ies: jsd / (2.0 * f64::from(sample_tokens).ln()),
        loss_dense: 1.0,
        loss_pruned: 2.0,
        sample_tokens,
        prompt_tokens: 20,
        response_tokens,
    }
}

pub const CONCEPTS: u32 = 10;

pub fn pool(samples: &[Sample], clusters: u32) -> PoolColumns {
    PoolColumns {
        ids: samples.iter().map(|sample| format!("s{}", sample.hash)).collect(),
        hashes: samples
            .iter()
            .map(|sample| {
                let mut hash = [0; 32];
                hash[..8].copy_from_slice(&sample.hash.to_be_bytes());
                hash
            })
            .collect(),
        clusters: samples.iter().map(|sample| sample.cluster).collect(),
        cluster_names: (0..clusters).map(|cluster| format!("c{cluster}")).collect(),
        held_out: samples.iter().map(|sample| sample.held_out).collect(),
        scores: samples.iter().map(|sample| sample.score).collect(),
        trained_tokens: samples.iter().map(|sample| sample.tokens).collect(),
        concepts: samples.iter().map(|sample| sample.concepts.clone()).collect(),
        concept_names: (0..CONCEPTS).map(|concept| format!("k{concept}")).collect(),
        alternative_clusters: Some(samples.iter().map(|sample| sample.alternative).collect()),
        vectors: Some(Vectors { values: samples.iter().flat_map(vector).collect(), dimensions: DIMENSIONS }),
        neighbour_distances: Some(samples.iter().map(|sample| (sample.hash % 7) as f32 / 7.0).collect()),
        pass: Some(PassColumn {
            values: samples.iter().map(|sample| pass_value(sample.hash)).collect(),
            ties: samples.iter().map(|sample| (sample.hash % 3) as f32).collect(),
        }),
    }
}

/// From 0 to 1.1 in tenths, and none for some.
fn pass_value(hash: u64) -> f32 {
    match hash % 13 {
        12 => f32::NAN,
        tenths => tenths as f32 / 10.0,
    }
}

pub const DIMENSIONS: usize = 6;

/// A vector of small whole numbers, so that equal distances are common.
pub fn vector(sample: &Sample) -> [f32; DIMENSIONS] {
    std::array::from_fn(|place| (sample.hash.rotate_right(8 * place as u32) % 3) as f32)
}

pub fn params(strategy: Strategy, budget: Budget) -> SelectParams {
    SelectParams { strategy, budget, ..SelectParams::default() }
}

const CLUSTERS: u32 = 5;

/// Values from small sets, so that ties are common.
fn random_sample() -> impl Generator<Value = Sample> {
    let shape = (
        0..CLUSTERS,
        0u32..3,
        prop_oneof![9 => Just(false), 1 => Just(true)],
        prop_oneof![8 => Just(true), 1 => Just(false)],
    );
    let numbers = (0u32..6, 1u32..8, 0u32..20, 1u32..60, 0u32..5);
    let concepts = prop::collection::vec(0..CONCEPTS, 0..5);
    (any::<u64>(), shape, numbers, concepts).prop_map(
        |(hash, (cluster, alternative, held_out, scorable), (jsd, response, loss, tokens, pruned), concepts)| Sample {
            hash,
            cluster,
            alternative,
            held_out,
            score: scorable.then(|| Score {
                loss_dense: f64::from(loss) / 5.0,
                loss_pruned: f64::from(pruned),
                ..score(f64::from(jsd) / 10.0, response)
            }),
            tokens,
            concepts,
        },
    )
}

/// A pool, a person's marks and settings of every kind.
pub fn random_case() -> impl Generator<Value = (Vec<Sample>, Curation, SelectParams)> {
    let samples = prop::collection::vec(random_sample(), 0..70).prop_map(|mut samples| {
        samples.sort_by_key(|sample| sample.hash);
        samples.dedup_by_key(|sample| sample.hash);
        samples.sort_by_key(|sample| sample.hash.rotate_left(17));
        samples
    });
    let marks = prop::collection::vec((0usize..70, prop_oneof![3 => Just(true), 4 => Just(false)]), 0..12);
    (samples, marks, random_params()).prop_map(|(samples, marks, params)| {
        let mut pins = BTreeMap::new();
        for (row, pin) in marks {
            if row < samples.len() && !samples[row].held_out {
                pins.insert(row as u32, pin);
            }
        }
        let rows = |pin| pins.iter().filter(|entry| *entry.1 == pin).map(|entry| *entry.0).collect();
        let curation = Curation { pinned: rows(true), excluded: rows(false), ..Curation::default() };
        (samples, curation, params)
    })
}

fn random_params() -> impl Generator<Value = SelectParams> {
    let budget = prop_oneof![
        (0u64..80).prop_map(Budget::Samples),
        (0u32..101).prop_map(|percent| Budget::Percent(f64::from(percent))),
        (0u64..2500).prop_map(Budget::Tokens),
    ];
    let concepts = (any::<bool>(), prop_oneof![Just(1.0), Just(1.0), 0.0..1.0f64])
        .prop_map(|(on, strictness)| Concepts { on, strictness, per_sample: PerSample::Best(5), max_words: 4 });
    (
        prop::sample::select(Strategy::ALL.to_vec()),
        budget,
        prop_oneof![Just(Weight::Cds), Just(Weight::CdsXSize), Just(Weight::Uniform)],
        prop_oneof![Just(Damage::Whole), Just(Damage::AfterFirstToken)],
        prop_oneof![Just(Guard::None), Just(Guard::Tukey)],
        prop_oneof![Just(Refill::None), Just(Refill::FewestConflicts)],
        concepts,
        0u64..3,
    )
        .prop_map(|(strategy, budget, weight, damage, guard, refill, concepts, seed)| SelectParams {
            strategy,
            budget,
            weight,
            damage,
            guard,
            concepts,
            refill,
            seed,
        })
}

pub fn clusters() -> u32 {
    CLUSTERS
}

/// Rows by id.
pub fn rows_by_id(pool: &PoolColumns) -> BTreeMap<&str, u32> {
    pool.ids.iter().enumerate().map(|(row, id)| (id.as_str(), row as u32)).collect()
}
