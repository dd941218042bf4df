//! Reading on: what a sequence's earlier tokens left in every layer stays, so that one more token costs one row and not
//! the whole sequence again. Several sequences step together: the matrix products then read the weights once for all.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::block::{Continued, Scratch};
use super::{Decoder, embed};
use crate::kernels::{self, RopeTable};
use crate::{Batch, ModelError};

/// What one sequence has left in a decoder so far. A clone goes on by itself: sequences with one beginning read it once.
#[derive(Debug, Clone)]
pub struct Past {
    tokens: usize,
    most: usize,
    /// Packed queries, keys and values of each layer, [tokens, width]: the form that attention reads.
    layers: Vec<Vec<f32>>,
    /// By width of a head.
    ropes: Arc<BTreeMap<usize, RopeTable>>,
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
            ropes: Arc::new(widths.map(|width| (width, RopeTable::new(&self.spec.rope, width, most))).collect()),
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
        self.read_on_together(&mut [past], &[ids], stop)
    }

    /// The same for several sequences at once, `ids[i]` being the next tokens of `pasts[i]`: row major [pasts, hidden].
    ///
    /// # Errors
    /// As [`Self::read_on`], naming the sequence; then every past is as it was before.
    ///
    /// # Panics
    /// When a sequence has no token, or when `pasts` and `ids` differ in length.
    pub fn read_on_together(
        &self,
        pasts: &mut [&mut Past],
        ids: &[&[u32]],
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<f32>, ModelError> {
        assert_eq!(pasts.len(), ids.len(), "tokens for each past");
        assert!(ids.iter().all(|ids| !ids.is_empty()), "at least one token");
        for (sequence, (past, ids)) in pasts.iter().zip(ids).enumerate() {
            let length = past.tokens + ids.len();
            if length > past.most {
                return Err(ModelError::TooLong { sequence, length, context: past.most });
            }
        }
        Batch::new(&self.spec, ids)?;
        let hidden = self.spec.hidden;
        let mut x = embed(&self.embedding, hidden, ids);
        let mut scratch = Scratch::default();
        for (layer, block) in self.blocks.iter().enumerate() {
            if stop() {
                return Err(ModelError::Cancelled);
            }
            let width = block.spec().head_dim;
            let mut continued: Vec<Continued<'_>> = (pasts.iter_mut().zip(ids))
                .map(|(past, ids)| Continued {
                    rope: &past.ropes[&width],
                    before: past.tokens,
                    rows: ids.len(),
                    past: &mut past.layers[layer],
                })
                .collect();
            block.run_on(&mut continued, &mut x, &mut scratch);
        }
        let mut last = Vec::with_capacity(pasts.len() * hidden);
        let mut rows = 0;
        for (past, ids) in pasts.iter_mut().zip(ids) {
            past.tokens += ids.len();
            rows += ids.len();
            last.extend_from_slice(&x[(rows - 1) * hidden..rows * hidden]);
        }
        let mut out = vec![0.0; last.len()];
        kernels::rms_norm(&last, &self.final_norm, self.spec.norm_eps, &mut out);
        Ok(out)
    }
}
