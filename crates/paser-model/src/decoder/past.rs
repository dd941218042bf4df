//! Reading on: what a sequence's earlier tokens left in every layer stays, so that one more token costs one row and not
//! the whole sequence again.

use std::collections::BTreeMap;

use super::block::Scratch;
use super::{Decoder, embed};
use crate::kernels::{self, RopeTable};
use crate::{Batch, ModelError};

/// What one sequence has left in a decoder so far.
#[derive(Debug)]
pub struct Past {
    tokens: usize,
    most: usize,
    /// Packed queries, keys and values of each layer, [tokens, width]: the form that attention reads.
    layers: Vec<Vec<f32>>,
    /// By width of a head.
    ropes: BTreeMap<usize, RopeTable>,
}

impl Past {
    /// Tokens read so far.
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}

impl Decoder {
    /// The past of a sequence of at most `most` tokens, of which none is read yet.
    pub fn past(&self, most: usize) -> Past {
        let most = most.min(self.spec.context);
        let widths = self.blocks.iter().map(|block| block.spec().head_dim);
        Past {
            tokens: 0,
            most,
            layers: vec![Vec::new(); self.blocks.len()],
            ropes: widths.map(|width| (width, RopeTable::new(&self.spec.rope, width, most))).collect(),
        }
    }

    /// Reads the next tokens of a sequence. The final-norm hidden state of the last of them, `[hidden]`, is that of
    /// [`Self::hidden_rows`] over the whole sequence up to rounding. `stop` is asked before every layer; a past that was
    /// stopped, or whose tokens were refused, is as it was before.
    ///
    /// # Errors
    /// More tokens than the past or the context holds, an id outside the vocabulary; [`ModelError::Cancelled`] once `stop`
    /// says so.
    ///
    /// # Panics
    /// Without a token.
    pub fn read_on(&self, past: &mut Past, ids: &[u32], stop: &dyn Fn() -> bool) -> Result<Vec<f32>, ModelError> {
        assert!(!ids.is_empty(), "at least one token");
        let (before, after) = (past.tokens, past.tokens + ids.len());
        if after > past.most {
            return Err(ModelError::TooLong { sequence: 0, length: after, context: past.most });
        }
        Batch::new(&self.spec, &[ids])?;
        let hidden = self.spec.hidden;
        let mut x = embed(&self.embedding, hidden, &[ids]);
        let mut scratch = Scratch::default();
        for (block, rows) in self.blocks.iter().zip(&mut past.layers) {
            if stop() {
                return Err(ModelError::Cancelled);
            }
            block.run_on(&past.ropes[&block.spec().head_dim], &mut x, before, rows, &mut scratch);
        }
        past.tokens = after;
        let mut out = vec![0.0; hidden];
        kernels::rms_norm(&x[x.len() - hidden..], &self.final_norm, self.spec.norm_eps, &mut out);
        Ok(out)
    }
}
