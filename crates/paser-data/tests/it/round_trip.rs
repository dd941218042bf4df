//! Export: what is written is read back as the same pool; every file is there; nothing half-written stays.

use std::path::Path;

use crate::support::pool_with;
use paser_data::export::{ManifestInputs, write};
use paser_data::{Pool, ReadOptions, Roles, read_pool};
use paser_protocol::{ExportFormat, Silent};
use proptest::prelude::*;
use serde_json::{Value, json};

fn inputs() -> ManifestInputs {
    let decided_by = json!({"strategy": "paser", "seed": 1}).as_object().unwrap().clone();
    ManifestInputs { selection: "a".to_owned(), pool: "pool.jsonl".to_owned(), pool_source: None, decided_by }
}

fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

const POOL: &[u8] = br#"{"id":3,"instruction":"a","context":"i","response":"1","n":2,"flag":true,"input":"hidden"}

{"id":1,"instruction":"b","context":"","response":"2","n":2.5}
{"id":2,"instruction":"c","context":"","response":"3"}
"#;

/// Dolly's columns with another one called input.
fn dolly() -> Pool {
    let roles = Roles {
        instruction: "instruction".to_owned(),
        input: Some("context".to_owned()),
        output: "response".to_owned(),
        id: Some("id".to_owned()),
    };
    pool_with(POOL, &ReadOptions { roles: Some(roles), ..ReadOptions::default() }).unwrap()
}

#[test]
fn a_folder_gets_data_manifest_and_indices() {
    let pool = dolly();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("deep/out");
    let exported = write(&pool, &[1, 0], ExportFormat::AlpacaJson, &out, &inputs()).unwrap();
    assert_eq!(exported.count, 2);
    assert_eq!(exported.paths[0], out.join("selected.alpaca.json"));
    assert_eq!(
        json_file(&exported.paths[0]),
        json!([
            {"id": 1, "instruction": "b", "input": "", "output": "2", "n": 2.5},
            {"id": 3, "instruction": "a", "input": "i", "output": "1", "n": 2, "flag": true, "pool_input": "hidden"},
        ])
    );
    assert_eq!(fs_err::read_to_string(out.join("indices.txt")).unwrap(), "2\n0\n");
    let manifest = json_file(&out.join("manifest.json"));
    assert_eq!(manifest["samples"], 2);
    assert_eq!(manifest["decided_by"]["seed"], 1);
    assert_eq!(manifest["pool"]["sha256"], json!(pool.report.sha256));
    assert_eq!(manifest["renamed_columns"], json!({"input": "pool_input"}));
    assert_eq!(fs_err::read_dir(&out).unwrap().count(), 3);
}

#[test]
fn a_named_file_has_its_companions_beside_it() {
    let pool = dolly();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("train.jsonl");
    write(&pool, &[0, 2], ExportFormat::MessagesJsonl, &file, &inputs()).unwrap();
    let first = fs_err::read_to_string(&file).unwrap();
    let first: Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert_eq!(first["messages"], json!([{"role": "user", "content": "a\ni"}, {"role": "assistant", "content": "1"}]));
    assert!(folder.path().join("train.manifest.json").exists() && folder.path().join("train.indices.txt").exists());
}

#[test]
fn a_destination_that_cannot_be_written_is_named() {
    let pool = dolly();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs_err::write(&file, b"x").unwrap();
    let error = write(&pool, &[0], ExportFormat::AlpacaJsonl, &file.join("out"), &inputs()).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
    assert!(write(&pool, &[3], ExportFormat::AlpacaJsonl, &folder.path().join("o"), &inputs()).is_err());
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|eighths| json!(f64::from(eighths) / 8.0)),
        ".{0,8}".prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..3).prop_map(Value::from),
    ]
}

fn pool() -> impl Strategy<Value = Pool> {
    let row = (".{0,12}", "\\PC{0,5}", "(a|b|\\n|\u{2028}|\"|é){0,6}", value(), prop::option::of(value()));
    (prop::collection::vec(row, 1..20), any::<bool>()).prop_map(|(rows, ids)| {
        let mut text = String::new();
        for (n, (instruction, input, output, first, second)) in rows.into_iter().enumerate() {
            let mut row = json!({"instruction": instruction, "input": input, "output": output, "first": first});
            if let Some(second) = second {
                row["messages"] = second;
            }
            if ids {
                row["id"] = json!(n);
            }
            text.push_str(&row.to_string());
            text.push('\n');
        }
        pool_with(text.as_bytes(), &ReadOptions::default()).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn what_is_written_is_read_back(pool in pool(), lines in any::<bool>()) {
        let format = if lines { ExportFormat::AlpacaJsonl } else { ExportFormat::AlpacaJson };
        let folder = tempfile::tempdir().unwrap();
        let rows: Vec<u32> = (0..pool.samples.len() as u32).collect();
        let exported = write(&pool, &rows, format, folder.path(), &inputs()).unwrap();
        let again = read_pool(&exported.paths[0], &ReadOptions::default(), &Silent).unwrap();
        prop_assert_eq!(again.report.bad_total, 0);
        prop_assert_eq!(&again.columns, &pool.columns);
        for (a, b) in again.samples.iter().zip(&pool.samples) {
            prop_assert_eq!((&a.id, a.hash, &a.output), (&b.id, b.hash, &b.output));
        }
        prop_assert_eq!(again.samples.len(), pool.samples.len());
        // And the same bytes a second time.
        let second = folder.path().join("second");
        let twice = write(&again, &rows, format, &second, &inputs()).unwrap();
        prop_assert_eq!(fs_err::read(&twice.paths[0]).unwrap(), fs_err::read(&exported.paths[0]).unwrap());
    }
}
