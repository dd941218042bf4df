//! What pruning did to the demo's model on a set of samples, for the demo's card: the scores of `paser-score`
//! (method.md 2).

use std::path::Path;

use anyhow::Result;
use paser_protocol::Silent;
use paser_score::{Item, SampleScore, ScoreParams, score};

use crate::evaluate::load;
use crate::tokens::{encode, read_tokenizer, sequence};

/// Scores of `(instruction, input, output)` rows, in their order.
pub fn damage(dense: &Path, pruned: &Path, rows: &[(&str, &str, &str)]) -> Result<Vec<SampleScore>> {
    let tokenizer = read_tokenizer(dense)?;
    let samples = rows
        .iter()
        .map(|(instruction, input, output)| {
            let text = if input.is_empty() { (*instruction).to_owned() } else { format!("{instruction}\n{input}") };
            Ok((sequence(&tokenizer, instruction, input, output)?, encode(&tokenizer, &text)?.len()))
        })
        .collect::<Result<Vec<_>>>()?;
    let items: Vec<Item<'_>> = (0..)
        .zip(&samples)
        .map(|(row, (sample, tokens))| Item {
            row,
            ids: &sample.ids,
            prompt_tokens: sample.prompt as u32,
            response_tokens: (sample.ids.len() - sample.prompt) as u32,
            sample_tokens: *tokens as u32,
        })
        .collect();
    let params = ScoreParams {
        threads: std::thread::available_parallelism()?.get(),
        vocabulary: tokenizer.get_vocab_size(true),
        ..ScoreParams::default()
    };
    Ok(score(&load(dense)?, &load(pruned)?, &items, &params, &Silent)?)
}
