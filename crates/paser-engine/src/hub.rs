//! How this process asks the hub: the environment with the token that a person typed, and answers that are remembered for
//! a while, because a form asks again at every change. The token lives in memory only.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
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
/// So long an answer of the hub is remembered.
const REMEMBERED: Duration = Duration::from_secs(300);
/// So long its refusal or its silence: a person may mend what was wrong.
const REFUSED: Duration = Duration::from_secs(10);

static TOKEN: Mutex<Option<Secret>> = Mutex::new(None);
/// Counts the tokens: an answer that was asked for with another one is not remembered.
static TOKENS: AtomicU64 = AtomicU64::new(0);

/// Takes a token for every request to the hub until the program ends; an empty one gives the environment's back.
pub(crate) fn set_token(token: Secret) {
    *lock(&TOKEN) = Some(token).filter(|token| !token.0.trim().is_empty());
    TOKENS.fetch_add(1, Ordering::SeqCst);
    lock(&SIZES).clear();
    lock(&DATASETS).clear();
}

/// The environment, with the token that was typed since the program's start before the one that it names.
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

/// Until when an answer holds, and the answer.
type Answers<T> = Mutex<BTreeMap<String, (Instant, Outcome<T>)>>;

static SIZES: Answers<ModelSize> = Mutex::new(BTreeMap::new());
static DATASETS: Answers<Option<DatasetInfo>> = Mutex::new(BTreeMap::new());

fn remembered<T: Clone>(
    answers: &Answers<T>,
    key: String,
    ask: impl FnOnce(&Until) -> Result<T, HubError>,
    silent: T,
) -> Outcome<T> {
    if let Some((until, answer)) = lock(answers).get(&key)
        && Instant::now() < *until
    {
        return answer.clone();
    }
    let token = TOKENS.load(Ordering::SeqCst);
    let (answer, holds) = match ask(&Until(Instant::now() + PATIENCE)) {
        Ok(answer) => (Ok(answer), REMEMBERED),
        // Nobody asks for a size where the hub is out of reach: that is no mistake in the form.
        Err(HubError::Cancelled | HubError::Offline { .. } | HubError::Network { .. }) => (Ok(silent), REFUSED),
        Err(error) => (Err(error.told()), REFUSED),
    };
    let mut answers = lock(answers);
    if TOKENS.load(Ordering::SeqCst) == token {
        answers.insert(key, (Instant::now() + holds, answer.clone()));
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn answers_hold_for_their_token_and_refusals_for_a_moment() {
        static KNOWN: Answers<u8> = Mutex::new(BTreeMap::new());
        let ask = |key: &str, answer| remembered(&KNOWN, key.to_owned(), |_| answer, 0);
        let until = |key: &str| lock(&KNOWN).get(key).map(|(until, _)| *until - Instant::now());
        assert_eq!(ask("a", Ok(1)).unwrap(), 1);
        assert_eq!(ask("a", Ok(2)).unwrap(), 1, "remembered");
        assert!(until("a").unwrap() > REFUSED);
        assert!(ask("b", Err(HubError::NoCacheFolder)).is_err());
        assert_eq!(ask("c", Err(HubError::Cancelled)).unwrap(), 0);
        assert!(until("b").unwrap() <= REFUSED && until("c").unwrap() <= REFUSED);
        let late = |_: &Until| {
            set_token(Secret("hf_other".to_owned()));
            Ok(3)
        };
        assert_eq!(remembered(&KNOWN, "d".to_owned(), late, 0).unwrap(), 3);
        assert_eq!(until("d"), None, "another token may see something else");
    }
}
