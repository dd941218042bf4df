//! Vectors without a model: TF-IDF of words, digits and marks, then a truncated SVD (`method.md` section 1, item 2).
//! Terms, their weights and the directions come from the rows that are not held out; held-out rows are projected.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;

use paser_protocol::Monitor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::ManifoldError;
use crate::hash_order::order_of_texts;
use crate::progress::Progress;
use crate::svd::{Terms, project, truncated};
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
    /// Terms (1- and 2-grams) that were counted, in what is not held out.
    pub terms: usize,
    /// `[dimensions]` singular values, falling.
    pub singular_values: Vec<f64>,
    /// Texts without any counted term; they get the mean direction of all others that are not held out.
    pub without_terms: Vec<u32>,
}

/// Unit vectors of `texts`: 1- and 2-grams in at least two texts, counts `1 + ln(count)`, smooth idf
/// `ln((1 + n) / (1 + texts with the term)) + 1`, rows of unit length, then the largest singular directions and unit
/// length again. Deterministic; permuting the texts permutes the vectors and changes nothing else. Texts with
/// `held_out[i]` are not counted: they are put into the space that the others span, and change nothing in it.
///
/// # Errors
/// A parameter outside its range, `held_out` of another length, no text or none that is not held out, no term in enough
/// texts, singular vectors that do not converge, [`ManifoldError::Cancelled`].
pub fn tfidf_vectors(
    texts: &[String],
    held_out: &[bool],
    params: &TfidfParams,
    monitor: &dyn Monitor,
) -> Result<Tfidf, ManifoldError> {
    if !(1..=1000).contains(&params.dimensions) {
        let value = params.dimensions.to_string();
        return Err(ManifoldError::Parameter { name: "tfidf.dimensions", value, allowed: "1 to 1000" });
    }
    if held_out.len() != texts.len() {
        return Err(ManifoldError::Shape { what: "held-out marks", expected: texts.len(), got: held_out.len() });
    }
    let reported = AtomicU64::new(0);
    let [counting, solving] = Progress::whole(monitor, &reported).split([0.15, 0.85]);
    counting.step(0, 1)?;
    let (kept, outside): (Vec<u32>, Vec<u32>) =
        order_of_texts(texts).into_iter().partition(|&row| !held_out[row as usize]);
    if kept.is_empty() {
        return Err(ManifoldError::Empty);
    }
    let counts = count_terms(texts, &kept, &outside, params.least_texts.max(1), &counting)?;
    if counts.terms == 0 {
        return Err(ManifoldError::NoTerms { texts: kept.len() });
    }
    let idf: Vec<f64> =
        counts.spread.iter().map(|&spread| ((1 + kept.len()) as f64 / f64::from(1 + spread)).ln() + 1.0).collect();
    let matrix = Terms::new(&weigh(&counts.kept, &idf), counts.terms);
    counting.step(1, 1)?;
    let left = truncated(&matrix, params.dimensions, params.seed, &solving)?;
    let projected = if outside.is_empty() {
        Vec::new()
    } else {
        project(&matrix, &left, &Terms::new(&weigh(&counts.outside, &idf), counts.terms), &solving)?
    };
    Ok(put_back([(&kept, &left.scaled), (&outside, &projected)], left.singular.clone(), counts.terms))
}

/// How often each term stands in each text, as `(term, count)` by rising term; texts in processing order.
struct Counts {
    kept: Vec<Vec<(u32, u32)>>,
    /// The same of the held-out texts, in which only the terms of the others count.
    outside: Vec<Vec<(u32, u32)>>,
    terms: usize,
    /// Kept texts with each term.
    spread: Vec<u32>,
}

fn count_terms(
    texts: &[String],
    kept: &[u32],
    outside: &[u32],
    least: usize,
    progress: &Progress,
) -> Result<Counts, ManifoldError> {
    let split: Vec<Vec<String>> = kept.par_iter().map(|&row| tokens(&texts[row as usize])).collect();
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
    // Words of held-out texts alone share a number that stands in no kept text.
    let number = |token: &String| numbers.get(token.as_str()).copied().unwrap_or(distinct as u32);
    let outside_words: Vec<Vec<u32>> =
        outside.par_iter().map(|&row| tokens(&texts[row as usize]).iter().map(number).collect()).collect();
    drop(numbers);
    drop(split);
    let mut spread = vec![0u32; distinct + 1];
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
    let mut term_of_word = vec![u32::MAX; distinct + 1];
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
    let count = |row: &Vec<u32>| -> Vec<(u32, u32)> {
        let mut found: Vec<u32> =
            row.iter().map(|&word| term_of_word[word as usize]).filter(|&term| term != u32::MAX).collect();
        found
            .extend(pairs_of(row).iter().filter_map(|pair| pairs.binary_search(pair).ok()).map(|at| terms + at as u32));
        found.sort_unstable();
        found.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u32)).collect()
    };
    Ok(Counts {
        kept: words.par_iter().map(count).collect(),
        outside: outside_words.par_iter().map(count).collect(),
        terms: terms as usize + pairs.len(),
        spread: term_spread,
    })
}

/// Rows of unit length with entries `(1 + ln count) * idf`, where `idf = ln((1 + n) / (1 + spread)) + 1`.
fn weigh(rows: &[Vec<(u32, u32)>], idf: &[f64]) -> Vec<Vec<(u32, f32)>> {
    rows.par_iter()
        .map(|row| {
            let weights: Vec<f64> =
                row.iter().map(|&(term, count)| (1.0 + f64::from(count).ln()) * idf[term as usize]).collect();
            let length = weights.iter().map(|x| x * x).sum::<f64>().sqrt();
            row.iter().zip(weights).map(|(&(term, _), weight)| (term, (weight / length) as f32)).collect()
        })
        .collect()
}

/// Unit rows at the caller's places. `parts`: the kept and the held-out rows, each with its values in the space of the
/// kept directions.
fn put_back(parts: [(&[u32], &[f64]); 2], singular_values: Vec<f64>, terms: usize) -> Tfidf {
    let dimensions = singular_values.len();
    let mut vectors = vec![0.0f32; (parts[0].0.len() + parts[1].0.len()) * dimensions];
    let mut without_terms = Vec::new();
    let mut mean = vec![0.0; dimensions];
    for (part, (rows, scaled)) in parts.into_iter().enumerate() {
        for (&row, values) in rows.iter().zip(scaled.chunks_exact(dimensions)) {
            let length = values.iter().map(|x| x * x).sum::<f64>().sqrt();
            // Shorter rows are orthogonal to the space, up to rounding.
            if length < 1e-6 {
                without_terms.push(row);
                continue;
            }
            let from = row as usize * dimensions;
            for (out, value) in vectors[from..from + dimensions].iter_mut().zip(values) {
                *out = (value / length) as f32;
            }
            if part == 0 {
                mean.iter_mut().zip(values).for_each(|(mean, value)| *mean += value / length);
            }
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
