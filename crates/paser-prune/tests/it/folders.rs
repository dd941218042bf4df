//! The folder that is written: what it holds, what it never touches, what happens when the work stops half-way.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use paser_model::Checkpoint;
use paser_protocol::{Monitor, Silent};
use paser_prune::{Method, Pattern, PruneError, PruneParams, prune};
use serde_json::Value;

use crate::tiny::{sequences, tensors, write};

const HALF: PruneParams = PruneParams { method: Method::Wanda, pattern: Pattern::Unstructured(0.5) };

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs_err::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn configuration_tokenizer_and_licence_travel_and_the_note_says_how() {
    let dir = tempfile::tempdir().unwrap();
    let dense = write(dir.path());
    for file in fs_err::read_dir(&dense).unwrap() {
        let path = file.unwrap().path();
        let mut permissions = fs_err::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs_err::set_permissions(&path, permissions).unwrap();
    }
    let out = dir.path().join("deep/er/pruned");
    let checkpoint = Checkpoint::open(&dense).unwrap();
    let before = checkpoint.content_hash().unwrap();
    let report = prune(&checkpoint, &sequences(), &HALF, &out, &Silent).unwrap();
    let expected = [
        "LICENSE",
        "config.json",
        "model.safetensors.index.json",
        "one.safetensors",
        "paser-prune.json",
        "tokenizer.json",
        "two.safetensors",
    ];
    assert_eq!(names(&out), expected);
    assert_eq!(names(out.parent().unwrap()), ["pruned"], "no temporary folder stays");
    assert_eq!(checkpoint.content_hash().unwrap(), before, "the dense model is as it was");
    let note: Value = serde_json::from_slice(&fs_err::read(out.join("paser-prune.json")).unwrap()).unwrap();
    assert_eq!(
        (note["method"].as_str(), note["pattern"].as_str(), note["dense"].as_str()),
        (Some("wanda"), Some("0.5"), Some(before.as_str()))
    );
    assert_eq!(note["zeros"].as_u64(), Some(report.zeros));
    assert_eq!(note["calibration_hash"].as_str(), report.calibration_hash.as_deref());
    let pruned = Checkpoint::open(&out).unwrap();
    for (name, (_, values)) in tensors() {
        let kept = pruned.values(&name).unwrap().iter().zip(&values).all(|(now, then)| now == then || *now == 0.0);
        assert!(kept, "{name}: weights stay or become zero");
    }
}

#[test]
fn content_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::open(&write(dir.path())).unwrap();
    let out = dir.path().join("pruned");
    fs_err::create_dir(&out).unwrap();
    fs_err::write(out.join("thesis.txt"), "do not lose").unwrap();
    let error = prune(&checkpoint, &sequences(), &HALF, &out, &Silent).unwrap_err();
    assert!(matches!(error, PruneError::OutputNotEmpty(_)), "{error}");
    assert_eq!(names(&out), ["thesis.txt"]);
    fs_err::remove_file(out.join("thesis.txt")).unwrap();
    prune(&checkpoint, &sequences(), &HALF, &out, &Silent).unwrap();
    assert!(Checkpoint::open(&out).is_ok(), "an empty folder may be filled");
}

#[test]
fn groups_must_fit_and_parameters_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::open(&write(dir.path())).unwrap();
    let out = dir.path().join("pruned");
    let with = |pattern| {
        prune(&checkpoint, &sequences(), &PruneParams { method: Method::Magnitude, pattern }, &out, &Silent)
            .unwrap_err()
    };
    assert!(with(Pattern::NofM(4, 16)).to_string().contains("mlp.down_proj"), "24 columns hold no whole groups of 16");
    assert!(matches!(with(Pattern::Unstructured(1.0)), PruneError::Params(_)));
    assert_eq!(names(dir.path()), ["dense"]);
}

/// Says stop at the n-th look.
struct StopAt(AtomicUsize, usize);

impl Monitor for StopAt {
    fn progress(&self, done: u64, total: u64) {
        assert!(done <= total);
    }

    fn cancelled(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) >= self.1
    }
}

#[test]
fn a_stop_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::open(&write(dir.path())).unwrap();
    for method in [Method::Magnitude, Method::Wanda] {
        for looks in 0..6 {
            let params = PruneParams { method, ..HALF };
            let result = prune(
                &checkpoint,
                &sequences(),
                &params,
                &dir.path().join("pruned"),
                &StopAt(AtomicUsize::new(0), looks),
            );
            assert!(matches!(result, Err(PruneError::Cancelled)), "{method:?} at {looks}");
            assert_eq!(names(dir.path()), ["dense"]);
        }
    }
}

#[test]
fn what_killed_runs_left_is_swept_away_and_living_ones_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::open(&write(dir.path())).unwrap();
    let own = std::process::id();
    let leftover = |name: &str| {
        let folder = dir.path().join(name);
        fs_err::create_dir(&folder).unwrap();
        fs_err::write(folder.join("one.safetensors"), "half a model").unwrap();
        let mark = fs_err::File::create(folder.join(".paser-unfinished.lock")).unwrap();
        mark.file().lock().unwrap();
        mark
    };
    // Two killed runs, one of them with the number of this process; a living one; a run for another destination.
    let killed = [leftover(&format!(".pruned.{own}.0.tmp")), leftover(".pruned.1.0.tmp")];
    let living = leftover(".pruned.2.0.tmp");
    let other = leftover(".else.3.0.tmp");
    drop(killed);
    drop(other);
    let out = dir.path().join("pruned");
    prune(&checkpoint, &sequences(), &HALF, &out, &Silent).unwrap();
    assert_eq!(names(dir.path()), [".else.3.0.tmp", ".pruned.2.0.tmp", "dense", "pruned"]);
    assert!(!names(&out).iter().any(|name| name.ends_with(".lock")), "the mark does not travel");
    drop(living);
    fs_err::remove_dir_all(&out).unwrap();
    prune(&checkpoint, &sequences(), &HALF, &out, &Silent).unwrap();
    assert_eq!(names(dir.path()), [".else.3.0.tmp", "dense", "pruned"]);
}

#[test]
fn a_folder_of_the_same_number_that_is_not_ours_is_not_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::open(&write(dir.path())).unwrap();
    let strange = format!(".pruned.{}.0.tmp", std::process::id());
    fs_err::create_dir(dir.path().join(&strange)).unwrap();
    prune(&checkpoint, &sequences(), &HALF, &dir.path().join("pruned"), &Silent).unwrap();
    assert_eq!(names(dir.path()), [strange.as_str(), "dense", "pruned"]);
}
