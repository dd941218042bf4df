//! Do two tokenizers give the same ids? Divergence of two models is defined only then (method.md 2).

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tokenizers::Tokenizer;

use crate::ModelError;

/// Letters, digits, code, white space, other scripts, combining marks, emoji and an end-of-text look-alike.
const PROBE: &str = "The quick brown fox's 3.14159 jumps -- \"over\"  12345678 lazy dogs!\n\n\tdef f(x):\n        return x**2 # ok\r\n\
    naïve café e\u{301} Übergröße; Привет, мир; 你好，世界; こんにちは; مرحبا; नमस्ते; 😀👩‍👩‍👧 <s> </s> <|endoftext|> [INST] {\"a\": [1, 2]} https://example.org/?q=1&r=2";

/// How far two tokenizers agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenizerAgreement {
    /// Same vocabulary and same ids on the probe.
    pub agree: bool,
    /// The files are equal byte for byte.
    pub same_file: bool,
    /// Every entry has the same id in both.
    pub same_vocabulary: bool,
    /// A probe text of many scripts is cut into the same ids.
    pub same_ids: bool,
    /// Entries of each, special tokens included; 0 for a checkpoint without `tokenizer.json`.
    pub entries: (usize, usize),
    /// What differs first, in words.
    pub difference: Option<String>,
}

/// Compares two `tokenizer.json` files; `None` stands for a checkpoint that has none.
///
/// # Errors
/// A file that cannot be read as a tokenizer.
pub fn tokenizer_agreement(first: Option<&Path>, second: Option<&Path>) -> Result<TokenizerAgreement, ModelError> {
    let (Some(first), Some(second)) = (first, second) else {
        let missing = match (first, second) {
            (None, None) => "neither model has a tokenizer.json",
            (None, Some(_)) => "the first model has no tokenizer.json",
            _ => "the second model has no tokenizer.json",
        };
        return Ok(TokenizerAgreement {
            agree: false,
            same_file: false,
            same_vocabulary: false,
            same_ids: false,
            entries: (0, 0),
            difference: Some(missing.to_owned()),
        });
    };
    let (left, left_bytes) = open(first)?;
    let (right, right_bytes) = open(second)?;
    let (left_words, right_words) = (vocabulary(&left), vocabulary(&right));
    let vocabulary_difference = vocabulary_difference(&left_words, &right_words);
    let left_ids = ids(&left, first)?;
    let right_ids = ids(&right, second)?;
    let same_ids = left_ids == right_ids;
    let ids_difference = (!same_ids).then(|| {
        let at = left_ids.iter().zip(&right_ids).take_while(|(a, b)| a == b).count();
        format!(
            "the probe text is cut differently from token {at} on ({} and {} tokens)",
            left_ids.len(),
            right_ids.len()
        )
    });
    let same_vocabulary = vocabulary_difference.is_none();
    Ok(TokenizerAgreement {
        agree: same_vocabulary && same_ids,
        same_file: left_bytes == right_bytes,
        same_vocabulary,
        same_ids,
        entries: (left_words.len(), right_words.len()),
        difference: vocabulary_difference.or(ids_difference),
    })
}

fn open(path: &Path) -> Result<(Tokenizer, Vec<u8>), ModelError> {
    let bytes = fs_err::read(path).map_err(ModelError::io(path))?;
    let mut tokenizer = Tokenizer::from_bytes(&bytes).map_err(|error| ModelError::Tokenizer {
        path: path.to_owned(),
        reason: format!("not a tokenizer: {error}"),
    })?;
    tokenizer.with_padding(None);
    tokenizer
        .with_truncation(None)
        .map_err(|error| ModelError::Tokenizer { path: path.to_owned(), reason: error.to_string() })?;
    Ok((tokenizer, bytes))
}

fn vocabulary(tokenizer: &Tokenizer) -> BTreeMap<String, u32> {
    tokenizer.get_vocab(true).into_iter().collect()
}

fn ids(tokenizer: &Tokenizer, path: &Path) -> Result<Vec<u32>, ModelError> {
    let encoding = tokenizer.encode_fast(PROBE, true).map_err(|error| ModelError::Tokenizer {
        path: path.to_owned(),
        reason: format!("the probe text cannot be tokenised: {error}"),
    })?;
    Ok(encoding.get_ids().to_vec())
}

fn vocabulary_difference(left: &BTreeMap<String, u32>, right: &BTreeMap<String, u32>) -> Option<String> {
    let other = left.iter().find(|(word, id)| right.get(*word) != Some(*id));
    if let Some((word, id)) = other {
        return Some(match right.get(word) {
            Some(there) => format!("{word:?} has id {id} in the first and {there} in the second"),
            None => format!("{word:?} (id {id}) is only in the first"),
        });
    }
    right
        .iter()
        .find(|(word, _)| !left.contains_key(*word))
        .map(|(word, id)| format!("{word:?} (id {id}) is only in the second"))
}
