//! What a model can do, and whether a difference is real: perplexity, multiple choice, generation, and paired statistics
//! (`method.md` 5).

pub mod stats;
