//! Everything that can keep a model or data set from arriving, each with what to do about it.

use std::path::PathBuf;

/// Why a model or data set could not be had.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    #[error("'{id}' is no hub id: {reason}; write org/name or org/name@revision")]
    BadId { id: String, reason: &'static str },
    #[error(
        "'{reference}' names no data set: {reason}; write hub:org/name, hub:org/name@revision or \
         hub:org/name:config/split"
    )]
    BadDataset { reference: String, reason: String },
    #[error("{id} has several parts, and none was chosen; add one to the name: {parts}")]
    ChoosePart { id: String, parts: String },
    #[error("{id} has no part {part}; it has {parts}")]
    NoSuchPart { id: String, part: String, parts: String },
    #[error("{id}: {part} {why}; choose another part, or download the files and give those that belong together")]
    PartRefused { id: String, part: String, why: String },
    #[error("no home folder is known; set HF_HOME to a folder for downloaded models")]
    NoCacheFolder,
    #[error("{variable} is '{endpoint}'; it must start with https:// or http://")]
    BadEndpoint { variable: &'static str, endpoint: String },
    #[error("{}: no certificates could be read: {reason}; correct SSL_CERT_FILE or unset it", path.display())]
    Certificates { path: PathBuf, reason: String },
    /// 401 or 403 on a gated or private repository, or a token without the right.
    #[error("{id} is gated or private: {advice}")]
    Gated { id: String, advice: &'static str },
    /// 401 without a token: the hub does not say whether the repository exists.
    #[error(
        "{id} does not exist, or is private or gated. Check the spelling; if it is gated, accept its licence on its page, \
         make an access token there and set HF_TOKEN"
    )]
    NotFoundOrPrivate { id: String },
    #[error("{id} does not exist on {endpoint}; check the spelling")]
    NotFound { id: String, endpoint: String },
    #[error("{id} has no revision '{revision}'; name a branch, a tag or a full commit")]
    RevisionNotFound { id: String, revision: String },
    #[error("{id} has no file {file} any more; try again without a pinned revision")]
    FileNotFound { id: String, file: String },
    #[error("{id} has none of the files {wanted}; {advice}")]
    Lacks { id: String, wanted: String, advice: &'static str },
    #[error(
        "{endpoint} asks to wait {seconds} s before more requests (too many in a short time); try again then, or set HF_TOKEN for a higher limit"
    )]
    RateLimited { endpoint: String, seconds: u64 },
    #[error("{url} answered {status}; try again later")]
    Server { url: String, status: u16 },
    #[error(
        "{url} could not be reached: {reason}; check the network, HTTPS_PROXY and HF_ENDPOINT, or set HF_HUB_OFFLINE=1 to use what is cached"
    )]
    Network { url: String, reason: String },
    #[error("{url} gave an answer that is not a hub's: {reason}; check HF_ENDPOINT")]
    Answer { url: String, reason: String },
    #[error("{id}: {file} arrived damaged ({kind} {found}, expected {expected}); it was deleted, try again")]
    Checksum { id: String, file: String, kind: &'static str, found: String, expected: String },
    #[error("HF_HUB_OFFLINE is set and {id} is not complete in {} ({missing}); unset it once to download it", cache.display())]
    Offline { id: String, cache: PathBuf, missing: String },
    #[error("{}: the disk is full; the download needs {needed} more bytes. Free space or set HF_HUB_CACHE to another disk; it then goes on where it stopped", path.display())]
    DiskFull { path: PathBuf, needed: u64 },
    #[error("{id} lists a file named '{name}', which would leave the cache folder; nothing was downloaded")]
    UnsafeName { id: String, name: String },
    /// The source's own words name the file.
    #[error("{source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("the download was cancelled; it goes on where it stopped")]
    Cancelled,
}
