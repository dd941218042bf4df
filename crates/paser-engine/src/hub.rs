//! How this process asks the hub: the environment with the token that a person typed, and answers that are remembered for
//! a while, because a form asks again at every change. The token lives in memory only.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use paser_hub::{DatasetInfo, DatasetRef, HubEnv, HubError, ModelId, ModelSize, dataset_info, model_size};
use paser_protocol::{Monitor, Secret};

use crate::{
    session::lock,
    sources::Kind,
    trouble::{Outcome, Told},
};

/// So long a form waits for the hub to say how large something is.
const PATIENCE: Duration = Duration::from_millis(2500);
/// So long an answer of the hub, or its silence, is remembered.
const REMEMBERED: Duration = Duration::from_secs(300);

static TOKEN: Mutex<Option<Secret>> = Mutex::new(None);

/// Takes a token for every request to the hub until the program ends; an empty one gives the environment's back.
pub(crate) fn set_token(token: Secret) {
    *lock(&TOKEN) = Some(token).filter(|token| !token.0.trim().is_empty());
    lock(&SIZES).clear();
    lock(&DATASETS).clear();
}

/// The environment, with the token that was typed in this session before the one that it names.
pub(crate) fn env() -> Outcome<HubEnv> {
    let mut env = HubEnv::from_process().map_err(Told::told)?;
    if let Some(token) = &*lock(&TOKEN) {
        env.token = Some(token.0.trim().to_owned());
    }
    Ok(env)
}

/// Asks no longer than a person waits for a form.
struct Until(Instant);

impl Monitor for Until {
    fn progress(&self, _done: u64, _total: u64) {}

    fn cancelled(&self) -> bool {
        Instant::now() >= self.0
    }
}

type Answers<T> = Mutex<BTreeMap<String, (Instant, Outcome<T>)>>;

static SIZES: Answers<ModelSize> = Mutex::new(BTreeMap::new());
static DATASETS: Answers<Option<DatasetInfo>> = Mutex::new(BTreeMap::new());

fn remembered<T: Clone>(
    answers: &Answers<T>,
    key: String,
    ask: impl FnOnce(&Until) -> Result<T, HubError>,
    silent: T,
) -> Outcome<T> {
    if let Some((when, answer)) = lock(answers).get(&key)
        && when.elapsed() < REMEMBERED
    {
        return answer.clone();
    }
    let answer = match ask(&Until(Instant::now() + PATIENCE)) {
        // Nobody asks for a size where the hub is out of reach: that is no mistake in the form.
        Err(HubError::Cancelled | HubError::Offline { .. } | HubError::Network { .. }) => Ok(silent),
        other => other.map_err(Told::told),
    };
    lock(answers).insert(key, (Instant::now(), answer.clone()));
    answer
}

/// What the hub says of a model's size; nothing known where it is out of reach.
pub(crate) fn ask_model(id: &ModelId, kind: Kind, env: &HubEnv) -> Outcome<ModelSize> {
    let key = format!("{} {id} {}", env.endpoint, kind == Kind::Encoder);
    remembered(&SIZES, key, |until| model_size(id, &kind.files(), env, until), ModelSize::default())
}

/// What the hub says of a data set; none where it is out of reach.
pub(crate) fn ask_dataset(reference: &DatasetRef, env: &HubEnv) -> Outcome<Option<DatasetInfo>> {
    // Its parts are the same whichever of them is meant.
    let key = format!("{} {} {}", env.endpoint, env.cache.display(), reference.without_part());
    remembered(&DATASETS, key, |until| dataset_info(reference, env, until).map(Some), None)
}
