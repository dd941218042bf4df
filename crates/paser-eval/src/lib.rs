//! What a model can do, and whether a difference is real: perplexity, multiple choice, generation, and paired statistics
//! (`method.md` 5).

mod error;
mod forced;
mod generate;
pub mod gsm8k;
mod harness;
mod match_items;
mod perplexity;
pub mod results;
mod subject;
pub mod tasks;
mod wikitext;

pub use error::EvalError;
pub use generate::{Ended, GenerateParams, Generation, generate};
pub use harness::{LogLikelihood, Profile, Request, Rolling, log_likelihoods, rolling_log_likelihoods};
pub use match_items::{AnswerItem, AnswerMatch, answer_match};
pub use perplexity::{Perplexity, PerplexityValue, Protocol, WindowSum, aggregate, perplexity};
pub use subject::{EvalParams, EvalTokenizer, Subject};
