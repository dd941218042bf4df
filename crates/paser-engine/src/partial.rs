//! What a scoring under way has found so far: enough for the damage of clusters, which a face shows as it grows. No
//! selection is made of it.

use std::sync::Arc;

use paser_project::Arrays;
use paser_select::Score;

use crate::session::Session;

/// Scores of finished shards. Only their damage is filled in.
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

    /// Adds a shard: `rows` and its columns, in the same order. One that lacks the damage adds nothing: the stage tells of
    /// it when it merges the shards.
    pub(crate) fn add(&mut self, rows: &[u32], columns: &Arrays) {
        let (Some(jsd), Some(rest)) = (columns.f32("jsd"), columns.f32("jsd_rest")) else { return };
        for ((row, jsd), rest) in rows.iter().zip(jsd).zip(rest) {
            self.rows[*row as usize] = Some(Score {
                jsd: f64::from(*jsd),
                jsd_rest: Some(f64::from(*rest)).filter(|rest| !rest.is_nan()),
                ies: f64::NAN,
                loss_dense: f64::NAN,
                loss_pruned: f64::NAN,
                sample_tokens: 0,
                prompt_tokens: 0,
                response_tokens: 0,
            });
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
