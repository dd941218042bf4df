//! Data sets from the same server: both layouts of files, a chosen part, and everything that can keep it from arriving.

use std::collections::BTreeMap;

use paser_hub::{
    Dataset, DatasetInfo, DatasetRef, HubError, cached_dataset, clear_downloads, dataset_info, fetch_dataset,
};
use paser_protocol::Silent;
use serde_json::{Value, json};

use super::{Home, Watch, is_download};
use crate::server::{COMMIT, Reply, Request, Server, answer, etag, is_large, sha256};

/// The commit of the converted branch.
const COPY: &str = "fedcba9876543210fedcba9876543210fedcba98";

/// A commit before the newest one.
const OLDER: &str = "1123456789abcdef0123456789abcdef01234567";

type Files = Vec<(&'static str, Vec<u8>)>;

fn rows(seed: u32) -> Vec<u8> {
    (0..600_000u32).map(|i| (i.wrapping_mul(2_654_435_761).wrapping_add(seed << 24) >> 24) as u8).collect()
}

fn sharded() -> Files {
    vec![
        ("README.md", b"---\nlicense: cc-by-4.0\n---\n".to_vec()),
        ("data/test-00000-of-00001.parquet", rows(3)),
        ("data/train-00000-of-00002.parquet", rows(1)),
        ("data/train-00001-of-00002.parquet", rows(2)),
    ]
}

fn listing(commit: &str, files: &Files, card: &Value) -> Reply {
    let sibling = |(name, body): &(&str, Vec<u8>)| {
        let lfs = is_large(name).then(|| json!({"sha256": sha256(body), "size": body.len()}));
        json!({"rfilename": name, "size": body.len(), "blobId": etag(name, body), "lfs": lfs})
    };
    let siblings: Vec<Value> = files.iter().map(sibling).collect();
    let body = json!({"sha": commit, "siblings": siblings, "cardData": card, "gated": false}).to_string().into_bytes();
    Reply { status: 200, body, ..Reply::default() }
}

/// A hub with one data set, its own files and those of the converted branch, and a fault.
fn hub(
    own: Files,
    copy: Files,
    card: Value,
    mut fault: impl FnMut(&Request) -> Option<Reply> + Send + 'static,
) -> (Server, Home) {
    let server = Server::start(&[], move |request| {
        if let Some(reply) = fault(request) {
            return Some(reply);
        }
        let path = request.path.split('?').next().unwrap_or_default();
        if path == "/api/datasets/org/name/revision/main" {
            return Some(listing(COMMIT, &own, &card));
        }
        if path == "/api/datasets/org/name/revision/older" {
            return Some(listing(OLDER, &own, &card));
        }
        if path == "/api/datasets/org/name/revision/refs%2Fconvert%2Fparquet" {
            let missing = Reply::status(404).with("x-error-code", "RevisionNotFound");
            return Some(if copy.is_empty() { missing } else { listing(COPY, &copy, &Value::Null) });
        }
        // The rest is what the server of models does, under other names.
        let all: BTreeMap<String, Vec<u8>> =
            own.iter().chain(&copy).map(|(name, body)| ((*name).to_owned(), body.clone())).collect();
        let plain = [COMMIT, COPY].iter().find_map(|commit| {
            let file = path.strip_prefix(&format!("/datasets/org/name/resolve/{commit}/"))?;
            Some(format!("/org/name/resolve/{COMMIT}/{file}"))
        });
        let path = plain.unwrap_or_else(|| path.to_owned());
        Some(answer(&Request { path, ..request.clone() }, &all))
    });
    let home = Home::new(&server);
    (server, home)
}

fn named(text: &str) -> DatasetRef {
    text.parse().unwrap()
}

fn fetch(home: &Home, text: &str) -> Result<Dataset, HubError> {
    fetch_dataset(&named(text), &home.env, &Silent)
}

fn parts(info: &DatasetInfo) -> Vec<String> {
    info.parts.iter().map(paser_hub::DatasetPart::name).collect()
}

fn contents(dataset: &Dataset) -> Vec<Vec<u8>> {
    dataset.files.iter().map(|file| fs_err::read(file).unwrap()).collect()
}

#[test]
fn the_shards_of_one_split_arrive_in_order_in_the_layout_that_python_reads() {
    let card = json!({"license": "cc-by-4.0", "dataset_info":
        {"splits": [{"name": "train", "num_examples": 12, "num_bytes": 3_000_000}]}});
    let (server, mut home) = hub(sharded(), vec![], card, |_| None);
    let info = dataset_info(&named("hub:org/name"), &home.env, &Silent).unwrap();
    assert_eq!(parts(&info), ["default/test", "default/train"]);
    assert_eq!((info.licence.as_deref(), info.gated, info.is_converted()), (Some("cc-by-4.0"), false, false));
    assert_eq!((info.parts[1].bytes(), info.parts[1].rows), (Some(1_200_000), Some(12)));
    let train = named("hub:org/name:default/train");
    assert_eq!(info.missing_bytes(&train, &info.parts[1], &home.env), Some(1_200_000));
    assert!(!server.requests().iter().any(is_download), "a look fetches nothing");

    let dataset = fetch(&home, "hub:org/name:default/train").unwrap();
    assert_eq!(contents(&dataset), [rows(1), rows(2)]);
    assert_eq!((dataset.commit.as_str(), dataset.licence.as_deref()), (COMMIT, Some("cc-by-4.0")));
    let folder = home.env.cache.join("datasets--org--name");
    assert_eq!(dataset.files[0], folder.join("snapshots").join(COMMIT).join("data/train-00000-of-00002.parquet"));
    assert_eq!(fs_err::read_to_string(folder.join("refs/main")).unwrap(), COMMIT);
    assert!(folder.join("blobs").join(sha256(&rows(1))).exists());
    assert_eq!(info.missing_bytes(&train, &info.parts[1], &home.env), Some(0));

    let before = server.requests().len();
    home.env.offline = true;
    assert_eq!(fetch(&home, "hub:org/name:default/train").unwrap(), dataset);
    assert_eq!(dataset_info(&train, &home.env, &Silent).unwrap(), info, "what was fetched is known offline");
    let error = fetch(&home, "hub:org/name:default/test").unwrap_err().to_string();
    assert!(error.contains("HF_HUB_OFFLINE") && error.contains("hub:org/name:default/test"), "{error}");
    assert_eq!(server.requests().len(), before);
    fs_err::remove_file(folder.join("blobs").join(sha256(&rows(2)))).unwrap();
    assert_eq!(cached_dataset(&train, &home.env), None, "a dangling pointer is no file");
}

#[test]
fn a_part_has_to_be_chosen_where_there_are_several() {
    let (server, home) = hub(sharded(), vec![], Value::Null, |_| None);
    let error = fetch(&home, "hub:org/name").unwrap_err().to_string();
    assert!(error.contains("default/test, default/train"), "{error}");
    let error = fetch(&home, "hub:org/name:default/valid").unwrap_err().to_string();
    assert!(error.contains("no part default/valid") && error.contains("default/train"), "{error}");
    assert!(!server.requests().iter().any(is_download) && !home.env.cache.exists());
    let (_server, home) = hub(vec![("pool.jsonl", b"{}".to_vec())], vec![], Value::Null, |_| None);
    assert_eq!(contents(&fetch(&home, "hub:org/name").unwrap()), [b"{}"]);
}

#[test]
fn the_converted_branch_stands_in_for_what_is_not_read() {
    let own = vec![("README.md", vec![]), ("rows.csv", vec![1])];
    let copy = vec![("plain/train/0000.parquet", rows(5)), ("plain/train/0001.parquet", rows(6))];
    let (server, home) = hub(own.clone(), copy, json!({"license": ["mit", "apache-2.0"]}), |_| None);
    let info = dataset_info(&named("hub:org/name"), &home.env, &Silent).unwrap();
    assert_eq!((parts(&info), info.is_converted()), (vec!["plain/train".to_owned()], true));
    let dataset = fetch(&home, "hub:org/name").unwrap();
    assert_eq!(contents(&dataset), [rows(5), rows(6)]);
    assert_eq!((dataset.commit.as_str(), dataset.licence.as_deref()), (COMMIT, Some("mit, apache-2.0")));
    assert_eq!(dataset.copy.as_deref(), Some(COPY));
    assert!(dataset.files[0].starts_with(home.env.cache.join("datasets--org--name/snapshots").join(COPY)));
    let before = server.requests().len();
    assert_eq!(fetch(&home, "hub:org/name").unwrap(), dataset);
    assert_eq!(server.requests().len(), before, "what is cached needs no request");

    let (_server, home) = hub(own, vec![], Value::Null, |_| None);
    let error = fetch(&home, "hub:org/name").unwrap_err().to_string();
    assert!(error.contains("*.parquet") && error.contains("convert it"), "{error}");
}

#[test]
fn an_older_revision_is_never_answered_by_a_copy_of_the_newest_one() {
    let own = vec![("rows.csv", vec![1])];
    let copy = vec![("plain/train/0000.parquet", rows(5))];
    let (server, home) = hub(own, copy, Value::Null, |_| None);
    let error = fetch(&home, "hub:org/name@older").unwrap_err().to_string();
    assert!(error.contains("newest state only"), "{error}");
    assert!(!server.requests().iter().any(is_download));
}

#[test]
fn a_part_whose_files_are_not_one_pool_is_refused_in_words() {
    let card = json!({"configs": [{"data_files": [
        {"split": "train", "path": "*.jsonl"}, {"split": "test", "path": ["held.jsonl", "lost.jsonl"]}]}]});
    let own = vec![("a.jsonl", rows(1)), ("held.jsonl", rows(2))];
    let (server, home) = hub(own, vec![], card, |_| None);
    let error = fetch(&home, "hub:org/name:default/test").unwrap_err().to_string();
    assert!(error.contains("default/test") && error.contains("lost.jsonl"), "{error}");
    assert!(!server.requests().iter().any(is_download));
    assert_eq!(fetch(&home, "hub:org/name:default/train").unwrap().files.len(), 2);
    let gone = json!({"configs": [{"data_files": "gone/*"}]});
    let (_server, home) = hub(vec![("a.jsonl", rows(1))], vec![("x/train/0.parquet", rows(3))], gone.clone(), |_| None);
    assert_eq!(
        contents(&fetch(&home, "hub:org/name").unwrap()),
        [rows(3)],
        "the copy where the card's files are not read"
    );
    let (_server, home) = hub(vec![("a.jsonl", rows(1))], vec![], gone, |_| None);
    let error = fetch(&home, "hub:org/name").unwrap_err().to_string();
    assert!(error.contains("gone/*"), "{error}");
}

#[test]
fn a_cancelled_download_goes_on_where_it_stopped() {
    let (server, home) = hub(sharded(), vec![], Value::Null, |_| None);
    let early = Watch { stop_after: Some(800_000), ..Watch::default() };
    let train = named("hub:org/name:default/train");
    let error = fetch_dataset(&train, &home.env, &early).unwrap_err();
    assert!(matches!(error, HubError::Cancelled), "{error}");
    assert_eq!(cached_dataset(&train, &home.env), None);
    assert_eq!(contents(&fetch(&home, "hub:org/name:default/train").unwrap()), [rows(1), rows(2)]);
    let last = server.requests().iter().rfind(|request| is_download(request)).unwrap().clone();
    assert!(last.header("range").is_some_and(|range| range.starts_with("bytes=")), "{last:?}");
}

#[test]
fn what_a_program_is_downloading_is_not_cleared_under_it() {
    let (_server, home) = hub(sharded(), vec![], Value::Null, |_| None);
    let (folder, train) = ("datasets--org--name", "hub:org/name:default/train");
    fetch(&home, train).unwrap();
    let lock = home.env.cache.join(".locks").join(folder).join(format!("{}.lock", sha256(&rows(1))));
    let other = fs_err::File::open(lock).unwrap();
    other.lock().unwrap();
    assert!(!clear_downloads(&home.env, folder).unwrap());
    assert!(cached_dataset(&named(train), &home.env).is_some());
    drop(other);
    assert!(clear_downloads(&home.env, folder).unwrap());
    assert!(cached_dataset(&named(train), &home.env).is_none());
    assert_eq!(contents(&fetch(&home, train).unwrap()), [rows(1), rows(2)], "it can be had again");
}

#[test]
fn a_wrong_checksum_is_never_kept() {
    let (_server, home) = hub(sharded(), vec![], Value::Null, |request| {
        (is_download(request) && request.path.ends_with("00001-of-00002.parquet")).then(|| {
            let mut body = rows(2);
            body[9] ^= 1;
            Reply { status: 200, body, ..Reply::default() }
        })
    });
    let error = fetch(&home, "hub:org/name:default/train").unwrap_err();
    assert!(matches!(error, HubError::Checksum { .. }) && error.to_string().contains("train-00001"), "{error}");
    assert!(!home.env.cache.join("datasets--org--name/refs/main").exists());
}

#[test]
fn a_gated_data_set_says_where_a_token_is_read_from() {
    for status in [401, 403] {
        let gate = move |request: &Request| {
            let open = request.header("authorization") == Some("Bearer hf_secret");
            let refused = Reply::status(status).with("x-error-code", "GatedRepo");
            (request.path.contains("/resolve/") && !open).then_some(refused)
        };
        let (server, home) = hub(sharded(), vec![], Value::Null, gate);
        let error = fetch(&home, "hub:org/name:default/train").unwrap_err().to_string();
        for part in ["org/name", "HF_TOKEN", "token file", "licence"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let home = home.with_token();
        assert_eq!(contents(&fetch(&home, "hub:org/name:default/train").unwrap()), [rows(1), rows(2)]);
        let to_hub = server.requests();
        assert!(to_hub.iter().any(|request| request.header("authorization").is_some()));
    }
}

#[test]
fn file_names_that_leave_the_cache_are_refused() {
    for name in ["../train/x.parquet", "data\\..\\..\\train.jsonl"] {
        let (_server, home) = hub(vec![(name, rows(1))], vec![], Value::Null, |_| None);
        let error = fetch(&home, "hub:org/name").unwrap_err();
        assert!(matches!(error, HubError::UnsafeName { .. } | HubError::Lacks { .. }), "{name}: {error}");
        assert!(!home.env.cache.exists());
    }
}
