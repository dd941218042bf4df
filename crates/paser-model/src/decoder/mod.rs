//! The scoring path of a decoder: token ids in, final hidden states and logits out, no graph, f32 on the CPU. A call
//! computes on its calling thread alone, so n threads calling one decoder use n cores and results do not depend on n.

mod batch;
mod block;
mod past;

use std::ops::Range;

use crate::checkpoint::Checkpoint;
use crate::infer::{EMBEDDING, FINAL_NORM, HEAD};
use crate::kernels::{self, RopeTable};
use crate::{ModelError, ModelSpec};

pub use batch::Batch;
use batch::Shared;
use block::Scratch;
pub use block::{Block, Observer, Site};
pub use past::Past;

/// A loaded model, shared freely between threads.
#[derive(Debug)]
pub struct Decoder {
    spec: ModelSpec,
    /// [vocab, hidden].
    embedding: Vec<f32>,
    blocks: Vec<Block>,
    final_norm: Vec<f32>,
    /// [vocab, hidden]; `None` when tied.
    head: Option<Vec<f32>>,
}

impl Decoder {
    /// Reads all weights as f32.
    ///
    /// # Errors
    /// Tensors with NaN or infinity and dtypes other than F32, F16 and BF16, named.
    pub fn load(checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        let spec = checkpoint.spec().clone();
        let blocks =
            (0..spec.layers.len()).map(|layer| Block::load(checkpoint, layer)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            embedding: checkpoint.values(EMBEDDING)?,
            blocks,
            final_norm: checkpoint.values(FINAL_NORM)?,
            head: if spec.tied { None } else { Some(checkpoint.values(HEAD)?) },
            spec,
        })
    }

    /// The layers, for those who add to their weights.
    pub(crate) fn blocks_mut(&mut self) -> &mut [Block] {
        &mut self.blocks
    }

    /// The model's description.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Final-norm hidden states of causal sequences without padding: row major [sum of lengths, hidden], sequences one
    /// after the other.
    ///
    /// # Errors
    /// A sequence longer than the context or with an id outside the vocabulary.
    pub fn hidden_rows(&self, sequences: &[&[u32]]) -> Result<Vec<f32>, ModelError> {
        let batch = Batch::new(&self.spec, sequences)?;
        self.forward(&batch, embed(&self.embedding, self.spec.hidden, sequences), &|| false)
    }

    /// The final-norm hidden states of the last positions of each sequence only: of sequence i the positions from
    /// `from[i]` on. Row major [rows, hidden], with the rows of each sequence. Beginnings that sequences share are
    /// computed once, and the last layer only where it is asked for; values are those of [`Self::hidden_rows`] up to
    /// rounding. `stop` is asked before every layer.
    ///
    /// # Errors
    /// As [`Self::hidden_rows`]; [`ModelError::Cancelled`] once `stop` says so.
    ///
    /// # Panics
    /// When `from` and `sequences` differ in length.
    pub fn hidden_tails(
        &self,
        sequences: &[&[u32]],
        from: &[usize],
        stop: &dyn Fn() -> bool,
    ) -> Result<(Vec<f32>, Vec<Range<usize>>), ModelError> {
        assert_eq!(sequences.len(), from.len(), "one start for each sequence");
        let Shared { batch, ids, places } = Batch::sharing(&self.spec, sequences, from)?;
        Ok((self.forward(&batch, embed(&self.embedding, self.spec.hidden, &[&ids]), stop)?, places))
    }

    /// Final-norm hidden states of the batch's wanted rows; `x` is the residual stream before the first layer.
    fn forward(&self, batch: &Batch, mut x: Vec<f32>, stop: &dyn Fn() -> bool) -> Result<Vec<f32>, ModelError> {
        let mut scratch = Scratch::default();
        let mut rope: Option<(usize, RopeTable)> = None;
        for (layer, block) in self.blocks.iter().enumerate() {
            if stop() {
                return Err(ModelError::Cancelled);
            }
            let width = block.spec().head_dim;
            let table = match rope.take() {
                Some((of, table)) if of == width => table,
                _ => RopeTable::new(&self.spec.rope, width, batch.longest()),
            };
            if layer + 1 == self.blocks.len() {
                x = block.run_wanted(batch, &table, &x, &mut scratch);
            } else {
                block.run(batch, &table, &mut x, &mut scratch, &mut |_, _| {});
            }
            rope = Some((width, table));
        }
        let mut out = vec![0.0; x.len()];
        kernels::rms_norm(&x, &self.final_norm, self.spec.norm_eps, &mut out);
        Ok(out)
    }

    /// Writes logits [n, vocab] of `hidden` [n, hidden], both row major.
    ///
    /// # Panics
    /// When the slices' lengths do not belong together.
    pub fn logits_rows(&self, hidden: &[f32], logits: &mut [f32]) {
        let head = self.head.as_deref().unwrap_or(&self.embedding);
        kernels::matmul_transposed(hidden, head, self.spec.hidden, logits);
    }
}

/// Embedding rows of all tokens, [sum of lengths, hidden]. Ids must be checked.
fn embed(table: &[f32], hidden: usize, sequences: &[&[u32]]) -> Vec<f32> {
    let tokens = sequences.iter().map(|ids| ids.len()).sum::<usize>();
    let mut rows = Vec::with_capacity(tokens * hidden);
    for &id in sequences.iter().copied().flatten() {
        rows.extend_from_slice(&table[id as usize * hidden..][..hidden]);
    }
    rows
}

/// The residual stream before the first layer, row major [batch.rows(), hidden]: for layer-by-layer passes with
/// [`Block`].
///
/// # Errors
/// As [`Batch::new`], and an embedding that cannot be read.
pub fn embedded_rows(checkpoint: &Checkpoint, sequences: &[&[u32]]) -> Result<Vec<f32>, ModelError> {
    Batch::new(checkpoint.spec(), sequences)?;
    Ok(embed(&checkpoint.values(EMBEDDING)?, checkpoint.spec().hidden, sequences))
}
