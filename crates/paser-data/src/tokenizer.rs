//! A model folder's tokenizer as this program uses it: never truncating, never padding, special tokens added in one
//! known way. Owns the identity of a tokenizer, by which two models are found to read text alike.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::DataError;

/// A tokenizer with its begin and end tokens.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    path: PathBuf,
    /// What the tokenizer itself puts before a text (`<s>` for LLaMA, nothing for Qwen).
    prefix: Vec<u32>,
    bos: Option<u32>,
    eos: u32,
    vocabulary: usize,
    hash: [u8; 32],
}

impl Tokenizer {
    /// Reads `tokenizer.json`; begin and end token come from `tokenizer_config.json`, else
    /// `special_tokens_map.json`, else `config.json`.
    pub fn from_model_dir(dir: &Path) -> Result<Self, DataError> {
        let path = dir.join("tokenizer.json");
        let fault = |what: String| DataError::Tokenizer { path: path.clone(), what };
        if !path.exists() && dir.join("tokenizer.model").exists() {
            return Err(fault(
                "is missing; the folder has only a SentencePiece tokenizer.model, which this version does not read: \
                 save the tokenizer as tokenizer.json with transformers"
                    .to_owned(),
            ));
        }
        let bytes = fs_err::read(&path)?;
        let mut inner = tokenizers::Tokenizer::from_bytes(&bytes)
            .map_err(|error| fault(format!("is not a tokenizer this program can read: {error}")))?;
        inner.with_truncation(None).map_err(|error| fault(error.to_string()))?;
        inner.with_padding(None);

        let bos = special_token(dir, "bos", &inner)?;
        let eos = special_token(dir, "eos", &inner)?.ok_or_else(|| {
            fault("no file of the folder names its end token: add eos_token to tokenizer_config.json".to_owned())
        })?;
        let prefix = added_before(&inner).map_err(|error| fault(error.to_string()))?;
        let largest = inner.get_vocab(true).into_values().max();
        let vocabulary = largest.map_or(0, |id| id as usize + 1);

        let canonical = inner.to_string(false).map_err(|error| fault(error.to_string()))?;
        let mut hasher = Sha256::new();
        hasher.update(canonical.as_bytes());
        hasher.update(format!("\x1f{bos:?}\x1f{eos}"));
        Ok(Self { inner, path, prefix, bos, eos, vocabulary, hash: hasher.finalize().into() })
    }

    /// The begin token, where the folder names one.
    pub fn bos_id(&self) -> Option<u32> {
        self.bos
    }

    pub fn eos_id(&self) -> u32 {
        self.eos
    }

    /// One more than the largest id: logits beyond it are padding.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// What two tokenizers have in common when they are one. Independent of formatting, truncation and padding settings
    /// of the file.
    pub fn hash_hex(&self) -> String {
        hex::encode(self.hash)
    }

    /// The id of every entry, special tokens included, in the order of the entries.
    pub(crate) fn entries(&self) -> BTreeMap<String, u32> {
        self.inner.get_vocab(true).into_iter().collect()
    }

    /// Begin and end token.
    pub(crate) fn ends(&self) -> (Option<u32>, u32) {
        (self.bos, self.eos)
    }

    /// Ids of a text with what the tokenizer adds around it.
    pub(crate) fn encode_whole(&self, text: &str) -> Result<Vec<u32>, DataError> {
        self.ids(text, true)
    }

    fn ids(&self, text: &str, special: bool) -> Result<Vec<u32>, DataError> {
        match self.inner.encode_fast(text, special) {
            Ok(encoding) => Ok(encoding.get_ids().to_vec()),
            Err(error) => {
                Err(DataError::Tokenizer { path: self.path.clone(), what: format!("cannot encode: {error}") })
            }
        }
    }

    /// What the tokenizer puts before a text of its own accord.
    pub fn prefix(&self) -> &[u32] {
        &self.prefix
    }

    /// Ids of a text without special tokens around it. Special tokens written in the text are recognised, as
    /// everywhere in this field.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        self.ids(text, false)
    }

    /// The text of ids, special tokens included.
    pub fn decode(&self, ids: &[u32]) -> Result<String, DataError> {
        self.inner
            .decode(ids, false)
            .map_err(|error| DataError::Tokenizer { path: self.path.clone(), what: format!("cannot decode: {error}") })
    }

    /// The piece that an id stands for, as the vocabulary spells it.
    pub fn piece(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }
}

/// The tokens that encoding with special tokens puts in front.
fn added_before(inner: &tokenizers::Tokenizer) -> tokenizers::Result<Vec<u32>> {
    let probe = "a";
    let plain = inner.encode_fast(probe, false)?;
    let full = inner.encode_fast(probe, true)?;
    let (plain, full) = (plain.get_ids(), full.get_ids());
    let start = full.windows(plain.len().max(1)).position(|window| window == plain).unwrap_or(0);
    Ok(full[..start].to_vec())
}

fn special_token(dir: &Path, which: &str, inner: &tokenizers::Tokenizer) -> Result<Option<u32>, DataError> {
    for file in ["tokenizer_config.json", "special_tokens_map.json"] {
        let Some(config) = json(&dir.join(file))? else { continue };
        let entry = &config[format!("{which}_token")];
        if let Some(token) = entry.as_str().or_else(|| entry["content"].as_str()) {
            return match inner.token_to_id(token) {
                Some(id) => Ok(Some(id)),
                None => Err(DataError::Tokenizer {
                    path: dir.join(file),
                    what: format!("{which}_token is {token:?}, which tokenizer.json does not know"),
                }),
            };
        }
    }
    let Some(config) = json(&dir.join("config.json"))? else { return Ok(None) };
    let entry = &config[format!("{which}_token_id")];
    // Several end tokens: the first closes a text.
    let number = entry.as_u64().or_else(|| entry[0].as_u64());
    Ok(number.and_then(|id| u32::try_from(id).ok()).filter(|id| inner.id_to_token(*id).is_some()))
}

fn json(path: &Path) -> Result<Option<Value>, DataError> {
    if !path.exists() {
        return Ok(None);
    }
    serde_json::from_slice(&fs_err::read(path)?)
        .map(Some)
        .map_err(|error| DataError::Tokenizer { path: path.to_owned(), what: format!("is not valid JSON: {error}") })
}
