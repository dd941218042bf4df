//! Names for clusters: their most distinctive concepts, by class-based TF-IDF (section 1 item 7 of the method). Names are
//! short, readable and distinct.

use std::collections::{BTreeSet, HashMap};

/// Concepts in a name.
const CONCEPTS_IN_NAME: usize = 3;
/// Longest concept that may stand in a name, in characters.
const LONGEST_CONCEPT: usize = 28;

/// One name per cluster. `labels[i]` is the cluster of row `i` (below `clusters`), `concepts[i]` its concepts as indices
/// into `concept_names`; rows with `held_out[i]` do not count. The weight of a concept c in cluster k is
/// `tf(c, k) / total(k) * ln(1 + A / f(c))`, with tf its rows in k, total(k) all concept uses of k, f(c) its rows in
/// the pool and A the mean of total over clusters. A concept names only the cluster in which it weighs most, so what
/// all clusters share names at most one.
pub fn cluster_names(
    labels: &[u32],
    clusters: usize,
    concepts: &[Vec<u32>],
    concept_names: &[String],
    held_out: &[bool],
) -> Vec<String> {
    let mut counts: Vec<HashMap<u32, u32>> = vec![HashMap::new(); clusters];
    let mut frequency = vec![0u32; concept_names.len()];
    let mut totals = vec![0u64; clusters];
    for ((&label, list), _) in labels.iter().zip(concepts).zip(held_out).filter(|(_, held_out)| !**held_out) {
        for &concept in list {
            *counts[label as usize].entry(concept).or_default() += 1;
            frequency[concept as usize] += 1;
            totals[label as usize] += 1;
        }
    }
    let mean = totals.iter().sum::<u64>() as f64 / clusters.max(1) as f64;
    let mut heaviest: Vec<Option<(f64, usize)>> = vec![None; concept_names.len()];
    let mut ranked: Vec<Vec<(f64, u32)>> = Vec::with_capacity(clusters);
    for (cluster, counts) in counts.iter().enumerate() {
        let total = totals[cluster].max(1) as f64;
        let mut list: Vec<(f64, u32)> = counts
            .iter()
            .filter(|(concept, _)| readable(&concept_names[**concept as usize]))
            .map(|(&concept, &count)| {
                let distinct = (1.0 + mean / f64::from(frequency[concept as usize])).ln();
                (f64::from(count) / total * distinct, concept)
            })
            .collect();
        list.sort_unstable_by(|a, b| {
            b.0.total_cmp(&a.0).then_with(|| concept_names[a.1 as usize].cmp(&concept_names[b.1 as usize]))
        });
        for &(weight, concept) in &list {
            let heaviest = &mut heaviest[concept as usize];
            if heaviest.is_none_or(|(other, _)| weight > other) {
                *heaviest = Some((weight, cluster));
            }
        }
        ranked.push(list);
    }
    let mut taken = BTreeSet::new();
    ranked
        .iter()
        .enumerate()
        .map(|(cluster, list)| {
            let own = list
                .iter()
                .filter(|(_, concept)| heaviest[*concept as usize].is_some_and(|(_, owner)| owner == cluster));
            let mut parts = without_common_words(own.map(|(_, concept)| concept_names[*concept as usize].as_str()));
            if parts.is_empty() {
                parts = without_common_words(list.iter().map(|(_, concept)| concept_names[*concept as usize].as_str()));
            }
            let number = cluster + 1;
            let name = match parts.join(", ") {
                name if name.is_empty() => format!("cluster {number}"),
                name if taken.contains(&name) => format!("{name} ({number})"),
                name => name,
            };
            taken.insert(name.clone());
            name
        })
        .collect()
}

/// The first few concepts that share no word with one another.
fn without_common_words<'a>(concepts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut parts: Vec<&str> = Vec::new();
    let mut words: BTreeSet<&str> = BTreeSet::new();
    for concept in concepts {
        if parts.len() == CONCEPTS_IN_NAME {
            break;
        }
        if !concept.split(' ').any(|word| words.contains(word)) {
            words.extend(concept.split(' '));
            parts.push(concept);
        }
    }
    parts
}

/// Long enough to mean something, short enough to read, made of words.
fn readable(concept: &str) -> bool {
    let characters = concept.chars().count();
    (3..=LONGEST_CONCEPT).contains(&characters)
        && concept.chars().all(|character| character.is_alphanumeric() || character == ' ')
        && concept.split(' ').any(|word| word.chars().count() > 2 && word.chars().all(char::is_alphabetic))
}
