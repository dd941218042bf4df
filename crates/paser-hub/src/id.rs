//! Names of repositories on the hub: `org/name`, `name`, each with an optional `@revision`. Owns what a safe name is, since
//! names become paths and URLs.

use std::fmt;
use std::str::FromStr;

use hf_hub::{Repo, RepoType};

use crate::HubError;

/// A repository on the hub at a branch, tag or commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RepoId {
    pub kind: RepoKind,
    pub name: String,
    pub revision: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RepoKind {
    Model,
    Dataset,
}

impl RepoId {
    /// True where the revision is a full commit hash, which never moves.
    pub(crate) fn is_pinned(&self) -> bool {
        is_commit(&self.revision)
    }

    pub(crate) fn repo(&self) -> Repo {
        let kind = match self.kind {
            RepoKind::Model => RepoType::Model,
            RepoKind::Dataset => RepoType::Dataset,
        };
        Repo::with_revision(self.name.clone(), kind, self.revision.clone())
    }

    /// `org/name@revision` of a kind.
    pub(crate) fn parse(kind: RepoKind, text: &str) -> Result<Self, HubError> {
        let (name, revision) = text.split_once('@').unwrap_or((text, "main"));
        check(name, revision).map_err(|reason| HubError::BadId { id: text.to_owned(), reason })?;
        Ok(Self { kind, name: name.to_owned(), revision: revision.to_owned() })
    }
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.revision == "main" { write!(f, "{}", self.name) } else { write!(f, "{}@{}", self.name, self.revision) }
    }
}

/// A model on the hub at a branch, tag or commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelId(pub(crate) RepoId);

impl ModelId {
    /// `org/name` or `name`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Branch, tag or commit; `main` where none was given.
    pub fn revision(&self) -> &str {
        &self.0.revision
    }
}

impl FromStr for ModelId {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        RepoId::parse(RepoKind::Model, text).map(Self)
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// 40 hexadecimal digits.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Why these are no name and revision.
fn check(name: &str, revision: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = name.split('/').collect();
    if parts.len() > 2 {
        return Err("more than one slash");
    }
    for part in parts {
        if part.is_empty() || part.len() > 96 {
            return Err("organisation and name have 1 to 96 characters");
        }
        if !part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            return Err("only letters, digits, '.', '_' and '-' are allowed");
        }
        if part.starts_with(['.', '-']) || part.ends_with(['.', '-']) || part.contains("..") || part.contains("--") {
            return Err("'.' and '-' stand neither at an end nor twice in a row");
        }
    }
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    if revision.is_empty() || revision.len() > 200 || !revision.bytes().all(safe) {
        return Err("a revision is a branch, tag or commit of letters, digits, '.', '_', '-' and '/'");
    }
    if revision.split('/').any(|part| part.is_empty() || part.starts_with('.')) || revision.contains("..") {
        return Err("no part of a revision is empty or starts with '.'");
    }
    Ok(())
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
        assert_eq!((id.name(), id.revision(), id.0.is_pinned()), ("gpt2", "refs/pr/3", false));
        assert_eq!(id.to_string(), "gpt2@refs/pr/3");
        let pinned: ModelId = format!("a/b@{}", "0f".repeat(20)).parse().unwrap();
        assert!(pinned.0.is_pinned());
        assert_eq!(pinned.0.repo().folder_name(), "models--a--b");
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
