//! Reading pools: formats, merging, ids, hold-out, and the real pool with its known oddities.

use std::time::Instant;

use crate::support::{demo, pool_of, pool_with, shared};
use paser_data::{ColumnValues, FileFormat, HoldOut, IdKind, ReadOptions, Roles, content_hash, hash_order, read_pool};
use paser_protocol::{Monitor, Silent};

#[test]
fn array_and_lines_give_the_same_samples() {
    let rows = [
        r#"{"instruction":"a","input":"","output":"1","tag":"x"}"#,
        r#"{"instruction":"b","input":"i","output":"2","tag":null}"#,
    ];
    let array = pool_of(format!("\u{feff}  [\r\n {} ,\r\n {} ]\r\n", rows[0], rows[1]).as_bytes()).unwrap();
    let lines = pool_of(format!("\u{feff}{}\r\n{}", rows[0], rows[1]).as_bytes()).unwrap();
    assert_eq!(array.samples, lines.samples);
    assert_eq!(array.columns, lines.columns);
    assert_eq!((array.report.format, lines.report.format), (FileFormat::JsonArray, FileFormat::JsonLines));
    assert_eq!(array.samples[1].id, "line:2");
    assert_eq!(array.columns[0].values.text(0).as_deref(), Some("x"));
    assert_eq!(array.columns[0].values.text(1), None);
}

#[test]
fn exact_duplicates_are_merged_under_the_smallest_id() {
    let pool = pool_of(
        br#"{"id":10,"instruction":"a","output":"1","source":"ten"}
{"id":7,"instruction":"b","output":"1"}
{"id":9,"instruction":"a","input":null,"output":"1","source":"nine"}
{"id":9,"instruction":"a","output":"1"}
{"id":50,"instruction":"b","output":"1"}
"#,
    )
    .unwrap();
    let seen: Vec<_> = pool.samples.iter().map(|s| (s.id.as_str(), s.multiplicity, s.line)).collect();
    assert_eq!(seen, [("9", 3, 3), ("7", 2, 2)]);
    assert_eq!(pool.columns[0].values.text(0).as_deref(), Some("nine"));
    let aliases: Vec<_> = pool.aliases.iter().map(|alias| (alias.id.as_str(), alias.row)).collect();
    assert_eq!(aliases, [("10", 0), ("50", 1)]);
    let report = &pool.report;
    assert_eq!((report.rows_read, report.kept, report.merged, report.bad_total), (5, 2, 3, 0));
    assert_eq!(pool.id_kind, IdKind::Integer);
}

#[test]
fn a_merged_id_still_holds_its_content_out() {
    let text = br#"{"id":7,"instruction":"a","output":"1"}
{"id":50,"instruction":"a","output":"1"}
{"id":8,"instruction":"b","output":"1"}"#;
    let options = ReadOptions { roles: None, hold_out: HoldOut::IdMultipleOf(50) };
    assert_eq!(pool_with(text, &options).unwrap().held_out, [true, false]);
    let options = ReadOptions { roles: None, hold_out: HoldOut::IdList(vec!["8".to_owned()]) };
    assert_eq!(pool_with(text, &options).unwrap().held_out, [false, true]);
}

#[test]
fn named_roles_win_and_free_columns_are_kept() {
    let roles = Roles { instruction: "q".to_owned(), input: None, output: "a".to_owned(), id: Some("key".to_owned()) };
    let options = ReadOptions { roles: Some(roles), hold_out: HoldOut::None };
    let pool = pool_with(br#"{"key":"k1","q":"why","a":"so","instruction":"x","n":1.5}"#, &options).unwrap();
    assert_eq!((pool.samples[0].id.as_str(), pool.samples[0].instruction.as_str()), ("k1", "why"));
    assert_eq!(pool.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["instruction", "n"]);
    assert_eq!(pool.columns[1].values, ColumnValues::Number(vec![1.5]));
    let roles = Roles { instruction: "why".to_owned(), input: None, output: "a".to_owned(), id: None };
    let options = ReadOptions { roles: Some(roles), hold_out: HoldOut::None };
    let error = pool_with(br#"{"q":"why","a":"so"}"#, &options).unwrap_err().to_string();
    assert!(error.contains("\"why\"") && error.contains("q, a"), "{error}");
}

#[test]
fn bad_rows_are_counted_and_the_rest_is_kept() {
    let pool = pool_of(
        br#"{"instruction":"a","output":"1"}
{"instruction":"b"}
{"instruction":5,"output":"1"}
[1]

{"instruction":"c","output":"1","output":"2"}
{"instruction":"d","output":"1","loss":NaN}
{"instruction":"e","output":null}
{"instruction":"f","output":"\ud800"}
{"id":1.5,"instruction":"g","output":""}
{"instruction":"","output":""}
"#,
    )
    .unwrap();
    let bad: Vec<_> = pool.report.bad.iter().map(|bad| (bad.line, bad.reason.as_str())).collect();
    let lines: Vec<u64> = bad.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 3, 4, 6, 7, 8, 9, 10], "{bad:?}");
    for ((_, reason), part) in bad.iter().zip([
        "\"output\" is missing",
        "\"instruction\" is a number",
        "an object with the fields of a sample",
        "\"output\" stands twice",
        "NaN is no JSON value",
        "\"output\" is null",
        "hex escape",
        "the id is a number",
    ]) {
        assert!(reason.contains(part), "{reason} lacks {part}");
    }
    assert_eq!(pool.samples.len(), 2);
    let report = &pool.report;
    assert_eq!(report.rows_read, report.kept + report.merged + report.bad_total);
}

#[test]
fn only_the_first_thousand_bad_rows_are_listed() {
    let mut text = r#"{"instruction":"a","output":"1"}"#.to_owned();
    text.push_str(&"\n{}".repeat(1500));
    let report = pool_of(text.as_bytes()).unwrap().report;
    assert_eq!((report.bad.len(), report.bad_total), (1000, 1500));
}

#[test]
fn the_order_of_the_file_does_not_change_the_hash_order() {
    let rows: Vec<String> = (0..200).map(|n| format!(r#"{{"id":{n},"instruction":"i{n}","output":"o"}}"#)).collect();
    let reversed: Vec<String> = rows.iter().rev().cloned().collect();
    let ids = |rows: &[String]| {
        let pool = pool_of(rows.join("\n").as_bytes()).unwrap();
        hash_order(&pool.samples).into_iter().map(|row| pool.samples[row as usize].id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&rows), ids(&reversed));
    let mut expected: Vec<_> = (0..200).map(|n| (content_hash(&format!("i{n}"), "", "o"), n.to_string())).collect();
    expected.sort();
    assert_eq!(ids(&rows), expected.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
}

#[test]
fn a_stop_is_heard() {
    struct Stopped;
    impl Monitor for Stopped {
        fn progress(&self, _done: u64, _total: u64) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pool.jsonl");
    fs_err::write(&path, br#"{"instruction":"a","output":"1"}"#).unwrap();
    let result = read_pool(&path, &ReadOptions::default(), &Stopped);
    assert!(matches!(result, Err(paser_data::DataError::Cancelled)));
}

#[test]
fn the_real_pool_with_its_oddities() {
    let Some(path) = shared("data/recovery_mix.jsonl") else { return };
    let options = ReadOptions { roles: None, hold_out: HoldOut::IdMultipleOf(50) };
    let start = Instant::now();
    let pool = read_pool(&path, &options, &Silent).unwrap();
    eprintln!("import of {} samples: {:.3} s", pool.samples.len(), start.elapsed().as_secs_f64());
    assert_eq!(pool.samples.len(), 38_563);
    assert_eq!((pool.report.merged, pool.report.bad_total), (0, 0));
    assert_eq!(pool.held_out.iter().filter(|held| **held).count(), 772);
    assert_eq!(pool.roles.dialect(), "Alpaca");
    let find = |id: &str| pool.samples.iter().find(|sample| sample.id == id).unwrap();
    let text = |id: &str| {
        let sample = find(id);
        [sample.instruction.as_str(), &sample.input, &sample.output].concat()
    };
    assert!(text("31882").contains('\r'));
    assert!(text("14681").chars().any(|c| c.is_control() && !"\r\n\t".contains(c)));
    let separators = pool
        .samples
        .iter()
        .map(|s| [s.instruction.as_str(), &s.input, &s.output].concat().matches('\u{2028}').count())
        .sum::<usize>();
    assert_eq!(separators, 2);
    assert_eq!(pool.samples.iter().filter(|sample| sample.input == "No input").count(), 40);
    let capability = pool.columns.iter().find(|column| column.name == "capability").unwrap();
    let ColumnValues::Text(categories) = &capability.values else { panic!("{capability:?}") };
    assert_eq!(categories.values.len(), 5);
    let sample = &pool.samples[12_345];
    assert_eq!(sample.hash, content_hash(&sample.instruction, &sample.input, &sample.output));
}

#[test]
fn the_alpaca_array_is_part_of_the_real_pool() {
    let (Some(array), Some(lines)) = (shared("data/alpaca_9k.json"), shared("data/recovery_mix.jsonl")) else {
        return;
    };
    let array = read_pool(&array, &ReadOptions::default(), &Silent).unwrap();
    let lines = read_pool(&lines, &ReadOptions::default(), &Silent).unwrap();
    assert_eq!(array.report.format, FileFormat::JsonArray);
    let hashes: std::collections::HashSet<_> = lines.samples.iter().map(|sample| sample.hash).collect();
    let known = array.samples.iter().filter(|sample| hashes.contains(&sample.hash)).count();
    assert_eq!((array.samples.len(), known), (9_225, 9_225));
}

#[test]
fn a_pool_with_response_instead_of_output() {
    let pool = pool_of(br#"{"id":"s-1","instruction":"a","response":"1"}"#).unwrap();
    assert_eq!((pool.samples[0].output.as_str(), pool.roles.output.as_str()), ("1", "response"));
    assert_eq!(pool.id_kind, IdKind::Text);
}

#[test]
fn the_pool_of_the_demo() {
    let pool = read_pool(&demo("pool.jsonl"), &ReadOptions::default(), &Silent).unwrap();
    assert_eq!((pool.report.rows_read, pool.report.bad_total), (3_000, 0));
    assert_eq!((pool.roles.dialect(), pool.id_kind), ("Alpaca", IdKind::Text));
    let sample = &pool.samples[0];
    assert_eq!((sample.id.as_str(), sample.input.as_str()), ("sample-0000", "The porter wraps the heavy compass."));
    assert_eq!(sample.hash, content_hash(&sample.instruction, &sample.input, &sample.output));
}

/// Rows of about a megabyte with the given start, more than are read at once.
fn many(start: &str) -> String {
    let long = "x".repeat(1 << 20);
    (0..10).map(|n| format!("{{{start},\"output\":\"{n}{long}\"}}\n")).collect()
}

#[test]
fn an_input_or_an_id_that_appears_late_is_still_one() {
    let text = many(r#""instruction":"a""#)
        + r#"{"id":"last","instruction":"b","context":"c","output":"1","tag":"t"}"#
        + "\n"
        + r#"{"instruction":"b","input":"hidden","output":"1"}"#
        + "\n";
    let pool = pool_of(text.as_bytes()).unwrap();
    // Both names come in the same batch: the preferred one counts, as in a small file.
    assert_eq!((pool.roles.input.as_deref(), pool.roles.id.as_deref()), (Some("input"), Some("id")));
    let last: Vec<_> = pool.samples[10..].iter().map(|sample| (sample.id.as_str(), sample.input.as_str())).collect();
    assert_eq!(last, [("last", ""), ("line:12", "hidden")]);
    assert_eq!((pool.samples[0].id.as_str(), pool.id_kind), ("line:1", IdKind::Text));
    assert_eq!(pool.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["context", "tag"]);
}

#[test]
fn a_column_that_appears_too_late_for_its_role_is_named_with_its_line() {
    let text = many(r#""instruction":"a","context":"c""#) + r#"{"instruction":"b","input":"lost","output":"1"}"#;
    let error = pool_of(text.as_bytes()).unwrap_err().to_string();
    for part in ["\"input\" first appears in line 11", "\"context\" was taken as the input"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_named_role_may_appear_late_but_must_appear() {
    let roles = |input: &str| Roles {
        instruction: "instruction".to_owned(),
        input: Some(input.to_owned()),
        output: "output".to_owned(),
        id: None,
    };
    let text = many(r#""instruction":"a""#) + r#"{"instruction":"b","hint":"kept","output":"1"}"#;
    let read = |input| pool_with(text.as_bytes(), &ReadOptions { roles: Some(roles(input)), hold_out: HoldOut::None });
    assert_eq!(read("hint").unwrap().samples[10].input, "kept");
    let error = read("hints").unwrap_err().to_string();
    assert!(error.contains("\"hints\" (named as the input)") && error.contains("hint"), "{error}");
}
