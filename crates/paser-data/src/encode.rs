//! Samples become token ids with the lengths that scores and budgets count (method.md 2): prompt, response with its
//! end token, and the sample's own length without the template.

use std::sync::atomic::{AtomicU64, Ordering};

use paser_protocol::Monitor;
use rayon::prelude::*;

use crate::{DataError, Pool, Sample, Template, Tokenizer};

/// A sample as the models see it. `ids.len() == prompt_tokens + response_tokens`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    pub ids: Vec<u32>,
    /// Template and special tokens included.
    pub prompt_tokens: u32,
    /// At least 1; the end token included unless it was cut off.
    pub response_tokens: u32,
    /// |x|: tokens of instruction and input alone.
    pub sample_tokens: u32,
    /// The response was longer than the limit and lost its end.
    pub cut: bool,
}

/// A sample, or why it cannot be scored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoding {
    Scorable(Encoded),
    Unscorable(String),
}

/// Samples encoded before progress is told and a stop is looked for.
const CHUNK: usize = 128;

/// Encodes every sample of a pool, in pool order. `monitor` counts samples.
///
/// # Errors
/// A template that fails. A sample that the tokenizer refuses or that leaves no room for a response is unscorable,
/// not an error.
pub fn encode_pool(
    pool: &Pool,
    template: &Template,
    tokenizer: &Tokenizer,
    max_tokens: usize,
    monitor: &dyn Monitor,
) -> Result<Vec<Encoding>, DataError> {
    let total = pool.samples.len() as u64;
    let done = AtomicU64::new(0);
    let chunks: Vec<Vec<Encoding>> = pool
        .samples
        .par_chunks(CHUNK)
        .map(|chunk| {
            if monitor.cancelled() {
                return Err(DataError::Cancelled);
            }
            let encoded: Result<Vec<Encoding>, DataError> =
                chunk.iter().map(|sample| encode_sample(sample, template, tokenizer, max_tokens)).collect();
            let count = chunk.len() as u64;
            monitor.progress(done.fetch_add(count, Ordering::Relaxed) + count, total);
            encoded
        })
        .collect::<Result<_, _>>()?;
    Ok(chunks.into_iter().flatten().collect())
}

/// A prompt's ids behind the tokenizer's begin tokens, where neither the template nor the prompt itself brings them; with
/// room for `more`.
fn begun(template: &Template, tokenizer: &Tokenizer, prompt: Vec<u32>, more: usize) -> Vec<u32> {
    let prefix = tokenizer.prefix();
    let mut ids = Vec::with_capacity(prefix.len() + prompt.len() + more);
    let has_prefix = !prefix.is_empty() && prompt.starts_with(prefix);
    if !template.has_special_tokens() && !has_prefix {
        ids.extend_from_slice(prefix);
    }
    ids.extend_from_slice(&prompt);
    ids
}

/// Ids of what stands before a response without its question: begin tokens and [`Template::marker`]. May be empty.
///
/// # Errors
/// A template that takes no empty question; a tokenizer that refuses its words.
pub fn encode_marker(template: &Template, tokenizer: &Tokenizer) -> Result<Vec<u32>, DataError> {
    let marker = tokenizer.encode(&template.marker()?)?;
    Ok(begun(template, tokenizer, marker, 0))
}

/// Encodes one sample: encode(prompt) with the tokenizer's special tokens, encode(output) without, the end token.
/// A chat template writes its special tokens itself, so none are added to it.
pub fn encode_sample(
    sample: &Sample,
    template: &Template,
    tokenizer: &Tokenizer,
    max_tokens: usize,
) -> Result<Encoding, DataError> {
    let prompt_text = template.prompt(sample)?;
    let parts = tokenizer.encode(&prompt_text).and_then(|prompt| {
        Ok((prompt, tokenizer.encode(&sample.output)?, tokenizer.encode(&sample.question())?.len()))
    });
    let (prompt, response, sample_tokens) = match parts {
        Ok(parts) => parts,
        Err(error) => return Ok(Encoding::Unscorable(error.to_string())),
    };
    let mut ids = begun(template, tokenizer, prompt, response.len() + 1);
    let prompt_tokens = ids.len();
    if prompt_tokens >= max_tokens {
        return Ok(Encoding::Unscorable(format!(
            "the prompt has {prompt_tokens} tokens and the limit is {max_tokens}: no room for a response"
        )));
    }
    ids.extend_from_slice(&response);
    ids.push(tokenizer.eos_id());
    let cut = ids.len() > max_tokens;
    ids.truncate(max_tokens);
    Ok(Encoding::Scorable(Encoded {
        prompt_tokens: prompt_tokens as u32,
        response_tokens: (ids.len() - prompt_tokens) as u32,
        sample_tokens: sample_tokens as u32,
        cut,
        ids,
    }))
}
