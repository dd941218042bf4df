//! The environment that Python's tools read too. Owns every variable, each declared once in [`VARIABLES`], and what it
//! means when it is absent.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::HubError;

/// A variable and what it does, for help texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: &'static str,
    pub meaning: &'static str,
}

const HF_HOME: Variable = Variable {
    name: "HF_HOME",
    meaning: "folder of the hub's cache and token; default: huggingface in XDG_CACHE_HOME or .cache",
};
const HF_HUB_CACHE: Variable =
    Variable { name: "HF_HUB_CACHE", meaning: "folder of downloaded models and data sets; default: hub in HF_HOME" };
const HF_TOKEN: Variable =
    Variable { name: "HF_TOKEN", meaning: "access token, for what is private or gated; goes before the token file" };
const HF_TOKEN_PATH: Variable =
    Variable { name: "HF_TOKEN_PATH", meaning: "file with the token; default: token in HF_HOME" };
const HF_ENDPOINT: Variable = Variable { name: "HF_ENDPOINT", meaning: "address of the hub or of a mirror" };
const HF_HUB_OFFLINE: Variable =
    Variable { name: "HF_HUB_OFFLINE", meaning: "1, true, yes or on: use only what is in the cache" };
const SSL_CERT_FILE: Variable =
    Variable { name: "SSL_CERT_FILE", meaning: "PEM file with the certificates to trust instead of the built-in ones" };
const XDG_CACHE_HOME: Variable =
    Variable { name: "XDG_CACHE_HOME", meaning: "folder of caches, used where HF_HOME is not set" };

/// Every variable that this crate reads. Proxies (HTTPS_PROXY, ALL_PROXY, NO_PROXY) are read by the HTTP library.
pub const VARIABLES: [Variable; 8] =
    [HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_TOKEN_PATH, HF_ENDPOINT, HF_HUB_OFFLINE, SSL_CERT_FILE, XDG_CACHE_HOME];

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// Where models and data sets come from and where they are kept.
#[derive(Clone, PartialEq, Eq)]
pub struct HubEnv {
    /// Address of the hub, without a slash at its end.
    pub endpoint: String,
    /// The cache folder, which holds `models--org--name` and `datasets--org--name` folders.
    pub cache: PathBuf,
    /// Access token, sent to `endpoint` and to no other host.
    pub token: Option<String>,
    /// Use the cache only.
    pub offline: bool,
    /// Certificates to trust instead of the built-in ones.
    pub certificates: Option<PathBuf>,
}

impl std::fmt::Debug for HubEnv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubEnv")
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            .field("token", &self.token.as_ref().map(|_| "(set)"))
            .field("offline", &self.offline)
            .field("certificates", &self.certificates)
            .finish()
    }
}

impl HubEnv {
    /// Reads this process's environment.
    ///
    /// # Errors
    /// No home folder and no variable that says where the cache is; an address that is no URL.
    pub fn from_process() -> Result<Self, HubError> {
        Self::from_lookup(|name| std::env::var_os(name), std::env::home_dir())
    }

    /// The same from any source of variables. Empty variables count as absent.
    ///
    /// # Errors
    /// As [`Self::from_process`].
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Result<Self, HubError> {
        let get = |variable: Variable| lookup(variable.name).filter(|value| !value.is_empty());
        let text = |variable: Variable| get(variable).map(|value| value.to_string_lossy().trim().to_owned());
        let hf_home = get(HF_HOME).map(PathBuf::from).or_else(|| {
            let caches = get(XDG_CACHE_HOME).map(PathBuf::from).or_else(|| home.map(|home| home.join(".cache")));
            caches.map(|caches| caches.join("huggingface"))
        });
        let cache = get(HF_HUB_CACHE).map(PathBuf::from).or_else(|| hf_home.as_ref().map(|home| home.join("hub")));
        let Some(cache) = cache else { return Err(HubError::NoCacheFolder) };
        let token_file = get(HF_TOKEN_PATH).map(PathBuf::from).or_else(|| hf_home.map(|home| home.join("token")));
        let token = text(HF_TOKEN)
            .or_else(|| {
                token_file.and_then(|file| fs_err::read_to_string(file).ok()).map(|token| token.trim().to_owned())
            })
            .filter(|token| !token.is_empty());
        let endpoint = text(HF_ENDPOINT).unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        if !(endpoint.starts_with("https://") || endpoint.starts_with("http://")) {
            return Err(HubError::BadEndpoint { variable: HF_ENDPOINT.name, endpoint });
        }
        let offline = text(HF_HUB_OFFLINE)
            .is_some_and(|value| ["1", "true", "yes", "on"].contains(&value.to_ascii_lowercase().as_str()));
        Ok(Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            cache,
            token,
            offline,
            certificates: get(SSL_CERT_FILE).map(PathBuf::from),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(variables: &[(&str, &str)]) -> HubEnv {
        let lookup = |name: &str| variables.iter().find(|entry| entry.0 == name).map(|entry| OsString::from(entry.1));
        HubEnv::from_lookup(lookup, Some(PathBuf::from("/home/someone"))).unwrap()
    }

    #[test]
    fn defaults_are_those_of_the_python_tools() {
        let env = read(&[("HF_TOKEN", "")]);
        assert_eq!(env.cache, PathBuf::from("/home/someone/.cache/huggingface/hub"));
        assert_eq!((env.endpoint.as_str(), env.token, env.offline), (DEFAULT_ENDPOINT, None, false));
        assert_eq!(read(&[("XDG_CACHE_HOME", "/x")]).cache, PathBuf::from("/x/huggingface/hub"));
    }

    #[test]
    fn the_narrower_variable_wins() {
        let env = read(&[("HF_HOME", "/models"), ("HF_ENDPOINT", "http://mirror:8080/")]);
        assert_eq!((env.cache, env.endpoint), (PathBuf::from("/models/hub"), "http://mirror:8080".to_owned()));
        assert_eq!(read(&[("HF_HOME", "/models"), ("HF_HUB_CACHE", "/big")]).cache, PathBuf::from("/big"));
        for (value, offline) in [("1", true), ("ON", true), ("true", true), ("0", false), ("no", false)] {
            assert_eq!(read(&[("HF_HUB_OFFLINE", value)]).offline, offline, "{value}");
        }
    }

    #[test]
    fn the_token_comes_from_the_variable_else_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        fs_err::write(folder.path().join("token"), "from-home\n").unwrap();
        fs_err::write(folder.path().join("other"), " from-path ").unwrap();
        let other = folder.path().join("other");
        let token = |more: &[(&str, &str)]| read(&[&[("HF_HOME", home)], more].concat()).token.unwrap();
        assert_eq!(token(&[]), "from-home");
        assert_eq!(token(&[("HF_TOKEN_PATH", other.to_str().unwrap())]), "from-path");
        assert_eq!(token(&[("HF_TOKEN", "direct")]), "direct");
    }

    #[test]
    fn a_debug_print_does_not_show_the_token() {
        let shown = format!("{:?}", read(&[("HF_TOKEN", "hf_secret")]));
        assert!(!shown.contains("hf_secret"), "{shown}");
    }

    #[test]
    fn nonsense_is_said_so() {
        let wrong =
            HubEnv::from_lookup(|name| (name == "HF_ENDPOINT").then(|| "mirror.local".into()), Some("/h".into()));
        assert!(wrong.unwrap_err().to_string().contains("HF_ENDPOINT"));
        let nowhere = HubEnv::from_lookup(|_| None, None).unwrap_err().to_string();
        assert!(nowhere.contains("HF_HOME"), "{nowhere}");
    }
}
