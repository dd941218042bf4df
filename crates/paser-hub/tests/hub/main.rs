//! Downloads against a server of our own: what works, what is resumed, and one clear error for everything that can go
//! wrong between the hub and the cache folder.
#![allow(clippy::unwrap_used)]

mod dataset;
mod server;
mod size;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use paser_hub::{HubEnv, HubError, ModelId, Need, Pattern, cached_model, encoder_files, fetch_model, model_files};
use paser_protocol::{Monitor, Silent};
use server::{COMMIT, Reply, Request, Server, answer, etag, git_hash, sha256};

const WEIGHTS: &str = "model.safetensors";

fn weights() -> Vec<u8> {
    (0..1_500_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("config.json", b"{\"model_type\": \"llama\"}".to_vec()),
        ("tokenizer.json", b"{}".to_vec()),
        (WEIGHTS, weights()),
        ("pytorch_model.bin", vec![7; 10_000]),
    ]
}

struct Home {
    folder: tempfile::TempDir,
    env: HubEnv,
}

impl Home {
    fn new(server: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let env = HubEnv {
            endpoint: server.address.clone(),
            cache: folder.path().join("hub"),
            token: None,
            offline: false,
            certificates: None,
        };
        Self { folder, env }
    }

    fn with_token(mut self) -> Self {
        self.env.token = Some("hf_secret".to_owned());
        self
    }

    fn fetch(&self) -> Result<PathBuf, HubError> {
        fetch_model(&id(), &model_files(), &self.env, &Silent)
    }

    fn model(&self) -> PathBuf {
        self.env.cache.join("models--org--name")
    }

    fn blob(&self) -> PathBuf {
        self.model().join("blobs").join(sha256(&weights()))
    }
}

fn id() -> ModelId {
    "org/name".parse().unwrap()
}

fn is_download(request: &Request) -> bool {
    request.method == "GET" && request.path.starts_with("/storage/")
}

fn assert_whole(snapshot: &Path) {
    for (name, body) in &files()[..3] {
        assert!(fs_err::read(snapshot.join(name)).unwrap() == *body, "{name} differs");
    }
    assert!(!snapshot.join("pytorch_model.bin").exists(), "only wanted files are downloaded");
}

/// Fails the first `times` requests for which `when` holds.
fn fails(times: usize, when: fn(&Request) -> bool, reply: Reply) -> impl FnMut(&Request) -> Option<Reply> + Send {
    let mut left = times;
    move |request| {
        if left == 0 || !when(request) {
            return None;
        }
        left -= 1;
        Some(reply.clone())
    }
}

#[test]
fn a_model_arrives_in_the_layout_that_python_reads() {
    let server = Server::start(&files(), |_| None);
    let home = Home::new(&server);
    let snapshot = home.fetch().unwrap();
    assert_eq!(snapshot, home.model().join("snapshots").join(COMMIT));
    assert_whole(&snapshot);
    assert_eq!(fs_err::read_to_string(home.model().join("refs/main")).unwrap(), COMMIT);
    let blobs = home.model().join("blobs");
    let mut names: Vec<_> =
        fs_err::read_dir(&blobs).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let mut expected: Vec<_> = files()[..3].iter().map(|(name, body)| etag(name, body)).collect();
    expected.sort();
    assert_eq!(names, expected);
    #[cfg(unix)]
    assert_eq!(
        fs_err::read_link(snapshot.join(WEIGHTS)).unwrap(),
        Path::new("../../blobs").join(sha256(&weights())),
        "pointers are relative, as Python writes them"
    );
}

#[test]
fn a_cached_model_needs_no_request() {
    let server = Server::start(&files(), |_| None);
    let mut home = Home::new(&server);
    let first = home.fetch().unwrap();
    let before = server.requests().len();
    assert_eq!(home.fetch().unwrap(), first);
    assert_eq!(server.requests().len(), before);
    assert_eq!(cached_model(&id(), &model_files(), &home.env), Some(first.clone()));
    home.env.offline = true;
    assert_eq!(home.fetch().unwrap(), first);
    let pinned: ModelId = format!("org/name@{COMMIT}").parse().unwrap();
    assert_eq!(fetch_model(&pinned, &model_files(), &home.env, &Silent).unwrap(), first);
}

#[test]
fn offline_with_nothing_or_half_cached_says_what_is_missing() {
    let server = Server::start(&files(), |_| None);
    let mut home = Home::new(&server);
    home.env.offline = true;
    let message = home.fetch().unwrap_err().to_string();
    assert!(message.contains("HF_HUB_OFFLINE") && message.contains("org/name"), "{message}");
    assert!(server.requests().is_empty());
    home.env.offline = false;
    let snapshot = home.fetch().unwrap();
    fs_err::remove_file(home.blob()).unwrap();
    home.env.offline = true;
    let message = home.fetch().unwrap_err().to_string();
    assert!(message.contains(WEIGHTS), "a dangling pointer is no file: {message}");
    home.env.offline = false;
    assert_whole(&home.fetch().unwrap());
    assert_eq!(home.fetch().unwrap(), snapshot);
}

#[test]
fn a_cut_connection_goes_on_where_it_stopped() {
    let cut = |request: &Request| {
        let all = files().into_iter().map(|(name, body)| (name.to_owned(), body)).collect();
        Reply { cut: Some(400_000), ..answer(request, &all) }
    };
    let mut cuts = 0;
    let server = Server::start(&files(), move |request| {
        if !is_download(request) || cuts == 3 {
            return None;
        }
        cuts += 1;
        Some(cut(request))
    });
    let home = Home::new(&server);
    assert_whole(&home.fetch().unwrap());
    let ranges: Vec<String> = server
        .requests()
        .iter()
        .filter(|request| is_download(request))
        .map(|request| request.header("range").unwrap_or("whole").to_owned())
        .collect();
    assert_eq!(ranges, ["whole", "bytes=400000-", "bytes=800000-", "bytes=1200000-"]);
}

#[test]
fn an_earlier_run_is_continued_and_a_damaged_one_started_again() {
    for (damaged, expected) in [(false, vec!["bytes=700000-"]), (true, vec!["bytes=700000-", "whole"])] {
        let server = Server::start(&files(), |_| None);
        let home = Home::new(&server);
        fs_err::create_dir_all(home.model().join("blobs")).unwrap();
        let mut half = weights()[..700_000].to_vec();
        half[3] ^= u8::from(damaged);
        fs_err::write(format!("{}.incomplete", home.blob().display()), half).unwrap();
        assert_whole(&home.fetch().unwrap());
        let requests = server.requests();
        let ranges: Vec<&str> = requests
            .iter()
            .filter(|request| is_download(request))
            .map(|request| request.header("range").unwrap_or("whole"))
            .collect();
        assert_eq!(ranges, expected, "damaged: {damaged}");
    }
}

#[test]
fn a_server_without_ranges_sends_the_whole_file_again() {
    let server = Server::start(&files(), |request| {
        is_download(request).then(|| Reply { status: 200, body: weights(), ..Reply::default() })
    });
    let home = Home::new(&server);
    fs_err::create_dir_all(home.model().join("blobs")).unwrap();
    fs_err::write(format!("{}.incomplete", home.blob().display()), [1; 1000]).unwrap();
    assert_whole(&home.fetch().unwrap());
}

#[test]
fn gated_private_unknown_each_say_what_to_do() {
    let listing = |request: &Request| request.path.starts_with("/api/");
    let message = |status: u16, code: &str, token: bool| {
        let server = Server::start(&files(), fails(9, listing, Reply::status(status).with("x-error-code", code)));
        let home = Home::new(&server);
        let home = if token { home.with_token() } else { home };
        let message = home.fetch().unwrap_err().to_string();
        assert!(message.contains("org/name"), "{message}");
        assert!(!message.contains("hf_secret"), "{message}");
        assert!(!home.env.cache.exists(), "nothing is left behind");
        assert_eq!(server.requests().len(), 1, "no use in trying again");
        message
    };
    assert!(message(401, "RepoNotFound", false).contains("private or gated"));
    assert!(message(401, "GatedRepo", false).contains("accept its licence"));
    assert!(message(403, "GatedRepo", false).contains("HF_TOKEN"));
    assert!(message(403, "GatedRepo", true).contains("without access"));
    assert!(message(401, "", true).contains("not accepted"));
    assert!(message(401, "RepoNotFound", true).contains("does not exist"));
    assert!(message(404, "RepoNotFound", false).contains("check the spelling"));
    assert!(message(404, "RevisionNotFound", false).contains("no revision 'main'"));
}

#[test]
fn a_gated_file_of_an_open_listing_is_gated() {
    let file = |request: &Request| request.path.contains("/resolve/");
    let server = Server::start(&files(), fails(9, file, Reply::status(403).with("x-error-code", "GatedRepo")));
    assert!(matches!(Home::new(&server).fetch(), Err(HubError::Gated { .. })));
}

#[test]
fn too_many_requests_are_waited_out() {
    let server = Server::start(&files(), fails(2, |_| true, Reply::status(429).with("retry-after", 1)));
    let started = std::time::Instant::now();
    assert_whole(&Home::new(&server).fetch().unwrap());
    assert!(started.elapsed().as_secs_f64() >= 2.0, "Retry-After is kept");
    let server = Server::start(&files(), fails(9, |_| true, Reply::status(429).with("retry-after", 3600)));
    let message = Home::new(&server).fetch().unwrap_err().to_string();
    assert!(message.contains("wait 3600 s"), "{message}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_server_in_trouble_is_asked_again() {
    let server = Server::start(&files(), fails(2, is_download, Reply::status(503)));
    assert_whole(&Home::new(&server).fetch().unwrap());
    let server = Server::start(&files(), fails(99, |_| true, Reply::status(500)));
    let message = Home::new(&server).fetch().unwrap_err().to_string();
    assert!(message.contains("answered 500"), "{message}");
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn a_wrong_checksum_is_never_kept() {
    for file in [WEIGHTS, "config.json"] {
        let server = Server::start(&files(), move |request| {
            let is_it = request.method == "GET" && request.path.ends_with(file) && !request.path.starts_with("/api/");
            let all: std::collections::BTreeMap<_, _> =
                files().into_iter().map(|(name, body)| (name.to_owned(), body)).collect();
            let mut reply = answer(request, &all);
            if !is_it || reply.status == 302 {
                return None;
            }
            reply.body[1] ^= 1;
            Some(reply)
        });
        let home = Home::new(&server);
        let error = home.fetch().unwrap_err();
        assert!(matches!(error, HubError::Checksum { .. }), "{error}");
        assert!(error.to_string().contains(file), "{error}");
        let kept = fs_err::read_dir(home.model().join("blobs")).unwrap().map(|entry| entry.unwrap().file_name());
        let wrong = etag(file, &files().iter().find(|entry| entry.0 == file).unwrap().1);
        assert!(kept.into_iter().all(|name| !name.to_string_lossy().starts_with(&wrong)));
        assert!(!home.model().join("refs/main").exists());
    }
}

#[test]
fn the_token_reaches_the_hub_and_no_other_host() {
    let storage = Server::start(&files(), |_| None);
    let elsewhere = storage.address.clone();
    let hub = Server::start(&files(), move |request| {
        (request.path.contains("/resolve/") && request.path.ends_with(WEIGHTS)).then(|| {
            Reply::status(302)
                .with("x-linked-etag", format!("\"{}\"", sha256(&weights())))
                .with("x-linked-size", weights().len())
                .with("location", format!("{elsewhere}/storage/{WEIGHTS}"))
        })
    });
    assert_whole(&Home::new(&hub).with_token().fetch().unwrap());
    assert!(hub.requests().iter().all(|request| request.header("authorization") == Some("Bearer hf_secret")));
    assert_eq!(storage.requests().len(), 1);
    assert!(storage.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn a_mirror_that_knows_only_names_serves_too() {
    let server = Server::start(&files(), |request| {
        if request.path.starts_with("/api/") {
            let names: Vec<_> = files().iter().map(|(name, _)| serde_json::json!({"rfilename": name})).collect();
            let body = serde_json::json!({"sha": COMMIT, "siblings": names}).to_string().into_bytes();
            return Some(Reply { status: 200, body, ..Reply::default() });
        }
        if request.method == "HEAD" {
            return Some(Reply::status(405));
        }
        let name = request.path.rsplit('/').next().unwrap();
        let body = files().into_iter().find(|entry| entry.0 == name).unwrap().1;
        Some(Reply { status: 200, body, ..Reply::default() })
    });
    let home = Home::new(&server);
    assert_whole(&home.fetch().unwrap());
    assert!(server.requests().iter().all(|request| request.header("host").unwrap() == &server.address[7..]));
}

#[test]
fn file_names_that_leave_the_cache_are_refused_where_they_are_wanted() {
    let any = [Pattern::new("*/*/*", Need::Optional), Pattern::new("*\\*", Need::Optional)];
    for name in ["../../evil", "/etc/passwd", "a\\..\\b"] {
        let mut all = files();
        all.push((name, vec![1]));
        let server = Server::start(&all, |_| None);
        let home = Home::new(&server);
        let error = fetch_model(&id(), &[&model_files()[..], &any].concat(), &home.env, &Silent).unwrap_err();
        assert!(matches!(error, HubError::UnsafeName { .. }), "{name}: {error}");
        assert!(!home.env.cache.exists());
        assert_whole(&home.fetch().unwrap());
    }
}

#[test]
fn etags_that_are_no_hashes_name_nothing_and_check_nothing() {
    for foreign in ["\"../../evil\"", "\"\"", "W/\"5f3a-16e360\"", "\"9e107d9d372bb6826bd81d3542a419d6\""] {
        for damaged in [false, true] {
            let server = Server::start(&files(), move |request| {
                let name = request.path.rsplit('/').next().unwrap();
                let mut body = files().into_iter().find(|entry| entry.0 == name)?.1;
                body[1] ^= u8::from(damaged && name == WEIGHTS);
                Some(Reply { status: 200, body, ..Reply::default() }.with("etag", foreign))
            });
            let home = Home::new(&server);
            if damaged {
                let error = home.fetch().unwrap_err();
                assert!(matches!(error, HubError::Checksum { .. }), "{foreign}: {error}");
            } else {
                assert_whole(&home.fetch().unwrap());
                assert!(home.blob().exists(), "{foreign}: the listing names the blob");
            }
        }
    }
}

#[test]
fn a_hash_of_git_is_checked_where_no_size_is_known() {
    let server = Server::start(&files(), |request| {
        if request.path.starts_with("/api/") {
            let name =
                |(name, body): (&str, Vec<u8>)| serde_json::json!({"rfilename": name, "blobId": git_hash(&body)});
            let names: Vec<_> = files().into_iter().map(name).collect();
            let body = serde_json::json!({"sha": COMMIT, "siblings": names}).to_string().into_bytes();
            return Some(Reply { status: 200, body, ..Reply::default() });
        }
        let name = request.path.rsplit('/').next().unwrap();
        let mut body = files().into_iter().find(|entry| entry.0 == name)?.1;
        body[1] ^= 1;
        let length = body.len();
        // As a stream tells no length to who asks with HEAD.
        let reply = Reply { status: 200, body, ..Reply::default() };
        Some(if request.method == "HEAD" {
            reply.with("content-length", 0)
        } else {
            reply.with("content-length", length)
        })
    });
    let error = Home::new(&server).fetch().unwrap_err();
    assert!(matches!(error, HubError::Checksum { .. }), "{error}");
}

#[test]
fn an_empty_file_arrives_too() {
    for listed in [true, false] {
        let mut all = files();
        all.push(("added_tokens.json", Vec::new()));
        let server = Server::start(&all, move |request| {
            if request.header("range").is_some() && request.path.ends_with("added_tokens.json") {
                return Some(Reply::status(416).with("content-range", "bytes */0"));
            }
            if listed || !request.path.starts_with("/api/") {
                return None;
            }
            let mut names: Vec<_> = files().iter().map(|(name, _)| serde_json::json!({"rfilename": name})).collect();
            names.push(serde_json::json!({"rfilename": "added_tokens.json"}));
            let body = serde_json::json!({"sha": COMMIT, "siblings": names}).to_string().into_bytes();
            Some(Reply { status: 200, body, ..Reply::default() })
        });
        let home = Home::new(&server);
        let snapshot = home.fetch().unwrap();
        assert_whole(&snapshot);
        assert_eq!(fs_err::read(snapshot.join("added_tokens.json")).unwrap(), b"", "size listed: {listed}");
    }
}

#[test]
fn a_cached_encoder_without_its_pooling_is_completed() {
    let mut all = files();
    all.push(("modules.json", b"[]".to_vec()));
    all.push(("1_Pooling/config.json", b"{\"pooling_mode_cls_token\": true}".to_vec()));
    let server = Server::start(&all, |_| None);
    let mut home = Home::new(&server);
    // somebody took the repository as a language model before
    let snapshot = home.fetch().unwrap();
    assert_eq!(cached_model(&id(), &encoder_files(), &home.env), None);
    home.env.offline = true;
    let message = fetch_model(&id(), &encoder_files(), &home.env, &Silent).unwrap_err().to_string();
    assert!(message.contains("modules.json"), "{message}");
    home.env.offline = false;
    assert_eq!(fetch_model(&id(), &encoder_files(), &home.env, &Silent).unwrap(), snapshot);
    for file in ["1_Pooling/config.json", "modules.json"] {
        assert!(snapshot.join(file).exists());
        fs_err::remove_file(snapshot.join(file)).unwrap();
        assert_eq!(cached_model(&id(), &encoder_files(), &home.env), None, "without {file}");
        assert_eq!(fetch_model(&id(), &encoder_files(), &home.env, &Silent).unwrap(), snapshot);
    }

    let server = Server::start(&files(), |_| None);
    let message = fetch_model(&id(), &encoder_files(), &Home::new(&server).env, &Silent).unwrap_err().to_string();
    assert!(message.contains("no sentence encoder"), "{message}");
}

#[test]
fn a_repository_without_safetensors_says_what_it_has() {
    let server =
        Server::start(&[("config.json", vec![]), ("tokenizer.json", vec![]), ("pytorch_model.bin", vec![])], |_| None);
    let message = Home::new(&server).fetch().unwrap_err().to_string();
    assert!(message.contains("pickle"), "{message}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_with_the_bytes_that_are_missing() {
    let server = Server::start(&files(), |_| None);
    let home = Home::new(&server);
    fs_err::create_dir_all(home.model().join("blobs")).unwrap();
    // every write to this device fails as on a full disk
    std::os::unix::fs::symlink("/dev/full", format!("{}.incomplete", home.blob().display())).unwrap();
    let message = home.fetch().unwrap_err().to_string();
    assert!(message.contains("disk is full") && message.contains("1500000"), "{message}");
}

#[test]
fn nobody_listening_is_said_so() {
    let server = Server::start(&files(), |_| None);
    let mut home = Home::new(&server);
    home.env.endpoint = "http://127.0.0.1:9".to_owned();
    let message = home.fetch().unwrap_err().to_string();
    assert!(message.contains("HF_ENDPOINT") && message.contains("HF_HUB_OFFLINE"), "{message}");
}

#[test]
fn certificates_that_cannot_be_read_are_named() {
    let server = Server::start(&files(), |_| None);
    let mut home = Home::new(&server);
    let path = home.folder.path().join("own.pem");
    home.env.certificates = Some(path.clone());
    assert!(home.fetch().unwrap_err().to_string().contains("SSL_CERT_FILE"));
    fs_err::write(&path, "no certificate").unwrap();
    assert!(home.fetch().unwrap_err().to_string().contains("own.pem"));
}

#[derive(Default)]
struct Watch {
    done: AtomicU64,
    totals: Mutex<Vec<u64>>,
    stop_after: Option<u64>,
    stopped: AtomicBool,
}

impl Monitor for Watch {
    fn progress(&self, done: u64, total: u64) {
        let before = self.done.swap(done, Ordering::Relaxed);
        assert!(done >= before && done <= total, "{before} -> {done} of {total}");
        self.totals.lock().unwrap().push(total);
        if self.stop_after.is_some_and(|after| done >= after) {
            self.stopped.store(true, Ordering::Relaxed);
        }
    }

    fn cancelled(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

#[test]
fn progress_counts_bytes_and_a_cancelled_download_goes_on_later() {
    let server = Server::start(&files(), |_| None);
    let home = Home::new(&server);
    let early = Watch { stop_after: Some(600_000), ..Watch::default() };
    assert!(matches!(fetch_model(&id(), &model_files(), &home.env, &early), Err(HubError::Cancelled)));
    let half = fs_err::metadata(format!("{}.incomplete", home.blob().display())).unwrap().len();
    assert!((500_000..1_500_000).contains(&half), "{half}");
    let watch = Watch::default();
    assert_whole(&fetch_model(&id(), &model_files(), &home.env, &watch).unwrap());
    assert_eq!(watch.done.load(Ordering::Relaxed), 1_500_000, "small files were there, the rest was resumed");
    let last = server.requests().last().unwrap().header("range").unwrap().to_owned();
    assert_eq!(last, format!("bytes={half}-"));
}

#[test]
fn a_server_that_hangs_keeps_no_cancel_waiting() {
    let answered = Arc::new(AtomicBool::new(false));
    let late = answered.clone();
    let server = Server::start(&files(), move |_| {
        std::thread::sleep(std::time::Duration::from_secs(8));
        late.store(true, Ordering::Relaxed);
        None
    });
    let home = Home::new(&server);
    let watch = Watch { stopped: AtomicBool::new(true), ..Watch::default() };
    assert!(matches!(fetch_model(&id(), &model_files(), &home.env, &watch), Err(HubError::Cancelled)));
    assert!(!answered.load(Ordering::Relaxed), "the cancel waited for the answer");
}

#[test]
fn two_downloads_of_one_model_share_it() {
    let server = Server::start(&files(), |_| None);
    let home = Home::new(&server);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..3).map(|_| scope.spawn(|| home.fetch().unwrap())).collect();
        all.into_iter().for_each(|one| assert_whole(&one.join().unwrap()));
    });
    let downloads = server.requests().iter().filter(|request| is_download(request)).count();
    assert_eq!(downloads, 1, "the lock lets one of them download");
}
