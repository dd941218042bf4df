//! A small HTTP server that plays the hub: it knows one repository, counts requests, keeps their headers and answers
//! with whatever fault a test asks for.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Close the connection after so many bytes of the body.
    pub cut: Option<usize>,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }
}

/// What to answer to a request; `None`: as a working hub does.
pub type Fault = Box<dyn FnMut(&Request) -> Option<Reply> + Send>;

pub struct Server {
    pub address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// A hub with one repository of the given files, `.safetensors` stored as large files.
    pub fn start(files: &[(&str, Vec<u8>)], fault: impl FnMut(&Request) -> Option<Reply> + Send + 'static) -> Self {
        let files: BTreeMap<String, Vec<u8>> =
            files.iter().map(|(name, body)| ((*name).to_owned(), body.clone())).collect();
        let fault: Arc<Mutex<Fault>> = Arc::new(Mutex::new(Box::new(fault)));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = requests.clone();
        let listen = move || {
            for stream in listener.incoming().flatten() {
                let (files, fault, seen) = (files.clone(), fault.clone(), seen.clone());
                start("connection", move || serve(stream, &files, &fault, &seen));
            }
        };
        start("server", listen);
        Self { address, requests }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name(name.to_owned()).spawn(work).unwrap();
}

fn serve(stream: TcpStream, files: &BTreeMap<String, Vec<u8>>, fault: &Mutex<Fault>, seen: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let request = Request { method, path, headers };
        seen.lock().unwrap().push(request.clone());
        let fault = fault.lock().unwrap()(&request);
        let reply = fault.unwrap_or_else(|| answer(&request, files));
        if write(&stream, &request, &reply).is_err() || reply.cut.is_some() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

fn write(mut stream: &TcpStream, request: &Request, reply: &Reply) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} X\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !reply.headers.iter().any(|(name, _)| name == "content-length") {
        head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if request.method != "HEAD" {
        stream.write_all(&reply.body[..reply.cut.unwrap_or(reply.body.len())])?;
    }
    stream.flush()
}

pub fn sha256(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

pub fn is_large(name: &str) -> bool {
    name.ends_with(".safetensors") || name.ends_with(".parquet")
}

/// The name of a blob on the hub.
pub fn etag(name: &str, body: &[u8]) -> String {
    if is_large(name) {
        return sha256(body);
    }
    git_hash(body)
}

pub fn git_hash(body: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", body.len()));
    hash.update(body);
    hex::encode(hash.finalize())
}

/// A working hub: `/api/models/org/name/revision/main`, `/org/name/resolve/COMMIT/file`, and `/storage/file` where large
/// files are redirected to.
pub fn answer(request: &Request, files: &BTreeMap<String, Vec<u8>>) -> Reply {
    let path = request.path.split('?').next().unwrap_or_default();
    if path == "/api/models/org/name/revision/main" || path == format!("/api/models/org/name/revision/{COMMIT}") {
        let siblings: Vec<_> = files
            .iter()
            .map(|(name, body)| {
                let lfs = is_large(name).then(|| json!({"sha256": sha256(body), "size": body.len()}));
                json!({"rfilename": name, "size": body.len(), "blobId": etag(name, body), "lfs": lfs})
            })
            .collect();
        let weights = json!({"parameters": {"F32": 375_000}, "total": 375_000});
        let body = json!({"sha": COMMIT, "siblings": siblings, "safetensors": weights}).to_string().into_bytes();
        return Reply { status: 200, body, ..Reply::default() };
    }
    let resolve = format!("/org/name/resolve/{COMMIT}/");
    let Some(name) = path.strip_prefix(&resolve).or_else(|| path.strip_prefix("/storage/")) else {
        return Reply::status(404).with("x-error-code", "RepoNotFound");
    };
    let Some(body) = files.get(name) else { return Reply::status(404).with("x-error-code", "EntryNotFound") };
    if path.starts_with(&resolve) && is_large(name) {
        return Reply::status(302)
            .with("x-repo-commit", COMMIT)
            .with("x-linked-etag", format!("\"{}\"", sha256(body)))
            .with("x-linked-size", body.len())
            .with("location", format!("/storage/{name}"));
    }
    let from: usize = request
        .header("range")
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
        .unwrap_or(0);
    if from > 0 && from >= body.len() {
        return Reply::status(416).with("content-range", format!("bytes */{}", body.len()));
    }
    let status = if request.header("range").is_some() { 206 } else { 200 };
    Reply { status, body: body[from..].to_vec(), ..Reply::default() }
        .with("etag", format!("\"{}\"", etag(name, body)))
        .with("content-range", format!("bytes {from}-{}/{}", body.len().saturating_sub(1), body.len()))
        .with("content-length", body.len() - from)
}
