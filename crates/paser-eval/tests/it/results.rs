//! Files of results: what the harness itself wrote for the rows of `tests/golden/lm_eval` against what this crate finds and
//! writes for them; the old shape; damaged and hostile files.

use std::path::{Path, PathBuf};

use paser_eval::gsm8k::{Shot, gsm8k};
use paser_eval::results::{
    Reported, Results, Sample, TaskEntry, parse_results, parse_samples, read_results, read_samples, samples_of,
    samples_of_gsm8k, write_results, write_samples,
};
use paser_eval::tasks::{Row, Task, json_lines, multiple_choice};
use paser_eval::{EvalParams, GenerateParams, Profile};
use paser_protocol::Silent;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{lines, mix};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lm_eval").join(name)
}

fn rows(name: &str) -> Vec<Row> {
    json_lines(name, &fs_err::read_to_string(golden(name)).unwrap()).unwrap()
}

fn value(path: &Path) -> Value {
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

/// What this crate makes of the rows that the harness was given.
struct Run {
    results: Results,
    choices: Vec<Sample>,
    sums: Vec<Sample>,
}

fn run() -> Option<Run> {
    let model = mix()?;
    let (choices, sums) = (rows("own_choices.jsonl"), rows("own_sums.jsonl"));
    let profile = Profile::LmEvalCurrent;
    let params = EvalParams::default();
    let found = multiple_choice(model.subject(), Task::Own, &choices, profile, &params, &Silent).unwrap();
    let shots: Vec<Shot> =
        lines(&golden("own_shots.jsonl")).into_iter().map(|shot| serde_json::from_value(shot).unwrap()).collect();
    let writing = GenerateParams { max_tokens: 64, ..GenerateParams::default() };
    let written = gsm8k(model.subject(), &sums, &shots, profile, &writing, &Silent).unwrap();
    let of_sums = TaskEntry { name: "gsm8k_own".to_owned(), ..TaskEntry::of_gsm8k(&written, 2, 4) };
    let results = Results {
        model: "models/mix-llama-5m".to_owned(),
        profile: Some(profile),
        date: Some(1.5),
        tasks: vec![TaskEntry::of_task(&found, 12), of_sums],
        config: json!({"model": "paser", "limit": null}).as_object().unwrap().clone(),
    };
    Some(Run { results, choices: samples_of(&found, &choices), sums: samples_of_gsm8k(&written, &sums) })
}

fn near(found: Option<f64>, golden: Option<f64>, what: &str) {
    let (found, golden) = (found.unwrap(), golden.unwrap());
    assert!((found - golden).abs() < 1e-9, "{what}: {found} and {golden}");
}

#[test]
fn what_the_harness_found_is_found_here() {
    let Some(run) = run() else { return };
    let golden = read_results(&golden("results.json")).unwrap();
    assert_eq!(golden.model, "models/mix-llama-5m");
    assert!(golden.tasks.len() == 2 && golden.date.is_some_and(|date| date > 1.7e9) && golden.profile.is_none());
    for golden in &golden.tasks {
        let found = run.results.tasks.iter().find(|found| found.name == golden.name).unwrap();
        assert_eq!((found.version, found.shots, found.items), (golden.version, golden.shots, golden.items));
        assert_eq!(found.items_of_all, golden.items_of_all);
        assert_eq!(found.metrics.len(), golden.metrics.len());
        for (found, golden) in found.metrics.iter().zip(&golden.metrics) {
            assert_eq!((&found.name, &found.filter), (&golden.name, &golden.filter));
            near(found.value, golden.value, &golden.name);
            near(found.stderr, golden.stderr, &golden.name);
        }
    }
}

#[test]
fn every_item_is_the_harness_s_to_the_hash() {
    let Some(run) = run() else { return };
    for (name, found) in [("multiple_choice", run.choices), ("gsm8k_own", run.sums)] {
        let golden = read_samples(&golden(&format!("samples_{name}.jsonl"))).unwrap();
        assert_eq!(found.len(), golden.len());
        for golden in &golden {
            let same = |found: &&Sample| (found.doc_id, &found.filter) == (golden.doc_id, &golden.filter);
            let found = found.iter().find(same).unwrap();
            assert_eq!(found.metrics, golden.metrics, "{name}, item {}", golden.doc_id);
            let hashes =
                |sample: &Sample| [&sample.doc_hash, &sample.prompt_hash, &sample.target_hash].map(Clone::clone);
            assert_eq!(hashes(found), hashes(golden), "{name}, item {}", golden.doc_id);
            assert_eq!((&found.doc, &found.target), (&golden.doc, &golden.target));
            if name == "gsm8k_own" {
                let text = found.resps[0][0].as_str().unwrap();
                let hash: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(golden.resps[0][0], hash, "item {}: {text:?}", golden.doc_id);
                assert_eq!(found.filtered_resps, golden.filtered_resps);
                continue;
            }
            assert_eq!(found.arguments, golden.arguments);
            let answers = golden.resps.as_array().unwrap();
            assert_eq!(found.resps.as_array().unwrap().len(), answers.len());
            for (found, golden) in found.resps.as_array().unwrap().iter().zip(answers) {
                let number = |value: &Value| value[0][0].as_str().unwrap().parse::<f64>().unwrap();
                assert!((number(found) - number(golden)).abs() < 1e-3, "{found} and {golden}");
                assert_eq!(found[0][1], golden[0][1]);
            }
        }
    }
}

#[test]
fn written_files_have_the_harness_s_keys_and_read_back_as_they_were() {
    let Some(run) = run() else { return };
    let folder = tempfile::tempdir().unwrap();
    let time = "2026-01-31T12-00-00.000000";
    let samples: [(&str, &[Sample]); 2] = [("multiple_choice", &run.choices), ("gsm8k_own", &run.sums)];
    let path = write_results(folder.path(), time, &run.results, &samples).unwrap();
    assert!(path.ends_with(format!("models__mix-llama-5m/results_{time}.json")), "{}", path.display());
    let (found, golden) = (value(&path), value(&golden("results.json")));
    for part in ["results", "versions", "n-shot", "higher_is_better", "n-samples", "task_hashes"] {
        for (task, golden) in golden[part].as_object().unwrap() {
            let Some(golden) = golden.as_object() else {
                assert_eq!(&found[part][task], golden, "{part} of {task}");
                continue;
            };
            for key in golden.keys().filter(|key| !["name", "sample_len"].contains(&key.as_str())) {
                assert!(found[part][task].get(key).is_some(), "{part} of {task} has no {key}");
            }
        }
    }
    let read = read_results(&path).unwrap();
    assert_eq!(read.tasks, run.results.tasks);
    assert_eq!((read.model, read.profile, read.date), (run.results.model, run.results.profile, run.results.date));
    let path = write_samples(folder.path(), time, "models/mix-llama-5m", "multiple_choice", &run.choices).unwrap();
    assert_eq!(read_samples(&path).unwrap(), run.choices);
    let left: Vec<_> = fs_err::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.len() == 2 && left.iter().all(|path| path.extension().unwrap() != "part"), "{left:?}");
}

#[test]
fn the_old_shape_and_numbers_of_python_are_read() {
    let old = r#"{"results": {"piqa": {"acc": 0.5, "acc_stderr": 0.1, "acc_norm": 0.25, "acc_norm_stderr": NaN},
        "quote \" NaN": {"word_perplexity": Infinity, "byte_perplexity": 2.5}},
        "versions": {"piqa": 0}, "config": {"model": "hf", "model_args": "dtype=float16,pretrained=org/model"}}"#;
    let read = parse_results(Path::new("old.json"), old.as_bytes()).unwrap();
    let metric =
        |name: &str, value, stderr| Reported { name: name.to_owned(), filter: "none".to_owned(), value, stderr };
    assert_eq!(read.model, "org/model");
    assert_eq!(read.tasks[0].version, Some(0.0));
    assert_eq!(read.tasks[0].metrics, [metric("acc", Some(0.5), Some(0.1)), metric("acc_norm", Some(0.25), None)]);
    assert_eq!(read.tasks[1].name, "quote \" NaN");
    assert_eq!(
        read.tasks[1].metrics,
        [metric("word_perplexity", None, None), metric("byte_perplexity", Some(2.5), None)]
    );
    let unlisted = r#"{"doc_id": 3, "doc": {}, "target": 1, "acc": 1.0, "acc_norm": false}"#;
    let read = &parse_samples(Path::new("old.jsonl"), unlisted.as_bytes()).unwrap()[0];
    assert_eq!((read.doc_id, read.filter.as_str(), read.target.as_str()), (3, "none", "1"));
    assert_eq!(
        read.metrics.iter().map(|(name, score)| (name.as_str(), *score)).collect::<Vec<_>>(),
        [("acc", 1.0), ("acc_norm", 0.0)]
    );
}

#[test]
fn files_that_are_none_are_named_with_the_reason() {
    let refused = |text: &str| parse_results(Path::new("a/b.json"), text.as_bytes()).unwrap_err().to_string();
    assert_eq!(refused("{}"), "a/b.json: there is no \"results\" in it: not a file of lm-evaluation-harness");
    assert!(refused("[1]").contains("not a JSON object"));
    assert!(refused("{\"results\": 3}").contains("must be an object"));
    assert!(refused("{\"results\": {\"t\": 3}}").contains("the task \"t\""));
    assert!(refused("{\"results\": ").contains("not valid JSON"));
    assert!(refused(&"[".repeat(100_000)).contains("not valid JSON"));
    let lines = |bytes: &[u8]| parse_samples(Path::new("s.jsonl"), bytes).unwrap_err().to_string();
    assert!(lines(b"{\"doc_id\": 1}\n\n{\"doc_id\": -1}").starts_with("s.jsonl, line 3: there is no whole number"));
    assert!(lines(b"\xff").starts_with("s.jsonl, line 1: is not text"));
    assert!(read_results(Path::new("no/such.json")).unwrap_err().to_string().contains("no/such.json"));
}

#[test]
fn names_that_give_no_file_are_refused_and_none_leaves_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let write = |model: &str, time: &str| {
        write_results(folder.path(), time, &Results { model: model.to_owned(), ..Results::default() }, &[])
    };
    assert!(write("..", "t").unwrap_err().to_string().contains("no file name"));
    assert!(write("", "t").is_err());
    let path = write("../../up", "../../t").unwrap();
    assert!(path.parent().unwrap().parent().unwrap() == folder.path(), "{}", path.display());
}

/// JSON of any shape, with the words of these files in it.
fn any_json() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        Just("results".to_owned()),
        Just("acc,none".to_owned()),
        Just("acc_stderr".to_owned()),
        Just("doc_id".to_owned()),
        Just("metrics".to_owned()),
        Just("n-samples".to_owned()),
        Just("versions".to_owned()),
        Just("config".to_owned()),
        Just("model_args".to_owned()),
        Just("effective".to_owned()),
        ".{0,6}"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_results(Path::new("x"), &bytes);
        let _ = parse_samples(Path::new("x"), &bytes);
    }

    #[test]
    fn any_text_of_json_s_signs_is_read_or_refused(text in "[\\[\\]{}:,\"\\\\aéN∞ -9]{0,60}|(NaN|-Infinity|\\\\|\"|é|\\{|:){0,20}") {
        let _ = parse_results(Path::new("x"), text.as_bytes());
        let _ = parse_samples(Path::new("x"), text.as_bytes());
    }

    #[test]
    fn any_json_is_read_or_refused(file in any_json(), task in any_json()) {
        let _ = parse_results(Path::new("x"), file.to_string().as_bytes());
        let _ = parse_results(Path::new("x"), json!({"results": {"t": task}, "n-samples": file, "config": task}).to_string().as_bytes());
        let _ = parse_samples(Path::new("x"), file.to_string().as_bytes());
    }
}
