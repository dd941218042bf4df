//! Names for clusters: their most distinctive concepts, by class-based TF-IDF (section 1 item 7 of the method). Names are
//! short, readable and distinct.

use std::collections::{BTreeSet, HashMap};

/// Concepts in a name.
const CONCEPTS_IN_NAME: usize = 3;
/// Longest concept that may stand in a name, in characters.
const LONGEST_CONCEPT: usize = 28;
/// Best candidates looked at per cluster.
const CANDIDATES: usize = 200;

/// One name per cluster. `labels[i]` is the cluster of row `i` (below `clusters`), `concepts[i]` its concepts as indices
/// into `concept_names`. The weight of a concept c in cluster k is
/// `tf(c, k) / total(k) * ln(1 + A / f(c))`, with tf its rows in k, total(k) all concept uses of k, f(c) its rows in
/// the pool and A the mean of total over clusters.
pub fn cluster_names(labels: &[u32], clusters: usize, concepts: &[Vec<u32>], concept_names: &[String]) -> Vec<String> {
    let mut counts: Vec<HashMap<u32, u32>> = vec![HashMap::new(); clusters];
    let mut frequency = vec![0u32; concept_names.len()];
    let mut totals = vec![0u64; clusters];
    for (&label, list) in labels.iter().zip(concepts) {
        for &concept in list {
            *counts[label as usize].entry(concept).or_default() += 1;
            frequency[concept as usize] += 1;
            totals[label as usize] += 1;
        }
    }
    let mean = totals.iter().sum::<u64>() as f64 / clusters.max(1) as f64;
    let mut taken = BTreeSet::new();
    let mut names = Vec::with_capacity(clusters);
    for (cluster, counts) in counts.iter().enumerate() {
        let total = totals[cluster].max(1) as f64;
        let mut ranked: Vec<(f64, u32)> = counts
            .iter()
            .map(|(&concept, &count)| {
                let distinct = (1.0 + mean / f64::from(frequency[concept as usize])).ln();
                (f64::from(count) / total * distinct, concept)
            })
            .filter(|(_, concept)| readable(&concept_names[*concept as usize]))
            .collect();
        ranked.sort_unstable_by(|a, b| {
            b.0.total_cmp(&a.0).then_with(|| concept_names[a.1 as usize].cmp(&concept_names[b.1 as usize]))
        });
        let ranked: Vec<&str> =
            ranked.iter().take(CANDIDATES).map(|(_, concept)| concept_names[*concept as usize].as_str()).collect();
        let name = distinct_name(&ranked, cluster, &taken);
        taken.insert(name.clone());
        names.push(name);
    }
    names
}

/// The first concepts that share no word with one another, one more where the name is taken already.
fn distinct_name(ranked: &[&str], cluster: usize, taken: &BTreeSet<String>) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut words: BTreeSet<&str> = BTreeSet::new();
    for concept in ranked {
        if parts.len() >= CONCEPTS_IN_NAME && !taken.contains(&parts.join(", ")) {
            break;
        }
        if concept.split(' ').any(|word| words.contains(word)) {
            continue;
        }
        if parts.len() >= CONCEPTS_IN_NAME {
            parts.pop();
        }
        words.extend(concept.split(' '));
        parts.push(concept);
    }
    let name = parts.join(", ");
    if name.is_empty() {
        return format!("cluster {}", cluster + 1);
    }
    if taken.contains(&name) { format!("{name} ({})", cluster + 1) } else { name }
}

/// Long enough to mean something, short enough to read, made of words.
fn readable(concept: &str) -> bool {
    let characters = concept.chars().count();
    (3..=LONGEST_CONCEPT).contains(&characters)
        && concept.chars().all(|character| character.is_alphanumeric() || character == ' ')
        && concept.split(' ').any(|word| word.chars().count() > 2 && word.chars().all(char::is_alphabetic))
}
