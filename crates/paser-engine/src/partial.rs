//! What a scoring under way has found so far: enough for the damage of clusters, which a face shows as it grows. No
//! selection is made of it.

use std::sync::Arc;

use paser_project::Arrays;
use paser_select::Score;

use crate::session::Session;

/// Scores of finished shards.
#[derive(Clone, Debug)]
pub(crate) struct Partial {
    /// Of the artefact that it will be.
    pub key: String,
    /// `[n]`, none where a sample has no score yet.
    pub rows: Vec<Option<Score>>,
    /// Rows that have one.
    pub scored: usize,
}

impl Partial {
    pub(crate) fn new(key: String, samples: usize) -> Self {
        Self { key, rows: vec![None; samples], scored: 0 }
    }

    /// Adds a shard: `rows` and its columns, in the same order.
    pub(crate) fn add(&mut self, rows: &[u32], columns: &Arrays) {
        let column = |name: &str| columns.f32(name).unwrap_or_default();
        let (jsd, rest, ies) = (column("jsd"), column("jsd_rest"), column("ies"));
        for (place, row) in rows.iter().enumerate() {
            let Some(&jsd) = jsd.get(place) else { continue };
            let score = Score {
                jsd: f64::from(jsd),
                jsd_rest: rest.get(place).map(|rest| f64::from(*rest)).filter(|rest| !rest.is_nan()),
                ies: ies.get(place).map_or(f64::NAN, |ies| f64::from(*ies)),
                loss_dense: f64::NAN,
                loss_pruned: f64::NAN,
                sample_tokens: 0,
                prompt_tokens: 0,
                response_tokens: 0,
            };
            self.rows[*row as usize] = Some(score);
            self.scored += 1;
        }
    }
}

impl Session {
    /// Shows what is known so far; false where whole scores are at hand: those stay until new ones are whole.
    pub(crate) fn show_partial(&self, partial: &Partial) -> bool {
        let shown = self.loaded().scores.is_none();
        if shown {
            self.with_loaded(|loaded| loaded.partial = Some(Arc::new(partial.clone())));
        }
        shown
    }
}
