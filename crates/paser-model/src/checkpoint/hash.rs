//! The identity of a model: what scores depend on, nothing else. Tokens ids, rope and sizes are in; file layout, key
//! style and the wording of assumptions are not.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::Shards;
use crate::{ModelError, ModelSpec};

/// Fed to the hash first; changes when the layout of what is hashed changes.
const VERSION: &str = "paser-model-1";

pub(crate) fn content_hash(spec: &ModelSpec, shards: &Shards) -> Result<String, ModelError> {
    let semantic = ModelSpec { assumed: Vec::new(), ..spec.clone() };
    let description = serde_json::to_string(&semantic)
        .map_err(|error| ModelError::Config { path: shards.dir().to_owned(), reason: error.to_string() })?;
    tensors_hash(&description, shards)
}

/// Hash of a description and all tensors; also used for the sentence encoder.
pub(crate) fn tensors_hash(description: &str, shards: &Shards) -> Result<String, ModelError> {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    field(VERSION.as_bytes());
    field(description.as_bytes());
    for (name, info) in shards.iter() {
        field(name.as_bytes());
        field(info.dtype.to_string().as_bytes());
        field(format!("{:?}", info.shape).as_bytes());
        field(shards.bytes(name)?);
    }
    Ok(hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
