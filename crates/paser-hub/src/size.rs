//! How large a model is before it is fetched: one request for the hub's listing, no file is touched.

use paser_protocol::Monitor;

use crate::cache::RepoCache;
use crate::client::Client;
use crate::fetch::choose;
use crate::files::Pattern;
use crate::{HubEnv, HubError, ModelId};

/// What the hub says of a model. Mirrors may leave out either.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelSize {
    /// Bytes of the wanted files that are not in the cache.
    pub missing_bytes: Option<u64>,
    pub parameters: Option<u64>,
    pub licence: Option<String>,
    /// A token of an account that accepted its licence is needed.
    pub gated: bool,
}

/// Asks the hub how large a model is. A cancel is answered at once, even while the hub is silent.
///
/// # Errors
/// [`HubError`], `Offline` where the environment forbids to ask.
pub fn model_size(
    id: &ModelId,
    wanted: &[Pattern],
    env: &HubEnv,
    monitor: &dyn Monitor,
) -> Result<ModelSize, HubError> {
    if env.offline {
        let missing = "its size cannot be asked for".to_owned();
        return Err(HubError::Offline { id: id.to_string(), cache: env.cache.clone(), missing });
    }
    let listing = Client::new(env, &id.0, monitor)?.listing()?;
    let snapshot = RepoCache::new(&env.cache, &id.0).snapshot(&listing.sha);
    let files = choose(id, wanted, &listing.siblings)?;
    let missing = files.iter().filter(|file| !snapshot.join(&file.rfilename).exists());
    let sizes: Option<Vec<u64>> = missing.map(|file| file.bytes()).collect();
    Ok(ModelSize {
        missing_bytes: sizes.map(|sizes| sizes.iter().sum()),
        parameters: listing.safetensors.get("total").and_then(serde_json::Value::as_u64),
        licence: listing.licence(),
        gated: listing.is_gated(),
    })
}
