//! Runs that other trainers left: real ones of Hugging Face's trainer and TensorBoard (`fixtures/foreign/make.py`), and
//! damaged ones.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use paser_protocol::Trainer;
use paser_recover::foreign::{read_events, read_run, read_state};
use proptest::prelude::*;

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/foreign").join(path)
}

/// The only file with a piece of this in its name.
fn only(dir: &Path, piece: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = fs_err::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().contains(piece))
        .collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn a_trainers_folder_becomes_one_run() {
    let dir = fixture("trainer");
    let run = read_run(&dir).unwrap();
    assert_eq!((run.name.as_str(), run.trainer), ("trainer", None));
    assert_eq!(run.base_model.as_deref(), Some("some-org/pruned-llama"));
    assert_eq!(run.adapter.as_deref(), Some(dir.as_path()), "the folder's own adapter is the newest");
    let steps: Vec<u64> = run.points.iter().map(|point| point.step).collect();
    assert_eq!(steps, [2, 4, 6, 8, 10, 12], "of the newest checkpoint");
    let evaluated: Vec<u64> =
        run.points.iter().filter(|point| point.eval_loss.is_some()).map(|point| point.step).collect();
    assert_eq!(evaluated, [4, 8, 12]);
    let state: serde_json::Value =
        serde_json::from_slice(&fs_err::read(dir.join("checkpoint-12/trainer_state.json")).unwrap()).unwrap();
    for entry in state["log_history"].as_array().unwrap() {
        let point = run.points.iter().find(|point| Some(point.step) == entry["step"].as_u64()).unwrap();
        for (found, key) in
            [(point.loss, "loss"), (point.eval_loss, "eval_loss"), (point.learning_rate, "learning_rate")]
        {
            if let Some(value) = entry[key].as_f64() {
                assert_eq!(found, Some(value), "{key} of step {}", point.step);
            }
        }
        assert_eq!(point.tokens, entry["num_input_tokens_seen"].as_u64());
    }
    let seconds: Vec<f64> = run.points.iter().map(|point| point.seconds.unwrap()).collect();
    assert!(seconds.is_sorted() && seconds[0] > 0.0, "{seconds:?}");
    assert_eq!((run.settings["r"].as_u64(), run.settings["max_steps"].as_u64()), (Some(2), Some(12)));
    assert_eq!(run.notes, [""; 0]);
}

#[test]
fn scalars_of_event_files_are_those_that_were_written() {
    let path = only(&fixture("events"), "tfevents");
    let curve = read_events(&path, None).unwrap();
    let expected: Vec<(u64, f64, f64, f64)> =
        serde_json::from_slice(&fs_err::read(fixture("events.expected.json")).unwrap()).unwrap();
    assert_eq!(curve.points.len(), expected.len(), "text, histogram and NaN are no points");
    for (step, loss, eval_loss, learning_rate) in expected {
        let point = &curve.points[&step];
        // Simple values are f32.
        assert_eq!(point.loss, Some(f64::from(loss as f32)));
        assert_eq!(point.eval_loss, Some(f64::from(eval_loss as f32)));
        assert_eq!(point.learning_rate, Some(learning_rate));
    }
    assert!(curve.notes.len() == 1 && curve.notes[0].contains("diverged"), "{:?}", curve.notes);
}

#[test]
fn event_files_and_state_of_one_run_say_the_same() {
    let runs = fixture("trainer/runs");
    let path = only(&only(&runs, "_"), "tfevents");
    let curve = read_events(&path, None).unwrap();
    let state = read_state(&fixture("trainer/checkpoint-12/trainer_state.json")).unwrap();
    for (step, point) in &state.curve.points {
        let other = &curve.points[step];
        assert!((point.loss.unwrap() - other.loss.unwrap()).abs() < 1e-6, "step {step}");
        assert_eq!(point.eval_loss.map(|loss| loss as f32), other.eval_loss.map(|loss| loss as f32), "step {step}");
        assert_eq!(point.tokens, other.tokens, "step {step}");
    }
}

#[test]
fn cut_ends_are_tolerated_and_told() {
    let bytes = fs_err::read(only(&fixture("events"), "tfevents")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.out.tfevents.1.host");
    fs_err::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    let curve = read_events(&path, None).unwrap();
    assert_eq!(curve.points.len(), 5);
    assert!(curve.notes.iter().any(|note| note.contains("cut off")), "{:?}", curve.notes);
    let mut turned = bytes;
    let middle = turned.len() / 2;
    turned[middle] ^= 1;
    fs_err::write(&path, &turned).unwrap();
    let curve = read_events(&path, None).unwrap();
    assert!(curve.notes.iter().any(|note| note.contains("checksum")), "{:?}", curve.notes);
    fs_err::write(&path, b"not a record at all").unwrap();
    let error = read_events(&path, None).unwrap_err().to_string();
    assert!(error.contains("holds no TensorBoard event"), "{error}");
    let run = read_run(dir.path()).unwrap();
    assert!(run.points.is_empty() && run.notes[0].contains("left out"), "{:?}", run.notes);
}

#[test]
fn a_diverged_runs_state_is_read_although_it_is_no_json() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trainer_state.json");
    let log = r#"{"global_step": 2, "log_history": [{"loss": 2.5, "step": 1}, {"loss": NaN, "learning_rate": 1e-4, "step": 2}]}"#;
    fs_err::write(&path, log).unwrap();
    let state = read_state(&path).unwrap();
    let losses: Vec<Option<f64>> = state.curve.points.values().map(|point| point.loss).collect();
    assert_eq!(losses, [Some(2.5), None]);
    assert!(state.curve.notes[0].contains("1 value(s) are NaN"), "{:?}", state.curve.notes);
}

#[test]
fn evaluation_sets_of_llm_pruner_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let log = r#"{"global_step": 100, "log_history": [
        {"eval_wikitext2_loss": 3.5, "step": 100}, {"eval_ptb_loss": 4.5, "step": 100},
        {"eval_yahma/alpaca-cleaned_loss": 1.25, "step": 100}]}"#;
    fs_err::write(dir.path().join("trainer_state.json"), log).unwrap();
    let run = read_run(dir.path()).unwrap();
    assert_eq!((run.trainer, run.points[0].eval_loss), (Some(Trainer::LlmPruner), Some(1.25)));
}

#[test]
fn trainers_are_known_by_what_only_they_leave() {
    for (file, content, trainer) in [
        ("trainer_log.jsonl", "", Some(Trainer::LlamaFactory)),
        ("README.md", "tags:\n- axolotl\n- trl\n", Some(Trainer::Axolotl)),
        ("README.md", "tags:\n- trl\n- sft\n", Some(Trainer::Trl)),
        ("README.md", "tags:\n- generated_from_trainer\n", None),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs_err::write(dir.path().join(file), content).unwrap();
        fs_err::write(dir.path().join("trainer_state.json"), r#"{"log_history": []}"#).unwrap();
        assert_eq!(read_run(dir.path()).unwrap().trainer, trainer, "{content}");
    }
}

#[test]
fn the_newest_checkpoint_counts_by_its_number() {
    let dir = tempfile::tempdir().unwrap();
    for number in [900, 1000, 90] {
        let checkpoint = dir.path().join(format!("checkpoint-{number}"));
        fs_err::create_dir(&checkpoint).unwrap();
        fs_err::write(checkpoint.join("adapter_config.json"), format!(r#"{{"r": {number}}}"#)).unwrap();
        let state = format!(r#"{{"global_step": {number}, "log_history": [{{"loss": 1.0, "step": {number}}}]}}"#);
        fs_err::write(checkpoint.join("trainer_state.json"), state).unwrap();
    }
    let run = read_run(dir.path()).unwrap();
    assert_eq!(run.adapter, Some(dir.path().join("checkpoint-1000")));
    assert_eq!((run.points[0].step, run.settings["r"].as_u64()), (1000, Some(1000)));
}

#[test]
fn folders_without_a_run_say_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let error = read_run(dir.path()).unwrap_err().to_string();
    assert!(error.contains("trainer_state.json"), "{error}");
    fs_err::write(dir.path().join("trainer_state.json"), "[]").unwrap();
    let error = read_run(dir.path()).unwrap_err().to_string();
    assert!(error.contains("log_history"), "{error}");
    assert!(read_run(&dir.path().join("absent")).is_err());
}

fn read_both(bytes: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let (events, state) = (dir.path().join("a.tfevents.1"), dir.path().join("trainer_state.json"));
    fs_err::write(&events, bytes).unwrap();
    fs_err::write(&state, bytes).unwrap();
    let _ = read_events(&events, None);
    let _ = read_state(&state);
}

/// A record around any content, with right checksums.
fn framed(data: &[u8]) -> Vec<u8> {
    let crc = |bytes: &[u8]| {
        let crc = bytes.iter().fold(!0_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 })
        });
        (!crc).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
    };
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &crc(&length), data, &crc(data)].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_end_in_an_error_or_a_curve(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_both(&bytes);
        // Behind right checksums the protocol buffer's reader sees them.
        read_both(&framed(&bytes));
    }

    #[test]
    fn changed_files_end_in_an_error_or_a_curve(place in 0_usize..8000, byte: u8, cut: bool) {
        let real = fs_err::read(only(&fixture("events"), "tfevents")).unwrap();
        let state = fs_err::read(fixture("trainer/checkpoint-12/trainer_state.json")).unwrap();
        for mut bytes in [real, state] {
            let place = place % bytes.len();
            if cut { bytes.truncate(place) } else { bytes[place] = byte }
            read_both(&bytes);
        }
    }

    #[test]
    fn changed_events_behind_right_checksums_do(place in 0_usize..8000, byte: u8) {
        let real = fs_err::read(only(&fixture("events"), "tfevents")).unwrap();
        let place = place % (real.len() - 20);
        let mut data = real[place..(place + 300).min(real.len())].to_vec();
        data[0] = byte;
        read_both(&framed(&data));
    }
}
