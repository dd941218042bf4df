//! Token ids of texts. Published tokenizer files carry their own truncation and padding (MiniLM's pads to 128); both
//! are overridden: cut at the encoder's limit, never padded.

use std::path::Path;

use paser_protocol::Monitor;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use tokenizers::{PostProcessor, Tokenizer, TruncationParams};

use crate::ModelError;

/// Texts tokenised between two looks at the monitor.
const CHUNK: usize = 512;

#[derive(Debug)]
pub(super) struct TextTokens {
    tokenizer: Tokenizer,
    path: std::path::PathBuf,
    hash: String,
}

impl TextTokens {
    pub(super) fn load(dir: &Path, limit: usize) -> Result<Self, ModelError> {
        let path = dir.join("tokenizer.json");
        if !path.is_file() {
            return Err(ModelError::MissingFile {
                dir: dir.to_owned(),
                file: "tokenizer.json".to_owned(),
                advice: "Take it from the encoder's repository.".to_owned(),
            });
        }
        let bytes = fs_err::read(&path).map_err(ModelError::io(&path))?;
        let broken = |error: tokenizers::Error| ModelError::Tokenizer { path: path.clone(), reason: error.to_string() };
        let mut tokenizer = Tokenizer::from_bytes(&bytes).map_err(broken)?;
        tokenizer.with_padding(None);
        // The library subtracts the one from the other unchecked.
        let added = tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
        if added >= limit {
            return Err(ModelError::Tokenizer {
                path,
                reason: format!("it adds {added} tokens to a text of which the encoder takes {limit} tokens in all"),
            });
        }
        tokenizer
            .with_truncation(Some(TruncationParams { max_length: limit, ..TruncationParams::default() }))
            .map_err(broken)?;
        let hash = hex::encode(Sha256::digest(&bytes));
        Ok(Self { tokenizer, path, hash })
    }

    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    pub(super) fn encode(&self, texts: &[String], monitor: &dyn Monitor) -> Result<Vec<Vec<u32>>, ModelError> {
        let chunks = texts
            .par_chunks(CHUNK)
            .map(|texts| {
                if monitor.cancelled() {
                    return Err(ModelError::Cancelled);
                }
                texts.iter().map(|text| self.one(text)).collect::<Result<Vec<_>, _>>()
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(chunks.into_iter().flatten().collect())
    }

    fn one(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let encoding = self.tokenizer.encode_fast(text, true).map_err(|error| {
            let start: String = text.chars().take(40).collect();
            ModelError::Tokenizer {
                path: self.path.clone(),
                reason: format!("the text starting {start:?} cannot be tokenised: {error}"),
            }
        })?;
        Ok(encoding.get_ids().to_vec())
    }
}
