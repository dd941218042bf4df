//! Do two models read text alike? Their divergence is defined only then (method.md 2). Owns the one rule, which every
//! face asks, and the words for what differs.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::{DataError, Tokenizer};

/// Letters, digits, code, white space, other scripts, combining marks, emoji and an end-of-text look-alike.
const PROBE: &str = "The quick brown fox's 3.14159 jumps -- \"over\"  12345678 lazy dogs!\n\n\tdef f(x):\n        return x**2 # ok\r\n\
    naïve café e\u{301} Übergröße; Привет, мир; 你好，世界; こんにちは; مرحبا; नमस्ते; 😀👩‍👩‍👧 <s> </s> <|endoftext|> [INST] {\"a\": [1, 2]} https://example.org/?q=1&r=2";

/// How far the tokenizers of two models agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenizerAgreement {
    /// See [`read_alike`].
    pub agree: bool,
    /// Every entry has the same id in both.
    pub same_vocabulary: bool,
    /// A probe text of many scripts is cut into the same ids.
    pub same_ids: bool,
    /// Entries of each, special tokens included; 0 for a model without `tokenizer.json`.
    pub entries: (usize, usize),
    /// What differs first, in words.
    pub difference: Option<String>,
}

impl TokenizerAgreement {
    /// Nothing can be said, for this reason.
    pub fn unknown(reason: String) -> Self {
        Self { agree: false, same_vocabulary: false, same_ids: false, entries: (0, 0), difference: Some(reason) }
    }

    /// What differs first, for a sentence that says that the two do not agree.
    pub fn reason(&self) -> &str {
        self.difference.as_deref().unwrap_or("their tokenizers differ")
    }
}

/// The rule, on the hashes of two tokenizers ([`Tokenizer::hash_hex`]): they are equal, or the second model, a copy of
/// the first, brought no tokenizer along.
pub fn read_alike(first: &str, second: Option<&str>) -> bool {
    second.is_none_or(|second| second == first)
}

/// Compares the tokenizers of two model folders, by [`read_alike`].
///
/// # Errors
/// A `tokenizer.json` that cannot be read or names no end token.
pub fn tokenizer_agreement(first: &Path, second: &Path) -> Result<TokenizerAgreement, DataError> {
    let open = |dir: &Path| dir.join("tokenizer.json").is_file().then(|| Tokenizer::from_model_dir(dir)).transpose();
    let (first, second) = (open(first)?, open(second)?);
    let count = |tokenizer: &Option<Tokenizer>| tokenizer.as_ref().map_or(0, |tokenizer| tokenizer.entries().len());
    let entries = (count(&first), count(&second));
    let (Some(first), Some(second)) = (&first, &second) else {
        let difference = match (&first, &second) {
            (None, None) => "neither model has a tokenizer.json",
            (None, Some(_)) => "the first model has no tokenizer.json",
            _ => "the second model has no tokenizer.json and is taken to read as the first does",
        };
        let agree = first.as_ref().is_some_and(|first| read_alike(&first.hash_hex(), None));
        return Ok(TokenizerAgreement { agree, entries, ..TokenizerAgreement::unknown(difference.to_owned()) });
    };
    let vocabulary = vocabulary_difference(&first.entries(), &second.entries());
    let ids = ids_difference(&first.encode_whole(PROBE)?, &second.encode_whole(PROBE)?);
    let agree = read_alike(&first.hash_hex(), Some(&second.hash_hex()));
    let (same_vocabulary, same_ids) = (vocabulary.is_none(), ids.is_none());
    let difference = vocabulary.or(ids).or_else(|| {
        (!agree).then(|| match (first.ends(), second.ends()) {
            (ours, theirs) if ours == theirs => "their entries agree, but not the rest of tokenizer.json".to_owned(),
            ((begin, end), (other_begin, other_end)) => format!(
                "the begin and end tokens are {} and {end} in the first, {} and {other_end} in the second",
                id_or_none(begin),
                id_or_none(other_begin)
            ),
        })
    });
    Ok(TokenizerAgreement { agree, same_vocabulary, same_ids, entries, difference })
}

fn id_or_none(id: Option<u32>) -> String {
    id.map_or_else(|| "none".to_owned(), |id| id.to_string())
}

fn ids_difference(left: &[u32], right: &[u32]) -> Option<String> {
    (left != right).then(|| {
        let at = left.iter().zip(right).take_while(|(a, b)| a == b).count();
        format!("the probe text is cut differently from token {at} on ({} and {} tokens)", left.len(), right.len())
    })
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
