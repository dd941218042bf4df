//! Requests to the hub: repository listing, file metadata, ranges of files. Owns redirects (the token goes to the hub's
//! own origin and nowhere else), waiting and retrying, cancelling while a request hangs, and the words for each status.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use paser_protocol::Monitor;
use serde::Deserialize;
use ureq::http::{HeaderMap, Response, StatusCode, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::id::RepoId;
use crate::{HubEnv, HubError};

/// A server that says nothing for so long is treated as a cut connection.
const SILENCE: Duration = Duration::from_secs(20);
/// Tries of one request, and of one file without progress between them.
pub(crate) const TRIES: u32 = 5;
/// A longer wait than this is the person's decision.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What the hub says about a repository at a revision.
#[derive(Debug, Deserialize)]
pub(crate) struct RepoListing {
    /// The commit that the revision points to.
    pub sha: String,
    #[serde(default)]
    pub siblings: Vec<Sibling>,
    /// What the hub read from the heads of the weights; `total` counts parameters.
    #[serde(default)]
    pub safetensors: serde_json::Value,
    #[serde(default)]
    pub tags: Vec<String>,
    /// What stands at the head of the repository's README.
    #[serde(default, rename = "cardData")]
    pub card: serde_json::Value,
    /// False, or how access is granted.
    #[serde(default)]
    gated: serde_json::Value,
}

impl RepoListing {
    pub(crate) fn is_gated(&self) -> bool {
        !matches!(self.gated, serde_json::Value::Null | serde_json::Value::Bool(false))
    }

    /// The licence's name as its card gives it, else as the hub's tags do.
    pub(crate) fn licence(&self) -> Option<String> {
        let named = |key: &str| match self.card.get(key)? {
            serde_json::Value::String(name) => Some(name.clone()),
            serde_json::Value::Array(names) => {
                let names: Vec<&str> = names.iter().filter_map(serde_json::Value::as_str).collect();
                Some(names.join(", "))
            }
            _ => None,
        };
        let tagged = || self.tags.iter().find_map(|tag| tag.strip_prefix("license:")).map(str::to_owned);
        let licence = named("license").filter(|name| !name.is_empty()).or_else(tagged)?;
        let licence = if licence == "other" { named("license_name").unwrap_or(licence) } else { licence };
        let plain: String = licence.chars().filter(|letter| !letter.is_control()).take(80).collect();
        (!plain.is_empty()).then_some(plain)
    }
}

/// One file of a listing. Mirrors may leave out all but the name.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Sibling {
    pub rfilename: String,
    pub size: Option<u64>,
    /// Git's hash of the file; of a large file, of its pointer.
    #[serde(rename = "blobId")]
    pub blob_id: Option<String>,
    pub lfs: Option<LargeFile>,
}

impl Sibling {
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.lfs.as_ref().and_then(|lfs| lfs.size).or(self.size)
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LargeFile {
    pub sha256: Option<String>,
    pub size: Option<u64>,
}

/// What is known of a file before it is transferred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// What its content must hash to.
    pub hash: Option<ContentHash>,
    pub size: Option<u64>,
}

/// The hub's name of a blob: SHA-256 of a large file (64 digits), git's hash of a small one (40), lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContentHash(String);

impl ContentHash {
    /// `None` for what is no such hash, as the ETags of other servers are.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let hash = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        hash.then(|| Self(text.to_ascii_lowercase()))
    }

    pub(crate) fn digits(&self) -> &str {
        &self.0
    }
}

pub(crate) struct Client<'a> {
    env: &'a HubEnv,
    id: &'a RepoId,
    agent: Agent,
    monitor: &'a dyn Monitor,
}

impl<'a> Client<'a> {
    pub(crate) fn new(env: &'a HubEnv, id: &'a RepoId, monitor: &'a dyn Monitor) -> Result<Self, HubError> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = &env.certificates {
            let bad = |reason: String| HubError::Certificates { path: path.clone(), reason };
            let pem = fs_err::read(path).map_err(|error| bad(error.to_string()))?;
            let mut certificates = Vec::new();
            for item in ureq::tls::parse_pem(&pem) {
                if let ureq::tls::PemItem::Certificate(certificate) = item.map_err(|error| bad(error.to_string()))? {
                    certificates.push(certificate);
                }
            }
            if certificates.is_empty() {
                return Err(bad("the file holds none".to_owned()));
            }
            tls = tls.root_certs(RootCerts::from(certificates));
        }
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_connect(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .accept_encoding("identity")
            .user_agent(concat!("paser-studio/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self { env, id, agent, monitor })
    }

    /// Commit and files of the revision.
    pub(crate) fn listing(&self) -> Result<RepoListing, HubError> {
        let url = format!("{}/api/{}?blobs=true", self.env.endpoint, self.id.repo().api_url());
        let response = self.with_retries(|| self.send(Method::Get, &url, None))?;
        let text = self.watch(move || response.into_body().into_with_config().limit(64 << 20).read_to_string())?;
        let text = text.map_err(|error| HubError::Network { url: url.clone(), reason: error.to_string() })?;
        let listing: RepoListing = serde_json::from_str(&text)
            .map_err(|error| HubError::Answer { url: url.clone(), reason: error.to_string() })?;
        if listing.sha.is_empty() || !listing.sha.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(HubError::Answer { url, reason: format!("'{}' is no commit", listing.sha) });
        }
        Ok(listing)
    }

    /// Hash and size of a file: from the headers of the hub's own answer, else from the listing.
    pub(crate) fn metadata(&self, commit: &str, file: &Sibling) -> Result<Metadata, HubError> {
        let url = self.file_url(commit, &file.rfilename);
        let response = match self.with_retries(|| self.send(Method::Head, &url, None)) {
            Ok(response) => Some(response),
            // mirrors that know no HEAD
            Err(HubError::Server { status: 405 | 501, .. }) => None,
            Err(error) => return Err(self.about_file(error, &file.rfilename)),
        };
        let header = |name| response.as_ref().and_then(|response| text(response.headers(), name));
        let lfs = file.lfs.as_ref();
        // The hub's own words first: an `etag` may be a mirror's or a cache's and name something else.
        let listed = if lfs.is_some() { lfs.and_then(|lfs| lfs.sha256.clone()) } else { file.blob_id.clone() };
        let named = [header("x-linked-etag"), listed, header("etag")];
        let hash = named.iter().flatten().find_map(|text| ContentHash::read(&plain_etag(text)));
        let size = header("x-linked-size").and_then(|size| size.parse().ok());
        let size = size.or_else(|| lfs.and_then(|lfs| lfs.size)).or(file.size);
        // Some servers answer HEAD with a length of 0 whatever the file's is.
        let length = || header("content-length").and_then(|size| size.parse().ok()).filter(|size| *size > 0);
        let redirected = response.as_ref().is_some_and(|response| response.status().is_redirection());
        Ok(Metadata { hash, size: size.or_else(|| if redirected { None } else { length() }) })
    }

    /// The file from byte `from` on. One try: the caller counts them, because bytes may arrive before one fails.
    pub(crate) fn open(&self, commit: &str, file: &str, from: u64) -> Result<Response<Body>, HubError> {
        let url = self.file_url(commit, file);
        self.send(Method::Get, &url, Some(from).filter(|from| *from > 0)).map_err(|error| self.about_file(error, file))
    }

    fn file_url(&self, commit: &str, file: &str) -> String {
        let file: Vec<String> = file.split('/').map(percent_encode).collect();
        format!("{}/{}/resolve/{commit}/{}", self.env.endpoint, self.id.repo().url(), file.join("/"))
    }

    fn about_file(&self, error: HubError, file: &str) -> HubError {
        match error {
            HubError::NotFound { id, .. } | HubError::RevisionNotFound { id, .. } => {
                HubError::FileNotFound { id, file: file.to_owned() }
            }
            other => other,
        }
    }

    /// Repeats what a busy or broken server refused, waiting longer each time.
    pub(crate) fn with_retries<T>(&self, mut request: impl FnMut() -> Result<T, HubError>) -> Result<T, HubError> {
        let mut tries = 0;
        loop {
            match request() {
                Err(error) if tries + 1 < TRIES => {
                    self.wait_after(&error, tries).map_err(|stop| stop.unwrap_or(error))?;
                    tries += 1;
                }
                result => return result,
            }
        }
    }

    /// Waits as `error` asks for, or as the number of tries suggests. `Err(None)`: trying again is useless.
    pub(crate) fn wait_after(&self, error: &HubError, tries: u32) -> Result<(), Option<HubError>> {
        let wait = match error {
            HubError::RateLimited { seconds, .. } => Duration::from_secs(*seconds),
            HubError::Network { .. } | HubError::Server { status: 500.., .. } => backoff(tries),
            _ => return Err(None),
        };
        if wait > LONGEST_WAIT {
            return Err(None);
        }
        let end = Instant::now() + wait;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if self.monitor.cancelled() {
                return Err(Some(HubError::Cancelled));
            }
            thread::sleep(left.min(Duration::from_millis(50)));
        }
        Ok(())
    }

    /// One request, following redirects (HEAD only until the hub's own answer with the file's hash).
    fn send(&self, method: Method, url: &str, from: Option<u64>) -> Result<Response<Body>, HubError> {
        let mut url = url.to_owned();
        for _ in 0..10 {
            let response = self.send_once(method, &url, from)?;
            let status = response.status();
            if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
                let location =
                    text(response.headers(), "location").and_then(|location| join(&url, &location)).ok_or_else(
                        || HubError::Answer { url: url.clone(), reason: "a redirect without a target".to_owned() },
                    )?;
                let has_hash = response.headers().contains_key("x-linked-etag");
                if method == Method::Head && (has_hash || origin(&location) != origin(&url)) {
                    return Ok(response);
                }
                url = location;
                continue;
            }
            return if status.is_success() { Ok(response) } else { Err(self.refusal(&url, &response)) };
        }
        Err(HubError::Answer { url, reason: "it redirects in a circle".to_owned() })
    }

    fn send_once(&self, method: Method, url: &str, from: Option<u64>) -> Result<Response<Body>, HubError> {
        let mut request = match method {
            Method::Get => self.agent.get(url),
            Method::Head => self.agent.head(url),
        };
        if let Some(from) = from {
            request = request.header("range", format!("bytes={from}-"));
        }
        if let Some(token) = &self.env.token
            && origin(url) == origin(&self.env.endpoint)
        {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let result = self.watch(move || request.call())?;
        result.map_err(|error| HubError::Network { url: url.to_owned(), reason: error.to_string() })
    }

    /// Runs `work` elsewhere and waits for it, so that a hanging server does not keep a cancel waiting.
    pub(crate) fn watch<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, HubError> {
        let (sender, receiver) = sync_channel(1);
        let work = move || {
            // nobody listens any more after a cancel
            let _ = sender.send(work());
        };
        let refused =
            |error: std::io::Error| HubError::Network { url: self.env.endpoint.clone(), reason: error.to_string() };
        thread::Builder::new().name("hub-request".to_owned()).spawn(work).map_err(refused)?;
        loop {
            match receiver.recv_timeout(Duration::from_millis(50)) {
                Ok(value) => return Ok(value),
                Err(RecvTimeoutError::Timeout) if self.monitor.cancelled() => return Err(HubError::Cancelled),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let reason = "the request ended without an answer".to_owned();
                    return Err(HubError::Network { url: self.env.endpoint.clone(), reason });
                }
            }
        }
    }

    fn refusal(&self, url: &str, response: &Response<Body>) -> HubError {
        let id = self.id.name.clone();
        let code = text(response.headers(), "x-error-code").unwrap_or_default();
        const GATED: &str = "accept its licence on its page, make an access token there and set HF_TOKEN to it, or keep it in \
             the token file (token in HF_HOME)";
        const WRONG_TOKEN: &str = "the token in HF_TOKEN or in the token file is not accepted; make a new one with read access and set HF_TOKEN";
        const NO_RIGHT: &str = "the token belongs to an account without access; accept the licence on its page with \
             that account (some wait for approval), or take a token with the right to read it";
        match (response.status().as_u16(), code.as_str(), &self.env.token) {
            (401 | 403, "GatedRepo", None) | (403, _, None) => HubError::Gated { id, advice: GATED },
            (401, "GatedRepo", Some(_)) | (403, _, Some(_)) => HubError::Gated { id, advice: NO_RIGHT },
            (401, "RepoNotFound", Some(_)) => HubError::NotFound { id, endpoint: self.env.endpoint.clone() },
            (401, _, Some(_)) => HubError::Gated { id, advice: WRONG_TOKEN },
            (401, _, None) => HubError::NotFoundOrPrivate { id },
            (404, "RevisionNotFound", _) => HubError::RevisionNotFound { id, revision: self.id.revision.clone() },
            (404, ..) => HubError::NotFound { id, endpoint: self.env.endpoint.clone() },
            (429, ..) => {
                let seconds = text(response.headers(), "retry-after").and_then(|wait| wait.parse().ok());
                HubError::RateLimited { endpoint: self.env.endpoint.clone(), seconds: seconds.unwrap_or(5) }
            }
            (status, ..) => HubError::Server { url: without_query(url), status },
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Get,
    Head,
}

fn backoff(tries: u32) -> Duration {
    Duration::from_millis(250 << tries.min(6))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// `W/"abc"` and `"abc"` as `abc`.
fn plain_etag(etag: &str) -> String {
    etag.trim_start_matches("W/").trim_matches('"').to_owned()
}

/// Links to storage carry signatures that belong in no message.
fn without_query(url: &str) -> String {
    url.split('?').next().unwrap_or(url).to_owned()
}

fn percent_encode(part: &str) -> String {
    let mut out = String::new();
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Scheme, host and port; `None` for what is no absolute address.
fn origin(url: &str) -> Option<(String, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    Some((scheme, uri.host()?.to_ascii_lowercase(), port))
}

/// The address that a redirect from `base` to `location` means.
fn join(base: &str, location: &str) -> Option<String> {
    let uri: Uri = base.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    if location.starts_with("https://") || location.starts_with("http://") {
        Some(location.to_owned())
    } else if let Some(rest) = location.strip_prefix("//") {
        Some(format!("{scheme}://{rest}"))
    } else if location.starts_with('/') {
        Some(format!("{scheme}://{authority}{location}"))
    } else {
        let folder = uri.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        Some(format!("{scheme}://{authority}{folder}/{location}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_resolved_against_their_page() {
        let join = |location| join("https://hub:8443/org/name/resolve/main/x?y=1", location).unwrap_or_default();
        assert_eq!(join("/api/x"), "https://hub:8443/api/x");
        assert_eq!(join("https://cdn/x?sig"), "https://cdn/x?sig");
        assert_eq!(join("//cdn/x"), "https://cdn/x");
        assert_eq!(join("y"), "https://hub:8443/org/name/resolve/main/y");
    }

    #[test]
    fn another_port_or_scheme_is_another_origin() {
        assert_eq!(origin("https://hub/x"), origin("https://HUB:443/y"));
        assert_ne!(origin("https://hub/x"), origin("http://hub/x"));
        assert_ne!(origin("http://127.0.0.1:1/x"), origin("http://127.0.0.1:2/x"));
        assert_ne!(origin("https://hub/x"), origin("https://hub.evil/x"));
    }

    #[test]
    fn names_and_tags_are_made_plain() {
        assert_eq!(percent_encode("a b#?%.json"), "a%20b%23%3F%25.json");
        assert_eq!(plain_etag("W/\"abc\""), "abc");
        assert_eq!(ContentHash::read(&"0A".repeat(32)), Some(ContentHash("0a".repeat(32))));
        for foreign in ["", "5f3a-62a", &"0g".repeat(20), "d41d8cd98f00b204e9800998ecf8427e", "../../evil"] {
            assert_eq!(ContentHash::read(foreign), None, "{foreign}");
        }
        assert_eq!(without_query("http://x/y?signature=1"), "http://x/y");
    }
}
