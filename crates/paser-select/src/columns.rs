//! What a selection reads: one row per distinct sample of the pool, in pool order, as plain columns. Owns the
//! checks that make the rest free of surprises (equal lengths, ids in range, finite numbers).

use std::sync::Arc;

use paser_protocol::Damage;

use crate::column::Column;
use crate::error::SelectError;

/// The measured damage and cost of one sample (section 2 of the method).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Mean Jensen-Shannon divergence over the response tokens, nats, in [0, ln 2].
    pub jsd: f64,
    /// The same without the first response token; `None` where the response has one token.
    pub jsd_rest: Option<f64>,
    /// `jsd / ln((|x| + |y|)^2)`, nats per log token.
    pub ies: f64,
    /// Mean response loss of the dense model, nats a token.
    pub loss_dense: f64,
    /// Mean response loss of the pruned model, nats a token; its exponential is the response perplexity.
    pub loss_pruned: f64,
    /// Tokens of the sample without its template, |x| + |y|.
    pub sample_tokens: u32,
    /// Tokens of the prompt with its template.
    pub prompt_tokens: u32,
    /// Tokens of the response, end token included, after any cut.
    pub response_tokens: u32,
}

impl Score {
    /// The sample's damage in nats: whole, or after the first response token (`None` where there is only one).
    pub fn damage(&self, damage: Damage) -> Option<f64> {
        match damage {
            Damage::Whole => Some(self.jsd),
            Damage::AfterFirstToken => self.jsd_rest,
        }
    }

    /// Efficiency score under the chosen damage: `damage / ln((|x| + |y|)^2)`, with |x| + |y| at least 2.
    pub fn efficiency(&self, damage: Damage) -> Option<f64> {
        match damage {
            Damage::Whole => Some(self.ies),
            Damage::AfterFirstToken => {
                let cost = 2.0 * f64::from(self.sample_tokens.max(2)).ln();
                self.jsd_rest.map(|rest| rest / cost)
            }
        }
    }
}

/// The sentence vectors of a pool, `[n, dimensions]` row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors {
    pub values: Arc<[f32]>,
    pub dimensions: usize,
}

impl Vectors {
    /// The vector of a row.
    pub fn of(&self, row: u32) -> &[f32] {
        &self.values[row as usize * self.dimensions..][..self.dimensions]
    }
}

/// The pool as columns: row `i` of every vector is the same distinct sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolColumns {
    /// Ids of the samples, as in the pool.
    pub ids: Column<String>,
    /// SHA-256 of (instruction, input, output): decides every tie, so that the order of the pool does not matter.
    pub hashes: Column<[u8; 32]>,
    /// Capability cluster of each sample, below `cluster_names.len()`.
    pub clusters: Column<u32>,
    /// Name of each cluster; its length is the number of clusters.
    pub cluster_names: Vec<String>,
    /// True for samples kept for evaluation: they are in no statistic and no selection.
    pub held_out: Column<bool>,
    /// `None` marks an unscorable sample (its prompt leaves no room for a response token).
    pub scores: Column<Option<Score>>,
    /// Prompt and response tokens as trained (template and cut included). Of an unscorable sample: what the trainer
    /// would still be fed.
    pub trained_tokens: Column<u32>,
    /// Concepts of each sample, best first, as indices into `concept_names`. May be empty where no strategy
    /// in use asks for concepts.
    pub concepts: Column<Vec<u32>>,
    /// Text of each concept.
    pub concept_names: Column<String>,
    /// k-means labels on the same vectors, for `paser-no-s2ric`; below `cluster_names.len()`, as there are as many of
    /// these clusters.
    pub alternative_clusters: Option<Vec<u32>>,
    /// Sentence vectors, for `kcenter`.
    pub vectors: Option<Vectors>,
    /// Distance of each sample to its sixth neighbour among the vectors, for `instruction-mining`; any value for
    /// samples that are held out.
    pub neighbour_distances: Option<Vec<f32>>,
    /// What the pass of `ifd`, `superfiltering` or `nuggets` measured.
    pub pass: Option<PassColumn>,
}

/// A number per sample from a pass of its own: instruction-following difficulty, or golden score.
#[derive(Clone, Debug, PartialEq)]
pub struct PassColumn {
    /// `[n]`, NaN where the pass gave none.
    pub values: Vec<f32>,
    /// `[n]`, decides between equal values, the higher first; NaN where there is none.
    pub ties: Vec<f32>,
}

impl PoolColumns {
    /// Number of distinct samples, held-out ones included.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// True for a pool without samples.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Distinct samples after hold-out, unscorable ones included: what a percentage is taken of.
    pub fn selectable_samples(&self) -> u64 {
        self.held_out.iter().filter(|held_out| !**held_out).count() as u64
    }

    /// Fails on columns of unequal length, on labels and concepts out of range and on numbers that are not finite.
    pub fn check(&self) -> Result<(), SelectError> {
        let rows = self.len();
        let lengths = [
            ("hashes", self.hashes.len()),
            ("clusters", self.clusters.len()),
            ("held_out", self.held_out.len()),
            ("scores", self.scores.len()),
            ("trained_tokens", self.trained_tokens.len()),
        ];
        let concepts = (!self.concepts.is_empty()).then_some(("concepts", self.concepts.len()));
        let alternative = self.alternative_clusters.as_ref().map(|labels| ("alternative_clusters", labels.len()));
        let distances = self.neighbour_distances.as_ref().map(|distances| ("neighbour_distances", distances.len()));
        let pass = self.pass.iter().flat_map(|pass| [("pass", pass.values.len()), ("pass ties", pass.ties.len())]);
        for (column, length) in lengths.into_iter().chain(concepts).chain(alternative).chain(distances).chain(pass) {
            if length != rows {
                return Err(SelectError::ColumnLength { column, length, rows });
            }
        }
        if let Some(Vectors { values, dimensions }) = &self.vectors
            && values.len() != rows * dimensions
        {
            let length = values.len().checked_div(*dimensions).unwrap_or(0);
            return Err(SelectError::ColumnLength { column: "vectors", length, rows });
        }
        let open = |row: &usize| !self.held_out[*row];
        let bad = |column: &'static str, row: usize, value: f32| {
            Err(SelectError::BadNumber { column, value: f64::from(value), id: self.ids[row].clone() })
        };
        for row in (0..rows).filter(open) {
            let vector = self.vectors.iter().flat_map(|vectors| vectors.of(row as u32));
            if let Some(value) = vector.copied().find(|value| !value.is_finite()) {
                return bad("vectors", row, value);
            }
            let distance = self.neighbour_distances.as_ref().map(|distances| distances[row]);
            if let Some(value) = distance.filter(|value| !value.is_finite()) {
                return bad("neighbour_distances", row, value);
            }
            let value = self.pass.as_ref().map_or(0.0, |pass| pass.values[row]);
            if value.is_infinite() || value < 0.0 {
                return bad("pass", row, value);
            }
        }
        let clusters = self.cluster_names.len();
        for labels in [Some(self.clusters.as_slice()), self.alternative_clusters.as_deref()].into_iter().flatten() {
            if let Some(row) = labels.iter().position(|cluster| *cluster as usize >= clusters) {
                return Err(SelectError::NoSuchCluster { cluster: labels[row], clusters, id: self.ids[row].clone() });
            }
        }
        for (row, concepts) in self.concepts.iter().enumerate() {
            if let Some(&concept) = concepts.iter().find(|concept| **concept as usize >= self.concept_names.len()) {
                return Err(SelectError::NoSuchConcept {
                    concept,
                    concepts: self.concept_names.len(),
                    id: self.ids[row].clone(),
                });
            }
        }
        for (row, score) in self.scores.iter().enumerate() {
            let Some(score) = score else { continue };
            let numbers = [
                ("jsd", score.jsd),
                ("jsd_rest", score.jsd_rest.unwrap_or(0.0)),
                ("ies", score.ies),
                ("loss_dense", score.loss_dense),
                ("loss_pruned", score.loss_pruned),
            ];
            for (column, value) in numbers {
                if !value.is_finite() || (column.starts_with("jsd") && value < 0.0) {
                    return Err(SelectError::BadNumber { column, value, id: self.ids[row].clone() });
                }
            }
            if self.trained_tokens[row] == 0 || score.response_tokens == 0 {
                return Err(SelectError::NoTokens { id: self.ids[row].clone() });
            }
        }
        Ok(())
    }
}
