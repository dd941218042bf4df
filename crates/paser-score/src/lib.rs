//! Scores a pool: one teacher-forced pass of the dense and the pruned model over every sample, reduced at once to a
//! row of numbers per sample (Jensen-Shannon divergence and its by-products, method.md section 2).
//! Owns batching, the pass, the divergence kernel and the per-sample columns; models come from `paser-model`.

mod batches;
mod columns;
mod jsd;
mod losses;
mod pass;
mod temperatures;
mod tokens;

pub use batches::{Batch, plan};
pub use columns::SampleScore;
pub use jsd::{Kernel, Measures};
pub use losses::{Span, losses, losses_behind};
pub use pass::{Item, Logits, ScoreError, ScoreParams, in_batches, score};
pub use temperatures::{Divergence, divergences};
pub use tokens::{Candidate, TokenScore, score_tokens};
