//! Calibration for Wanda: norms of the inputs of every projection, layer by layer. A layer sees what the already
//! pruned layers before it give, and its own inputs are measured with its dense weights.

use paser_model::{Batch, Block, Checkpoint, ModelSpec, Projection, Site, embedded_rows};
use paser_protocol::Monitor;
use rayon::prelude::*;

use crate::PruneError;

/// Tokens of one piece of work. Fixed, so that sums do not depend on the number of threads.
const BATCH_TOKENS: usize = 1_024;

/// The calibration text on its way through the layers.
pub(crate) struct Calibration<'a> {
    model: &'a ModelSpec,
    pieces: Vec<Piece>,
    /// Tokens of all pieces.
    pub tokens: u64,
}

/// Some sequences with their residual stream.
struct Piece {
    batch: Batch,
    rows: Vec<f32>,
}

/// Per input column the 2-norm over all calibration tokens, for each [`Site`] of a layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InputNorms {
    sites: [Vec<f64>; 4],
}

fn index(site: Site) -> usize {
    match site {
        Site::Attention => 0,
        Site::Heads => 1,
        Site::FeedForward => 2,
        Site::Activations => 3,
    }
}

impl InputNorms {
    /// Norms of a projection's inputs.
    pub(crate) fn of(&self, projection: Projection) -> &[f64] {
        &self.sites[index(Site::of(projection))]
    }
}

impl<'a> Calibration<'a> {
    /// Looks up the embeddings of all sequences.
    pub(crate) fn new(checkpoint: &'a Checkpoint, sequences: &[Vec<u32>]) -> Result<Self, PruneError> {
        let model = checkpoint.spec();
        let all: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).filter(|ids| !ids.is_empty()).collect();
        if all.is_empty() {
            return Err(PruneError::NoCalibration);
        }
        // Embedding everything at once reads the table once.
        let mut rows = embedded_rows(checkpoint, &all)?;
        let tokens = rows.len() / model.hidden;
        let mut pieces: Vec<Piece> = Vec::new();
        for group in groups(&all) {
            let batch = Batch::new(model, group)?;
            let rest = rows.split_off(batch.rows() * model.hidden);
            pieces.push(Piece { batch, rows: std::mem::replace(&mut rows, rest) });
        }
        Ok(Self { model, pieces, tokens: tokens as u64 })
    }

    /// Measures the inputs of a layer's projections; the stream stays where it is.
    pub(crate) fn measure(
        &self,
        block: &Block,
        monitor: &dyn Monitor,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<InputNorms, PruneError> {
        let sums = self
            .pieces
            .par_iter()
            .map(|piece| {
                if monitor.cancelled() {
                    return Err(PruneError::Cancelled);
                }
                let spec = block.spec();
                let widths = [self.model.hidden, spec.heads * spec.head_dim, self.model.hidden, spec.ffn];
                let mut squares = widths.map(|width| vec![0.0_f64; width]);
                let mut rows = piece.rows.clone();
                block.forward(self.model, &piece.batch, &mut rows, &mut |site, inputs| {
                    add_squares(inputs, &mut squares[index(site)]);
                });
                progress(piece.batch.rows() as u64);
                Ok(squares)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut sites: [Vec<f64>; 4] = Default::default();
        for (site, norms) in sites.iter_mut().enumerate() {
            *norms = sums.first().map(|first| vec![0.0; first[site].len()]).unwrap_or_default();
            for piece in &sums {
                for (norm, square) in norms.iter_mut().zip(&piece[site]) {
                    *norm += square;
                }
            }
            for norm in norms {
                *norm = norm.sqrt();
            }
        }
        Ok(InputNorms { sites })
    }

    /// Sends the stream through the (now pruned) layer.
    pub(crate) fn advance(
        &mut self,
        block: &Block,
        monitor: &dyn Monitor,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(), PruneError> {
        let model = self.model;
        self.pieces.par_iter_mut().try_for_each(|piece| {
            if monitor.cancelled() {
                return Err(PruneError::Cancelled);
            }
            block.forward(model, &piece.batch, &mut piece.rows, &mut |_, _| {});
            progress(piece.batch.rows() as u64);
            Ok(())
        })
    }
}

/// Runs of neighbouring sequences with about [`BATCH_TOKENS`] tokens.
fn groups<'s, 'i>(sequences: &'s [&'i [u32]]) -> Vec<&'s [&'i [u32]]> {
    let mut groups = Vec::new();
    let (mut first, mut tokens) = (0, 0);
    for (number, ids) in sequences.iter().enumerate() {
        if number > first && tokens + ids.len() > BATCH_TOKENS {
            groups.push(&sequences[first..number]);
            (first, tokens) = (number, 0);
        }
        tokens += ids.len();
    }
    groups.push(&sequences[first..]);
    groups
}

fn add_squares(rows: &[f32], sums: &mut [f64]) {
    for row in rows.chunks_exact(sums.len()) {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum += f64::from(value) * f64::from(value);
        }
    }
}
