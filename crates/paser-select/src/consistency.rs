//! The concept consistency graph: vertices are concepts, edges are pairs seen together in a selected sample. Owns the
//! test that rejects a candidate and the memory of who introduced a concept (section 3 of the method).

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// Share of known pairs is compared with this slack, so that 2 of 3 meets a strictness written as 0.6666666667.
const SHARE_SLACK: f64 = 1e-9;

/// Edges that the graph holds at most, some 400 MB: literal concepts of long samples grow by their square.
pub(crate) const MOST_PAIRS: usize = 20_000_000;

/// The graph has no room for the pairs of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Multiplicative hashing of a pair key: the keys are small and trusted, and no hash order ever reaches a result.
#[derive(Default)]
pub(crate) struct PairHasher(u64);

impl Hasher for PairHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, key: u64) {
        let mixed = (self.0 ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

/// What the graph says of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Consistent,
    /// The first pair, in the candidate's own order of concepts, that is known and not linked.
    Blocked {
        first: u32,
        second: u32,
    },
}

pub(crate) struct ConceptGraph {
    /// Row that introduced each concept.
    introduced: Vec<Option<u32>>,
    edges: HashSet<u64, BuildHasherDefault<PairHasher>>,
    strictness: f64,
}

fn edge(first: u32, second: u32) -> u64 {
    (u64::from(first.min(second)) << 32) | u64::from(first.max(second))
}

impl ConceptGraph {
    pub fn new(concepts: usize, strictness: f64) -> Self {
        Self { introduced: vec![None; concepts], edges: HashSet::default(), strictness }
    }

    pub fn introduced_by(&self, concept: u32) -> Option<u32> {
        self.introduced[concept as usize]
    }

    /// A candidate is consistent if at least the share `strictness` of its pairs of known concepts is linked; with
    /// no such pair it is consistent.
    pub fn verdict(&self, concepts: &[u32]) -> Verdict {
        let known = self.known(concepts);
        let mut blocking = None;
        let (mut pairs, mut linked) = (0u64, 0u64);
        for (position, &first) in known.iter().enumerate() {
            for &second in &known[position + 1..] {
                if first == second {
                    continue;
                }
                pairs += 1;
                if self.edges.contains(&edge(first, second)) {
                    linked += 1;
                } else if self.strictness >= 1.0 {
                    return Verdict::Blocked { first, second };
                } else if blocking.is_none() {
                    blocking = Some((first, second));
                }
            }
        }
        match blocking {
            Some((first, second)) if (linked as f64) < self.strictness * pairs as f64 - SHARE_SLACK => {
                Verdict::Blocked { first, second }
            }
            _ => Verdict::Consistent,
        }
    }

    /// Number of pairs of the candidate's concepts that are both known and not linked.
    pub fn conflicts(&self, concepts: &[u32]) -> u32 {
        let known = self.known(concepts);
        let mut conflicts = 0;
        for (position, &first) in known.iter().enumerate() {
            conflicts += known[position + 1..]
                .iter()
                .filter(|&&second| first != second && !self.edges.contains(&edge(first, second)))
                .count() as u32;
        }
        conflicts
    }

    /// Adds the concepts of a selected row as a clique. Changes nothing where that could be more than [`MOST_PAIRS`].
    pub fn accept(&mut self, row: u32, concepts: &[u32]) -> Result<(), Full> {
        let pairs = concepts.len() * concepts.len().saturating_sub(1) / 2;
        if self.edges.len() + pairs > MOST_PAIRS {
            return Err(Full);
        }
        for (position, &first) in concepts.iter().enumerate() {
            self.introduced[first as usize].get_or_insert(row);
            for &second in &concepts[position + 1..] {
                if first != second {
                    self.edges.insert(edge(first, second));
                }
            }
        }
        Ok(())
    }

    fn known(&self, concepts: &[u32]) -> Vec<u32> {
        concepts.iter().copied().filter(|concept| self.introduced[*concept as usize].is_some()).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_known_pairs_without_an_edge_block() {
        let mut graph = ConceptGraph::new(6, 1.0);
        graph.accept(7, &[0, 1]).unwrap();
        graph.accept(9, &[2, 3]).unwrap();
        assert_eq!(graph.verdict(&[0, 1, 4, 5]), Verdict::Consistent);
        assert_eq!(graph.verdict(&[4, 0, 3, 1]), Verdict::Blocked { first: 0, second: 3 });
        assert_eq!(graph.conflicts(&[4, 0, 3, 1]), 2);
        assert_eq!((graph.introduced_by(0), graph.introduced_by(3), graph.introduced_by(4)), (Some(7), Some(9), None));
        graph.accept(11, &[0, 3]).unwrap();
        assert_eq!(graph.verdict(&[0, 3]), Verdict::Consistent);
        assert_eq!(graph.introduced_by(3), Some(9));
    }

    #[test]
    fn strictness_is_the_share_of_known_pairs_that_must_be_linked() {
        for (strictness, accepted) in [(0.0, true), (0.33, true), (1.0 / 3.0, true), (0.34, false), (1.0, false)] {
            let mut graph = ConceptGraph::new(4, strictness);
            graph.accept(0, &[0, 1]).unwrap();
            graph.accept(1, &[2]).unwrap();
            assert_eq!(graph.verdict(&[0, 1, 2, 3]) == Verdict::Consistent, accepted, "{strictness}");
        }
    }

    #[test]
    fn a_clique_beyond_the_limit_is_refused_before_it_is_made() {
        let many: Vec<u32> = (0..7000).collect();
        let mut graph = ConceptGraph::new(many.len(), 1.0);
        graph.accept(0, &many[..3]).unwrap();
        assert_eq!(graph.accept(1, &many), Err(Full));
        assert_eq!((graph.edges.len(), graph.introduced_by(3)), (3, None));
    }
}
