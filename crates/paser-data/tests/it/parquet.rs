//! Pools in Parquet: the same samples as from JSON, whatever compresses them; shards of a folder as one pool; damaged
//! files refused by name.

use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use paser_data::{
    ColumnValues, DataError, FileFormat, IdKind, Pool, ReadOptions, joined_hash, parquet_size, read_pool,
};
use paser_protocol::Silent;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::support::{pool_of, pool_with};

/// One column of a file.
enum Cells {
    Text(Vec<&'static [u8]>),
    Whole(Vec<i64>),
    Number(Vec<f64>),
    /// A list of texts for every row: repetition and definition levels, and values.
    Lists(Vec<i16>, Vec<i16>, Vec<&'static [u8]>),
}

/// A file whose row groups hold the columns of `groups`.
fn file(schema: &str, groups: &[Vec<Cells>], compression: Compression) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    let text = |cells: &[&'static [u8]]| -> Vec<ByteArray> { cells.iter().map(|cell| (*cell).into()).collect() };
    for columns in groups {
        let mut group = writer.next_row_group().unwrap();
        for cells in columns {
            let mut column = group.next_column().unwrap().unwrap();
            match cells {
                Cells::Text(cells) => column.typed::<ByteArrayType>().write_batch(&text(cells), None, None).unwrap(),
                Cells::Whole(cells) => column.typed::<Int64Type>().write_batch(cells, None, None).unwrap(),
                Cells::Number(cells) => column.typed::<DoubleType>().write_batch(cells, None, None).unwrap(),
                Cells::Lists(repetition, definition, cells) => column
                    .typed::<ByteArrayType>()
                    .write_batch(&text(cells), Some(definition), Some(repetition))
                    .unwrap(),
            };
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
    bytes
}

const ALPACA: &str = "message schema {
    required int64 id; required binary instruction (UTF8); required binary input (UTF8);
    required binary output (UTF8); required double weight;
    required group tags (LIST) { repeated group list { required binary element (UTF8); } }
}";

/// Three samples in two row groups.
fn alpaca(compression: Compression) -> Vec<u8> {
    let group = |ids: &[i64], instructions: &[&'static [u8]], weights: &[f64]| {
        let rows = ids.len();
        vec![
            Cells::Whole(ids.to_vec()),
            Cells::Text(instructions.to_vec()),
            Cells::Text(vec![b""; rows]),
            Cells::Text(vec![b"an answer"; rows]),
            Cells::Number(weights.to_vec()),
            Cells::Lists([0, 1].repeat(rows), vec![1; 2 * rows], [&b"a"[..], b"b"].repeat(rows)),
        ]
    };
    let first = group(&[7, 8], &["Füge zwei und zwei zusammen.".as_bytes(), b"Name a colour."], &[0.5, 1.5]);
    let second = group(&[9], &[b"Sort these."], &[f64::NAN]);
    file(ALPACA, &[first, second], compression)
}

fn compressions() -> [Compression; 5] {
    let (gzip, zstd) = (GzipLevel::default(), ZstdLevel::default());
    [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(gzip),
        Compression::ZSTD(zstd),
        Compression::LZ4_RAW,
    ]
}

#[test]
fn the_same_pool_as_from_json_lines() {
    let line = |id: i64, instruction: &str, weight: &str| {
        format!(
            "{{\"id\":{id},\"instruction\":{instruction:?},\"input\":\"\",\"output\":\"an answer\",\"weight\":{weight},\
             \"tags\":[\"a\",\"b\"]}}\n"
        )
    };
    let lines = [
        line(7, "Füge zwei und zwei zusammen.", "0.5"),
        line(8, "Name a colour.", "1.5"),
        line(9, "Sort these.", "null"),
    ];
    let json = pool_of(lines.concat().as_bytes()).unwrap();
    for compression in compressions() {
        let bytes = alpaca(compression);
        let pool = pool_of(&bytes).unwrap();
        assert_eq!(pool.samples, json.samples, "{compression:?}");
        assert_eq!((pool.roles.clone(), pool.id_kind), (json.roles.clone(), IdKind::Integer));
        assert_eq!(pool.columns, json.columns, "numbers, missing numbers and lists");
        assert_eq!(pool.report.format, FileFormat::Parquet);
        assert_eq!(pool.report.sha256, hex::encode(Sha256::digest(&bytes)));
        assert_eq!((pool.report.bytes, pool.report.text_bytes), (bytes.len() as u64, json.report.text_bytes));
    }
}

const TEXTS: &str = "message schema { required binary instruction; required binary output (UTF8); }";

fn texts(instructions: &[&'static [u8]]) -> Vec<u8> {
    let columns = vec![Cells::Text(instructions.to_vec()), Cells::Text(vec![b"b"; instructions.len()])];
    file(TEXTS, &[columns], Compression::SNAPPY)
}

#[test]
fn bytes_that_are_no_text_are_refused_rows() {
    let pool = pool_of(&texts(&[b"a", b"caf\xE9", b"c"])).unwrap();
    assert_eq!((pool.samples.len(), pool.report.bad_total, pool.report.bad[0].line), (2, 1, 2));
    assert!(pool.report.bad[0].reason.contains("0xE9"), "{}", pool.report.bad[0].reason);
    assert_eq!(pool.samples[1].id, "line:3");
    let none = pool_of(&texts(&[b"\xFF"])).unwrap_err().to_string();
    assert!(none.contains("row 1") && none.contains("pool.data"), "{none}");
}

#[test]
fn an_extra_column_of_pictures_costs_no_row() {
    let schema = "message schema { required binary instruction; required binary output; required binary image; }";
    let text = |cells| Cells::Text(cells);
    let columns = vec![text(vec![b"a", b"b"]), text(vec![b"x", b"y"]), text(vec![b"\x89PNG\xFF", b"none"])];
    let pool = pool_of(&file(schema, &[columns], Compression::SNAPPY)).unwrap();
    assert_eq!((pool.samples.len(), pool.report.bad_total), (2, 0));
    assert_eq!(pool.report.unread.get("image"), Some(&1));
    assert_eq!(pool.columns[0].name, "image");
}

#[test]
fn unusable_columns_are_named() {
    let schema = "message schema { required binary question (UTF8); required binary answer (UTF8); }";
    let bytes = file(schema, &[vec![Cells::Text(vec![b"a"]), Cells::Text(vec![b"b"])]], Compression::SNAPPY);
    assert!(pool_of(&bytes).unwrap_err().to_string().contains("question, answer"));
    let options = ReadOptions {
        roles: Some(paser_data::Roles {
            instruction: "question".to_owned(),
            input: None,
            output: "answer".to_owned(),
            id: None,
        }),
        ..ReadOptions::default()
    };
    assert_eq!(pool_with(&bytes, &options).unwrap().samples[0].instruction, "a");
    let empty = file(schema, &[], Compression::SNAPPY);
    assert!(pool_of(&empty).unwrap_err().to_string().contains("is empty"));
}

fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs_err::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn read(path: &Path) -> Result<Pool, DataError> {
    read_pool(path, &ReadOptions::default(), &Silent)
}

#[test]
fn shards_are_one_pool_in_the_order_of_their_names() {
    let shards = [
        ("train-00001-of-00002.parquet", texts(&[b"c", b"\xFF", b"a"])),
        ("train-00000-of-00002.parquet", texts(&[b"a", b"b"])),
    ];
    let folder = folder(&shards);
    let pool = read(folder.path()).unwrap();
    let ids: Vec<_> = pool.samples.iter().map(|sample| (sample.id.as_str(), sample.instruction.as_str())).collect();
    assert_eq!(ids, [("line:1", "a"), ("line:2", "b"), ("line:3", "c")]);
    assert_eq!((pool.aliases[0].id.as_str(), pool.report.rows_read), ("line:5", 5));
    let bad = &pool.report.bad[0];
    assert_eq!(bad.line, 4);
    assert!(bad.reason.contains("row 2 of train-00001"), "{}", bad.reason);
    let hash = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
    assert_eq!(pool.report.sha256, joined_hash(&[hash(&shards[1].1), hash(&shards[0].1)]));
    assert_eq!(parquet_size(&folder.path().join(shards[0].0)).unwrap().rows, 3);
    fs_err::remove_file(folder.path().join(shards[1].0)).unwrap();
    assert!(read(folder.path()).unwrap_err().to_string().contains("lacks shard 0"));
}

#[test]
fn text_files_of_a_folder_are_one_pool_too() {
    let line = |text: &str| format!("{{\"instruction\":\"{text}\",\"output\":\"b\"}}\n").into_bytes();
    let folder = folder(&[("b.jsonl", line("second")), ("a.jsonl", [&b"\n"[..], &line("first")].concat())]);
    let pool = read(folder.path()).unwrap();
    let found: Vec<_> = pool.samples.iter().map(|sample| (sample.id.as_str(), sample.instruction.as_str())).collect();
    assert_eq!(found, [("line:2", "first"), ("line:3", "second")]);
    fs_err::write(folder.path().join("c.jsonl"), b"[]").unwrap();
    assert!(read(folder.path()).unwrap_err().to_string().contains("several formats"));
}

#[test]
fn extra_columns_keep_their_kind() {
    let pool = pool_of(&alpaca(Compression::SNAPPY)).unwrap();
    let column = |name: &str| &pool.columns.iter().find(|column| column.name == name).unwrap().values;
    assert!(matches!(column("weight"), ColumnValues::Number(numbers) if numbers[0] == 0.5 && numbers[2].is_nan()));
    assert!(matches!(column("tags"), ColumnValues::Json(_)));
}

#[test]
fn a_file_that_breaks_off_is_named() {
    let bytes = alpaca(Compression::SNAPPY);
    for end in [4, 5, bytes.len() / 2, bytes.len() - 1] {
        let error = pool_of(&bytes[..end]).unwrap_err();
        assert!(matches!(error, DataError::Parquet { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("pool.data") && text.contains("download it again") && text.len() < 600, "{text}");
    }
    assert!(parquet_size(Path::new("absent.parquet")).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn damaged_parquet_never_panics(
        compression in 0usize..5,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..8), 1..6),
    ) {
        let mut bytes = alpaca(compressions()[compression]);
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len().max(1));
            match kind {
                _ if bytes.len() < 5 => break,
                0 => bytes.truncate(at),
                1 => bytes.insert(at, byte),
                _ => bytes[at] = byte,
            }
        }
        match pool_of(&bytes) {
            Ok(pool) => {
                let report = &pool.report;
                prop_assert_eq!(report.rows_read, report.kept + report.merged + report.bad_total);
                prop_assert_eq!(&report.sha256, &hex::encode(Sha256::digest(&bytes)));
            }
            Err(error) => prop_assert!(error.to_string().contains("pool.data"), "{}", error),
        }
    }
}
