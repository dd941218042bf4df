//! The identity of a model: what scores depend on, nothing else. Tokens ids, rope and sizes are in; file layout, key
//! style and the wording of assumptions are not.

use paser_protocol::Monitor;
use sha2::{Digest, Sha256};

use super::Shards;
use crate::{ModelError, ModelSpec};

/// Fed to the hash first; changes when the layout of what is hashed changes.
const VERSION: &str = "paser-model-1";
/// Bytes between two looks at the monitor.
const STEP: usize = 16 << 20;

pub(crate) fn content_hash(spec: &ModelSpec, shards: &Shards, monitor: &dyn Monitor) -> Result<String, ModelError> {
    let semantic = ModelSpec { assumed: Vec::new(), ..spec.clone() };
    let description = serde_json::to_string(&semantic)
        .map_err(|error| ModelError::Config { path: shards.dir().to_owned(), reason: error.to_string() })?;
    tensors_hash(&description, shards, monitor)
}

/// Hash of a description and all tensors; also used for the sentence encoder. `monitor` counts the tensors' bytes.
pub(crate) fn tensors_hash(description: &str, shards: &Shards, monitor: &dyn Monitor) -> Result<String, ModelError> {
    let mut hash = Sha256::new();
    let field = |hash: &mut Sha256, bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    field(&mut hash, VERSION.as_bytes());
    field(&mut hash, description.as_bytes());
    let mut total = 0;
    for (name, _) in shards.iter() {
        total += shards.bytes(name)?.len() as u64;
    }
    let mut done = 0;
    for (name, info) in shards.iter() {
        field(&mut hash, name.as_bytes());
        field(&mut hash, info.dtype.to_string().as_bytes());
        field(&mut hash, format!("{:?}", info.shape).as_bytes());
        let bytes = shards.bytes(name)?;
        hash.update((bytes.len() as u64).to_le_bytes());
        for part in bytes.chunks(STEP) {
            hash.update(part);
            done += part.len() as u64;
            monitor.progress(done, total);
            if monitor.cancelled() {
                return Err(ModelError::Cancelled);
            }
        }
    }
    Ok(hex::encode(hash.finalize()))
}
