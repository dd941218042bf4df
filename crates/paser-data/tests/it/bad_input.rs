//! Files that cannot be used: one error each, naming the file, the place and what to do; and no bytes at all make
//! the reader panic.

use crate::support::pool_of;
use paser_data::{DataError, ReadOptions, Template, Tokenizer, read_pool};
use paser_protocol::Silent;
use proptest::prelude::*;

fn refused(bytes: &[u8], parts: &[&str]) -> DataError {
    let error = pool_of(bytes).unwrap_err();
    let text = error.to_string();
    for part in parts.iter().chain(&["pool.data"]) {
        assert!(text.contains(part), "{text:?} lacks {part:?}");
    }
    assert!(!text.contains('\n'), "{text}");
    error
}

#[test]
fn every_unusable_file_has_its_own_sentence() {
    refused(b"", &["is empty"]);
    refused(b"\xEF\xBB\xBF \r\n \n", &["is empty"]);
    refused(b"[ ]", &["is empty"]);
    refused(b"PAR1\0\0", &["as Parquet", "download it again"]);
    refused(b"\x1f\x8b\x08\0", &["gzip"]);
    refused(b"\xFF\xFE{\0", &["UTF-16", "0xFF"]);
    refused(b"{\0\"\0", &["binary", "offset 1"]);
    refused(b"version https://git-lfs.github.com/spec/v1\noid", &["LFS"]);
    refused(b"\"a\"\n", &["none of its 1 rows", "line 1"]);
    refused(b"instruction,output\na,b\n", &["none of its 2 rows", "line 1"]);
    refused(b"{\n \"instruction\": \"a\"\n}\n", &["lone bracket", "one line"]);
    refused(br#"{"question":"a","answer":"b"}"#, &["question, answer", "the instruction"]);
    refused(br#"{"messages":[]}"#, &["conversations"]);
    refused(br#"{"instruction":"a"}"#, &["the output"]);
    refused(br#"[{"instruction":"a","output":"b"},{"instruction":"#, &["breaks off", "element 2"]);
    refused(br#"[{"instruction":"a","output":"b"}] []"#, &["closing bracket", "offset 35"]);
}

#[test]
fn lines_that_break_off_are_told_from_bad_lines() {
    let whole = br#"{"instruction":"a","output":"b"}"#;
    let cut = [&whole[..], b"\n", &whole[..20]].concat();
    assert!(matches!(refused(&cut, &["breaks off", "line 2"]), DataError::Truncated { .. }));
    let in_a_character = [&whole[..], b"\n{\"instruction\":\"\xC3"].concat();
    refused(&in_a_character, &["breaks off", "line 2"]);
    let inside = [&whole[..20], b"\n", &whole[..], b"\n"].concat();
    assert_eq!(pool_of(&inside).unwrap().report.bad_total, 1);
}

#[test]
fn a_wrong_encoding_names_the_byte() {
    let text = b"{\"instruction\":\"a\",\"output\":\"b\"}\n{\"instruction\":\"caf\xE9\",\"output\":\"b\"}\n";
    refused(text, &["line 2", "0xE9", "offset 52", "UTF-8"]);
    let array = b"\xEF\xBB\xBF[{\"instruction\":\"caf\xE9\",\"output\":\"b\"}]";
    refused(array, &["element 1", "0xE9", "offset 23"]);
}

#[test]
fn ten_megabytes_on_one_line() {
    let long = vec![b'x'; 10 << 20];
    refused(&long, &["none of its 1 rows", "10485760 bytes", "line 1"]);
    let row = [b"{\"instruction\":\"", &long[..], b"\",\"output\":\"\"}"].concat();
    let small = br#"{"instruction":"a","output":"b"}"#;
    let pool = pool_of(&[&row[..], b"\n", &small[..]].concat()).unwrap();
    assert_eq!((pool.samples[0].line, pool.report.bad_total), (2, 1));
    let pool = pool_of(&[b"[", &row[..], b",", &small[..], b"]"].concat()).unwrap();
    assert_eq!((pool.samples[0].line, pool.report.bad_total), (2, 1));
}

#[test]
fn an_id_on_two_samples_names_both() {
    let text =
        b"{\"id\":\"k\",\"instruction\":\"a\",\"output\":\"\"}\n\n{\"id\":\"k\",\"instruction\":\"b\",\"output\":\"\"}";
    refused(text, &["\"k\"", "line 1", "line 3", "unique"]);
}

#[test]
fn an_id_made_from_a_line_number_is_not_given_twice() {
    let (made, given) =
        ("{\"instruction\":\"a\",\"output\":\"\"}", "{\"id\":\"line:1\",\"instruction\":\"b\",\"output\":\"\"}");
    refused(format!("{made}\n{given}").as_bytes(), &["\"line:1\"", "in line 1 and line 2"]);
    let given = given.replace("line:1", "line:2");
    refused(format!("{given}\n{made}").as_bytes(), &["\"line:2\"", "in line 1 and line 2"]);
    // Not the form in which ids are made, and the same content.
    for given in [given.replace("line:2", "line:02"), made.replace('{', "{\"id\":\"line:2\",")] {
        assert!(pool_of(format!("{given}\n{made}").as_bytes()).is_ok(), "{given}");
    }
}

#[test]
fn too_many_columns() {
    let row = |n: usize| format!(r#"{{"instruction":"a{n}","output":"b","c{n}":1}}"#);
    let rows: Vec<String> = (0..300).map(row).collect();
    refused(rows.join("\n").as_bytes(), &["256 extra columns"]);
}

#[test]
fn missing_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = read_pool(&folder.path().join("none.jsonl"), &ReadOptions::default(), &Silent).unwrap_err();
    assert!(error.to_string().contains("none.jsonl"), "{error}");
    assert!(read_pool(folder.path(), &ReadOptions::default(), &Silent).is_err());
    let error = Tokenizer::from_model_dir(folder.path()).unwrap_err();
    assert!(error.to_string().contains("tokenizer.json"), "{error}");
    fs_err::write(folder.path().join("tokenizer.model"), b"x").unwrap();
    let error = Tokenizer::from_model_dir(folder.path()).unwrap_err();
    assert!(error.to_string().contains("SentencePiece"), "{error}");
    fs_err::write(folder.path().join("tokenizer.json"), b"{}").unwrap();
    assert!(Tokenizer::from_model_dir(folder.path()).is_err());
    let error = Template::by_name("chat", folder.path()).unwrap_err();
    assert!(error.to_string().contains("no chat template"), "{error}");
    let error = Template::by_name("vicuna", folder.path()).unwrap_err();
    assert!(error.to_string().contains("alpaca, plain, chat"), "{error}");
}

/// A file of both formats that is whole, to be damaged.
fn whole(array: bool) -> Vec<u8> {
    let rows: Vec<String> = (0..6)
        .map(|n| format!(r#"{{"id":{n},"instruction":"é \"{n}\" \\","input":"","output":"[{{{n}}}]","x":[{n},null]}}"#))
        .collect();
    if array { format!("[{}]", rows.join(",\n")).into_bytes() } else { rows.join("\r\n").into_bytes() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn damaged_files_never_panic(
        array in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..8),
    ) {
        let mut bytes = whole(array);
        for (at, byte, kind) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at),
                _ => bytes.insert(at, byte),
            }
        }
        match pool_of(&bytes) {
            Ok(pool) => {
                let report = &pool.report;
                prop_assert_eq!(report.rows_read, report.kept + report.merged + report.bad_total);
                prop_assert_eq!(pool.held_out.len(), pool.samples.len());
                for column in &pool.columns {
                    prop_assert_eq!(column.values.len(), pool.samples.len());
                }
            }
            Err(error) => prop_assert!(error.to_string().contains("pool.data")),
        }
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = pool_of(&bytes);
    }
}
