//! Names of models on the hub: `org/name`, `name`, each with an optional `@revision`. Owns what a safe name is, since
//! names become paths and URLs.

use std::fmt;
use std::str::FromStr;

use hf_hub::{Repo, RepoType};

use crate::HubError;

/// A model on the hub at a branch, tag or commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelId {
    name: String,
    revision: String,
}

impl ModelId {
    /// `org/name` or `name`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Branch, tag or commit; `main` where none was given.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// True where the revision is a full commit hash, which never moves.
    pub(crate) fn is_pinned(&self) -> bool {
        is_commit(&self.revision)
    }

    pub(crate) fn repo(&self) -> Repo {
        Repo::with_revision(self.name.clone(), RepoType::Model, self.revision.clone())
    }
}

/// 40 hexadecimal digits.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl FromStr for ModelId {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        let bad = |reason| HubError::BadId { id: text.to_owned(), reason };
        let (name, revision) = text.split_once('@').unwrap_or((text, "main"));
        let parts: Vec<&str> = name.split('/').collect();
        if parts.len() > 2 {
            return Err(bad("more than one slash"));
        }
        for part in parts {
            if part.is_empty() || part.len() > 96 {
                return Err(bad("organisation and name have 1 to 96 characters"));
            }
            if !part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
                return Err(bad("only letters, digits, '.', '_' and '-' are allowed"));
            }
            if part.starts_with(['.', '-']) || part.ends_with(['.', '-']) || part.contains("..") || part.contains("--")
            {
                return Err(bad("'.' and '-' stand neither at an end nor twice in a row"));
            }
        }
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        if revision.is_empty() || revision.len() > 200 || !revision.bytes().all(safe) {
            return Err(bad("a revision is a branch, tag or commit of letters, digits, '.', '_', '-' and '/'"));
        }
        if revision.split('/').any(|part| part.is_empty() || part.starts_with('.')) || revision.contains("..") {
            return Err(bad("no part of a revision is empty or starts with '.'"));
        }
        Ok(Self { name: name.to_owned(), revision: revision.to_owned() })
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.revision == "main" { write!(f, "{}", self.name) } else { write!(f, "{}@{}", self.name, self.revision) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_with_and_without_organisation_and_revision() {
        let id: ModelId = "meta-llama/Llama-3.2-1B".parse().unwrap();
        assert_eq!((id.name(), id.revision()), ("meta-llama/Llama-3.2-1B", "main"));
        let id: ModelId = "gpt2@refs/pr/3".parse().unwrap();
        assert_eq!((id.name(), id.revision(), id.is_pinned()), ("gpt2", "refs/pr/3", false));
        assert_eq!(id.to_string(), "gpt2@refs/pr/3");
        let pinned: ModelId = format!("a/b@{}", "0f".repeat(20)).parse().unwrap();
        assert!(pinned.is_pinned());
        assert_eq!(pinned.repo().folder_name(), "models--a--b");
    }

    #[test]
    fn what_could_leave_the_cache_folder_is_refused() {
        for bad in [
            "",
            "/",
            "a/",
            "/b",
            "a/b/c",
            "../b",
            "a/..",
            "a/.b",
            "a/b--c",
            "a b/c",
            "a/b?x",
            "C:\\x",
            "a/b@",
            "a/b@..",
            "a/b@x/../y",
            "a/b@/x",
            "a/b@x y",
            "a/b@.x",
            "a/b%2e",
        ] {
            let error = bad.parse::<ModelId>().unwrap_err();
            assert!(error.to_string().contains("org/name"), "{bad}: {error}");
        }
    }
}
