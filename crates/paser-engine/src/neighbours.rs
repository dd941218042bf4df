//! The samples most like one sample, by the vectors that the embed stage made. The vectors are read on first use and
//! stay in memory.

use std::sync::{Arc, atomic::AtomicBool};

use paser_manifold::nearest_rows;
use paser_protocol::{NeighbourView, TextRow};

use crate::{
    session::{Session, lock},
    stages::embed::{self, EmbedPlan, Vectors},
    trouble::{Outcome, Told, usage},
};

/// The vectors that were read last, by the key of their artefact.
#[derive(Default)]
pub(crate) struct LoadedVectors(Option<(String, Arc<Vectors>)>);

impl Session {
    /// The `count` samples with the largest cosine to the sample of `row`, nearest first; itself is none of them.
    ///
    /// # Errors
    /// A row beyond the pool; vectors that are not made yet, or not at hand and dear to make again; `cancelled` was set.
    pub fn neighbours(&self, row: u32, count: u32, cancelled: &AtomicBool) -> Outcome<Vec<NeighbourView>> {
        let nearest = self.nearest(row, count, cancelled)?;
        let rows: Vec<u32> = nearest.iter().map(|(row, _)| *row).collect();
        let view = |text: TextRow| {
            let (row, similarity) = nearest.iter().find(|(row, _)| *row == text.row)?;
            Some(NeighbourView {
                row: *row,
                id: text.id,
                similarity: *similarity as f32,
                instruction: text.instruction,
            })
        };
        Ok(self.texts(&rows)?.into_iter().filter_map(view).collect())
    }

    /// Rows of the same, without their texts.
    ///
    /// # Errors
    /// As [`Self::neighbours`].
    pub fn rows_near(&self, row: u32, count: u32, cancelled: &AtomicBool) -> Outcome<Vec<u32>> {
        Ok(self.nearest(row, count, cancelled)?.into_iter().map(|(row, _)| row).collect())
    }

    fn nearest(&self, row: u32, count: u32, cancelled: &AtomicBool) -> Outcome<Vec<(u32, f64)>> {
        if row as usize >= self.samples()?.len() {
            return Err(usage(format!("The pool has no row {row}."), ""));
        }
        let vectors = self.vectors(cancelled)?;
        Ok(nearest_rows(&vectors.values, vectors.dimensions, row, count as usize))
    }

    /// The vectors that the stage made last. A recorded project carries none: those of words are made again in a moment,
    /// an encoder's take a run.
    fn vectors(&self, cancelled: &AtomicBool) -> Outcome<Arc<Vectors>> {
        let not_made =
            || usage("The pool has no vectors yet, or other ones than the recipe asks for.", "Run the project.");
        let recorded = lock(&self.catalogue).stage(embed::STAGE).map_err(Told::told)?.ok_or_else(not_made)?;
        let mut held = lock(&self.vectors);
        if let Some((key, vectors)) = &held.0
            && *key == recorded.key
        {
            return Ok(vectors.clone());
        }
        let rows = self.samples()?.len();
        let vectors = match self.store.get(embed::STAGE, &recorded.key) {
            Ok(Some(mut found)) => Vectors::read(&mut found, rows)?,
            _ if !self.recipe().recipe.vectors.encoder.is_empty() => return Err(not_made()),
            _ => self.quietly(cancelled, |bench| {
                let plan = EmbedPlan::check(bench)?;
                if plan.inputs.key() == recorded.key { plan.vectors(bench) } else { Err(not_made()) }
            })?,
        };
        if vectors.values.len() != rows * vectors.dimensions {
            return Err(not_made());
        }
        let vectors = Arc::new(vectors);
        held.0 = Some((recorded.key, vectors.clone()));
        Ok(vectors)
    }
}
