//! Texts to unit-length sentence vectors with a BERT-type encoder (all-MiniLM-L6-v2 and its kin): mean over all
//! tokens, both special tokens included, then length one (method.md 1, item 2).

mod bert;
mod tokens;

use std::cmp::Reverse;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use paser_protocol::{Monitor, Silent};
use rayon::prelude::*;
use serde_json::{Map, Value};

use crate::ModelError;
use crate::checkpoint::{Shards, tensors_hash};
use crate::config::read_object;
use bert::Bert;
use tokens::TextTokens;

/// Longest text in tokens, `[CLS]` and `[SEP]` included; the head of a longer one is kept.
const MAX_TOKENS: usize = 256;
/// Tokens that go through the layers together.
const BATCH_TOKENS: usize = 1_024;

/// A loaded encoder, shared freely between threads.
#[derive(Debug)]
pub struct SentenceEncoder {
    bert: Bert,
    tokens: TextTokens,
    hash: String,
}

impl SentenceEncoder {
    /// Opens a folder with `config.json`, safetensors, `tokenizer.json` and `1_Pooling/config.json`, as
    /// sentence-transformers writes it.
    ///
    /// # Errors
    /// Missing or damaged files; an architecture other than BERT; pooling other than the mean over tokens.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let config =
            read_object(dir, "config.json", "Give the folder of a sentence encoder such as all-MiniLM-L6-v2.")?;
        check_modules(dir)?;
        let shards = Shards::open(dir)?;
        let bert = Bert::load(dir, &config, &shards)?;
        let limit = MAX_TOKENS.min(bert.positions()).min(stated_limit(dir)?.unwrap_or(MAX_TOKENS));
        let tokens = TextTokens::load(dir, limit)?;
        let description =
            format!("{} mean pooling, unit length, {limit} tokens, tokenizer {}", bert.describe(), tokens.hash());
        let hash = tensors_hash(&description, &shards, &Silent)?;
        Ok(Self { bert, tokens, hash })
    }

    /// Width of a vector.
    pub fn dimensions(&self) -> usize {
        self.bert.hidden()
    }

    /// SHA-256 over weights, tokenizer and everything else that vectors depend on, in hexadecimal.
    pub fn content_hash(&self) -> &str {
        &self.hash
    }

    /// Vectors [texts, dimensions], row major, in the order of the texts. Uses the threads of the current rayon pool;
    /// the bytes do not depend on how many there are. Progress counts tokens.
    ///
    /// # Errors
    /// A text that the tokenizer refuses; [`ModelError::Cancelled`].
    pub fn encode(&self, texts: &[String], monitor: &dyn Monitor) -> Result<Vec<f32>, ModelError> {
        let ids = self.tokens.encode(texts, monitor)?;
        let total: u64 = ids.iter().map(|ids| ids.len() as u64).sum();
        let done = AtomicU64::new(0);
        monitor.progress(0, total);
        let computed = batches(&ids)
            .into_par_iter()
            .map(|batch| {
                let sequences: Vec<&[u32]> = batch.iter().map(|&text| ids[text].as_slice()).collect();
                let vectors = self.bert.encode(&sequences, &|| monitor.cancelled())?;
                let tokens: u64 = sequences.iter().map(|ids| ids.len() as u64).sum();
                monitor.progress(done.fetch_add(tokens, Ordering::Relaxed) + tokens, total);
                Ok((batch, vectors))
            })
            .collect::<Result<Vec<_>, ModelError>>()?;
        let width = self.dimensions();
        let mut out = vec![0.0; texts.len() * width];
        for (batch, vectors) in computed {
            for (text, vector) in batch.into_iter().zip(vectors.chunks_exact(width)) {
                out[text * width..(text + 1) * width].copy_from_slice(vector);
            }
        }
        Ok(out)
    }
}

/// Texts in batches of about [`BATCH_TOKENS`] tokens, longest first so that the last ones to finish are short.
fn batches(ids: &[Vec<u32>]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by_key(|&text| (Reverse(ids[text].len()), text));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut tokens = BATCH_TOKENS;
    for text in order {
        if tokens + ids[text].len() > BATCH_TOKENS {
            batches.push(Vec::new());
            tokens = 0;
        }
        tokens += ids[text].len();
        if let Some(batch) = batches.last_mut() {
            batch.push(text);
        }
    }
    batches
}

/// `max_seq_length` of sentence-transformers, where the folder states it.
fn stated_limit(dir: &Path) -> Result<Option<usize>, ModelError> {
    const FILE: &str = "sentence_bert_config.json";
    if !dir.join(FILE).is_file() {
        return Ok(None);
    }
    let limit = read_object(dir, FILE, "")?
        .get("max_seq_length")
        .and_then(Value::as_u64)
        .and_then(|limit| usize::try_from(limit).ok());
    match limit {
        Some(limit) if limit < 3 => Err(ModelError::Config {
            path: dir.join(FILE),
            reason: format!("max_seq_length is {limit}; at least 3 is expected"),
        }),
        limit => Ok(limit),
    }
}

/// Only a transformer, mean pooling and normalisation are computed. A folder that asks for more is refused, and so is
/// one that does not say how it pools: vectors of the wrong pooling look like any others.
fn check_modules(dir: &Path) -> Result<(), ModelError> {
    let unsupported = |file: &str, reason: String| Err(ModelError::Unsupported { path: dir.join(file), reason });
    let modules = dir.join("modules.json");
    let mut folder = "1_Pooling".to_owned();
    if modules.is_file() {
        let bytes = fs_err::read(&modules).map_err(ModelError::io(&modules))?;
        let list: Vec<Map<String, Value>> = serde_json::from_slice(&bytes)
            .map_err(|error| ModelError::Config { path: modules, reason: format!("not a list of modules: {error}") })?;
        for module in list {
            let text = |key: &str| module.get(key).and_then(Value::as_str).unwrap_or_default();
            let kind = text("type");
            match kind.rsplit('.').next().unwrap_or_default() {
                "Pooling" if !text("path").is_empty() => text("path").clone_into(&mut folder),
                "Transformer" | "Pooling" | "Normalize" => {}
                _ => {
                    return unsupported(
                        "modules.json",
                        format!("the module {kind} is not computed; encoders of a transformer and mean pooling are"),
                    );
                }
            }
        }
    }
    let file = format!("{folder}/config.json");
    let pooling = read_object(
        dir,
        &file,
        "It says how the vectors of tokens become one: take it and modules.json from the encoder's repository.",
    )?;
    let named = pooling.get("pooling_mode").and_then(Value::as_str).is_none_or(|mode| mode == "mean");
    let others = pooling.iter().any(|(key, value)| {
        key.starts_with("pooling_mode_") && key != "pooling_mode_mean_tokens" && value.as_bool() == Some(true)
    });
    let mean = pooling.get("pooling_mode_mean_tokens").and_then(Value::as_bool) != Some(false);
    if !named || others || !mean {
        return unsupported(&file, "pooling is not the mean over tokens, the only kind that is computed".to_owned());
    }
    Ok(())
}
