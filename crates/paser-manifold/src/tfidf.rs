//! Vectors without a model: TF-IDF of words, digits and marks, then a truncated SVD (`method.md` section 1, item 2).

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;

use paser_protocol::Monitor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::ManifoldError;
use crate::hash_order::{content_hash, order_by_hash};
use crate::progress::Progress;
use crate::svd::{Terms, truncated};
use crate::tokens::tokens;

/// Parameters of [`tfidf_vectors`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TfidfParams {
    /// Dimensions of the vectors, 1 to 1,000 (default 256); fewer when the texts span fewer.
    pub dimensions: usize,
    /// Texts that a term must occur in, at least 1 (default 2).
    pub least_texts: usize,
    /// Seed of the random range (default 0).
    pub seed: u64,
}

impl Default for TfidfParams {
    fn default() -> Self {
        Self { dimensions: 256, least_texts: 2, seed: 0 }
    }
}

/// TF-IDF vectors of n texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Tfidf {
    /// `[n, dimensions]` rows of unit length.
    pub vectors: Vec<f32>,
    /// Length of a row.
    pub dimensions: usize,
    /// Terms (1- and 2-grams) that were counted.
    pub terms: usize,
    /// `[dimensions]` singular values, falling.
    pub singular_values: Vec<f64>,
    /// Texts without any counted term; they get the mean direction of all others.
    pub without_terms: Vec<u32>,
}

/// Unit vectors of `texts`: 1- and 2-grams in at least two texts, counts `1 + ln(count)`, smooth idf
/// `ln((1 + n) / (1 + texts with the term)) + 1`, rows of unit length, then the largest singular directions and unit
/// length again. Deterministic; permuting the texts permutes the vectors and changes nothing else.
pub fn tfidf_vectors(texts: &[String], params: &TfidfParams, monitor: &dyn Monitor) -> Result<Tfidf, ManifoldError> {
    if !(1..=1000).contains(&params.dimensions) {
        let value = params.dimensions.to_string();
        return Err(ManifoldError::Parameter { name: "tfidf.dimensions", value, allowed: "1 to 1000" });
    }
    if texts.is_empty() {
        return Err(ManifoldError::Empty);
    }
    let reported = AtomicU64::new(0);
    let [counting, solving] = Progress::whole(monitor, &reported).split([0.15, 0.85]);
    counting.step(0, 1)?;
    let hashes: Vec<[u8; 32]> = texts.par_iter().map(|text| content_hash(&[text])).collect();
    let order = order_by_hash::<u32>(&hashes, &[]);
    let counts = count_terms(texts, &order, params.least_texts.max(1), &counting)?;
    if counts.terms == 0 {
        return Err(ManifoldError::NoTerms { texts: texts.len() });
    }
    let matrix = Terms::new(&weigh(&counts, texts.len()), counts.terms);
    counting.step(1, 1)?;
    let left = truncated(&matrix, params.dimensions, params.seed, &solving)?;
    Ok(put_back(&order, &left.scaled, left.singular, counts.terms))
}

/// How often each term stands in each text, texts in processing order.
struct Counts {
    rows: Vec<Vec<(u32, u32)>>,
    terms: usize,
    /// Texts with each term.
    spread: Vec<u32>,
}

fn count_terms(texts: &[String], order: &[u32], least: usize, progress: &Progress) -> Result<Counts, ManifoldError> {
    let split: Vec<Vec<String>> = order.par_iter().map(|&row| tokens(&texts[row as usize])).collect();
    progress.step(1, 4)?;
    // Words are numbered as they come in processing order.
    let mut numbers: HashMap<&str, u32> = HashMap::new();
    let mut words: Vec<Vec<u32>> = Vec::with_capacity(split.len());
    for row in &split {
        words.push(
            row.iter()
                .map(|token| {
                    let next = numbers.len() as u32;
                    *numbers.entry(token).or_insert(next)
                })
                .collect(),
        );
    }
    progress.step(2, 4)?;
    let distinct = numbers.len();
    drop(numbers);
    drop(split);
    let mut spread = vec![0u32; distinct];
    for row in &words {
        let mut seen = row.clone();
        seen.sort_unstable();
        seen.dedup();
        for word in seen {
            spread[word as usize] += 1;
        }
    }
    let frequent = |word: u32| spread[word as usize] as usize >= least;
    let pair = |window: &[u32]| u64::from(window[0]) << 32 | u64::from(window[1]);
    // A pair in enough texts has words in enough texts, so rarer words cannot stand in one.
    let pairs_of = |row: &[u32]| -> Vec<u64> {
        row.windows(2).filter(|window| frequent(window[0]) && frequent(window[1])).map(pair).collect()
    };
    let mut every_pair: Vec<u64> = words
        .par_iter()
        .flat_map_iter(|row| {
            let mut pairs = pairs_of(row);
            pairs.sort_unstable();
            pairs.dedup();
            pairs
        })
        .collect();
    every_pair.par_sort_unstable();
    let mut pairs = Vec::new();
    let mut pair_spread = Vec::new();
    for run in every_pair.chunk_by(|a, b| a == b) {
        if run.len() >= least {
            pairs.push(run[0]);
            pair_spread.push(run.len() as u32);
        }
    }
    drop(every_pair);
    progress.step(3, 4)?;
    let mut term_of_word = vec![u32::MAX; distinct];
    let mut terms = 0;
    let mut term_spread = Vec::new();
    for word in 0..distinct {
        if frequent(word as u32) {
            term_of_word[word] = terms;
            terms += 1;
            term_spread.push(spread[word]);
        }
    }
    term_spread.extend(pair_spread);
    let rows = words
        .par_iter()
        .map(|row| {
            let mut found: Vec<u32> =
                row.iter().map(|&word| term_of_word[word as usize]).filter(|&term| term != u32::MAX).collect();
            found.extend(
                pairs_of(row).iter().filter_map(|pair| pairs.binary_search(pair).ok()).map(|at| terms + at as u32),
            );
            found.sort_unstable();
            found.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u32)).collect()
        })
        .collect();
    Ok(Counts { rows, terms: terms as usize + pairs.len(), spread: term_spread })
}

/// Rows of unit length with entries `(1 + ln count) * (ln((1 + n) / (1 + spread)) + 1)`.
fn weigh(counts: &Counts, texts: usize) -> Vec<Vec<(u32, f32)>> {
    let idf: Vec<f64> =
        counts.spread.iter().map(|&spread| ((1 + texts) as f64 / f64::from(1 + spread)).ln() + 1.0).collect();
    counts
        .rows
        .par_iter()
        .map(|row| {
            let weights: Vec<f64> =
                row.iter().map(|&(term, count)| (1.0 + f64::from(count).ln()) * idf[term as usize]).collect();
            let length = weights.iter().map(|x| x * x).sum::<f64>().sqrt();
            row.iter().zip(weights).map(|(&(term, _), weight)| (term, (weight / length) as f32)).collect()
        })
        .collect()
}

/// Unit rows at the caller's places.
fn put_back(order: &[u32], scaled: &[f64], singular_values: Vec<f64>, terms: usize) -> Tfidf {
    let dimensions = singular_values.len();
    let mut vectors = vec![0.0f32; order.len() * dimensions];
    let mut without_terms = Vec::new();
    let mut mean = vec![0.0; dimensions];
    for (&row, values) in order.iter().zip(scaled.chunks_exact(dimensions)) {
        let length = values.iter().map(|x| x * x).sum::<f64>().sqrt();
        // Entries of a row in the space of the kept directions only: shorter rows are orthogonal to it, up to rounding.
        if length < 1e-6 {
            without_terms.push(row);
            continue;
        }
        let from = row as usize * dimensions;
        for ((out, value), mean) in vectors[from..from + dimensions].iter_mut().zip(values).zip(&mut mean) {
            *out = (value / length) as f32;
            *mean += value / length;
        }
    }
    let length = mean.iter().map(|x| x * x).sum::<f64>().sqrt();
    for &row in &without_terms {
        let from = row as usize * dimensions;
        for (column, out) in vectors[from..from + dimensions].iter_mut().enumerate() {
            *out = if length > 0.0 { (mean[column] / length) as f32 } else { f32::from(u8::from(column == 0)) };
        }
    }
    without_terms.sort_unstable();
    Tfidf { vectors, dimensions, terms, singular_values, without_terms }
}
