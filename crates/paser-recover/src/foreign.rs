//! Curves that another trainer left: `trainer_state.json`, which Hugging Face's Trainer writes for TRL, axolotl,
//! LLaMA-Factory and LLM-Pruner alike.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Larger files are no training log.
const MOST_BYTES: u64 = 256 << 20;
/// Points that are kept of one run.
const MOST_POINTS: usize = 1_000_000;
const STATE: &str = "trainer_state.json";

/// A look of another trainer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ForeignPoint {
    pub step: u32,
    pub loss: Option<f64>,
    pub eval_loss: Option<f64>,
}

/// A run that was trained elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForeignRun {
    pub path: PathBuf,
    /// By rising step.
    pub points: Vec<ForeignPoint>,
    /// Steps planned.
    pub steps: u32,
    /// Seconds of training, where the log says so.
    pub seconds: Option<f64>,
}

/// Why a run cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    #[error("{}: no {STATE} here or in a checkpoint below. Name the output folder of the trainer.", .0.display())]
    Nothing(PathBuf),
    #[error("{}: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
}

/// The newest `trainer_state.json` of a trainer's output folder: its own, or that of the checkpoint with the most steps.
///
/// # Errors
/// None there; a file that is too large or no such log.
pub fn read_run(folder: &Path) -> Result<ForeignRun, ForeignError> {
    let path = if folder.is_file() { folder.to_owned() } else { newest(folder)? };
    let told = |reason: String| ForeignError::Unreadable { path: path.clone(), reason };
    let size = fs_err::metadata(&path).map_err(|error| told(error.to_string()))?.len();
    if size > MOST_BYTES {
        return Err(told(format!("{size} bytes are too many for a training log")));
    }
    let bytes = fs_err::read(&path).map_err(|error| told(error.to_string()))?;
    // NaN and infinity are no JSON, and Python writes them all the same.
    let text = String::from_utf8(bytes).map_err(|error| told(error.to_string()))?;
    let text = text.replace(": NaN", ": null").replace(": Infinity", ": null").replace(": -Infinity", ": null");
    let state: Value = serde_json::from_str(&text).map_err(|error| told(format!("no JSON: {error}")))?;
    let log = state.get("log_history").and_then(Value::as_array);
    let log = log.ok_or_else(|| told("there is no `log_history`".to_owned()))?;
    let mut points: Vec<ForeignPoint> = Vec::new();
    let mut seconds = None;
    for (at, line) in log.iter().take(MOST_POINTS).enumerate() {
        let number = |key: &str| line.get(key).and_then(Value::as_f64);
        seconds = number("train_runtime").or(seconds);
        let Some(step) = number("step").filter(|step| (0.0..=f64::from(u32::MAX)).contains(step)) else {
            return Err(told(format!("entry {at} of `log_history` has no step")));
        };
        let (loss, eval_loss) = (number("loss"), number("eval_loss"));
        if loss.is_none() && eval_loss.is_none() {
            continue;
        }
        let step = step as u32;
        match points.last_mut().filter(|last| last.step == step) {
            Some(last) => (last.loss, last.eval_loss) = (loss.or(last.loss), eval_loss.or(last.eval_loss)),
            None => points.push(ForeignPoint { step, loss, eval_loss }),
        }
    }
    points.sort_by_key(|point| point.step);
    let steps = state.get("max_steps").and_then(Value::as_u64).and_then(|steps| u32::try_from(steps).ok());
    let last = points.last().map_or(0, |point| point.step);
    Ok(ForeignRun { path, steps: steps.unwrap_or(last).max(last), points, seconds })
}

fn newest(folder: &Path) -> Result<PathBuf, ForeignError> {
    let own = folder.join(STATE);
    let entries = fs_err::read_dir(folder)
        .map_err(|error| ForeignError::Unreadable { path: folder.to_owned(), reason: error.to_string() })?;
    let mut checkpoints: Vec<(u64, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let steps = entry.file_name().to_str()?.strip_prefix("checkpoint-")?.parse().ok()?;
            Some((steps, entry.path().join(STATE)))
        })
        .filter(|(_, path)| path.is_file())
        .collect();
    checkpoints.sort();
    let found = if own.is_file() { Some(own) } else { checkpoints.pop().map(|(_, path)| path) };
    found.ok_or_else(|| ForeignError::Nothing(folder.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_newest_checkpoint_of_an_output_folder_is_read() {
        let place = tempfile::tempdir().unwrap();
        assert!(matches!(read_run(place.path()), Err(ForeignError::Nothing(_))));
        for steps in [5, 10] {
            let folder = place.path().join(format!("checkpoint-{steps}"));
            fs_err::create_dir_all(&folder).unwrap();
            let text = format!(
                "{{\"max_steps\": 12, \"log_history\": [{{\"loss\": 2.5, \"step\": 5}}, {{\"eval_loss\": NaN, \"step\": 5}}, \
                 {{\"eval_loss\": 1.5, \"step\": {steps}}}, {{\"train_runtime\": 7.5, \"step\": {steps}}}]}}"
            );
            fs_err::write(folder.join(STATE), text).unwrap();
        }
        let run = read_run(place.path()).unwrap();
        assert_eq!((run.steps, run.seconds, run.points.len()), (12, Some(7.5), 2));
        assert_eq!(run.points[0], ForeignPoint { step: 5, loss: Some(2.5), eval_loss: None });
        assert_eq!(run.points[1], ForeignPoint { step: 10, loss: None, eval_loss: Some(1.5) });
        let file = place.path().join("checkpoint-5").join(STATE);
        assert_eq!(read_run(&file).unwrap().points.len(), 1);
        fs_err::write(&file, "{\"log_history\": [{\"loss\": 1.0}]}").unwrap();
        assert!(read_run(&file).unwrap_err().to_string().contains("entry 0"));
    }

    proptest! {
        #[test]
        fn whatever_stands_there_is_a_run_or_an_error(text in "\\{\"log_history\": .{0,200}\\}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let place = tempfile::tempdir().unwrap();
            let file = place.path().join(STATE);
            for content in [text.as_bytes(), &bytes] {
                fs_err::write(&file, content).unwrap();
                let _ = read_run(place.path());
            }
        }
    }
}
