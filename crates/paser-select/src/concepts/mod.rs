//! Concepts of a sample: the phrases the consistency graph and the names of clusters are made of (section 3 of the
//! method). `sample_concepts` is pure and can run on many threads; `intern_concepts` then numbers the phrases in an
//! order that depends on nothing but the phrases.

mod phrases;
mod rake;
mod stopwords;
mod tokenize;

pub use phrases::sample_concepts;
pub use rake::rake;

/// Concepts of a pool: per sample, best first, as indices into `names`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConceptTable {
    /// One list per sample, best first, without repetitions.
    pub samples: Vec<Vec<u32>>,
    /// Every concept once, in code point order.
    pub names: Vec<String>,
}

/// Numbers the phrases of all samples in code point order, so that the numbers do not depend on the order of the pool.
pub fn intern_concepts(samples: Vec<Vec<String>>) -> ConceptTable {
    let lengths: Vec<usize> = samples.iter().map(Vec::len).collect();
    let phrases: Vec<String> = samples.into_iter().flatten().collect();
    let mut order: Vec<u32> = (0..phrases.len() as u32).collect();
    order.sort_unstable_by(|&a, &b| phrases[a as usize].cmp(&phrases[b as usize]));
    let mut ids = vec![0u32; phrases.len()];
    let mut firsts: Vec<u32> = Vec::new();
    for &index in &order {
        if firsts.last().is_none_or(|&first| phrases[first as usize] != phrases[index as usize]) {
            firsts.push(index);
        }
        ids[index as usize] = firsts.len() as u32 - 1;
    }
    let mut phrases = phrases;
    let names = firsts.iter().map(|&first| std::mem::take(&mut phrases[first as usize])).collect();
    let mut ids = ids.into_iter();
    let samples = lengths.into_iter().map(|length| ids.by_ref().take(length).collect()).collect();
    ConceptTable { samples, names }
}
