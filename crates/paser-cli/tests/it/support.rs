//! What the tests of the command line share: running it, the demo's pool and models, and finding the measured data.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A finished command.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Every line of stdout as JSON.
    pub fn json(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect()
    }

    pub fn last(&self) -> Value {
        self.json().pop().unwrap_or_else(|| panic!("nothing on stdout; stderr: {}", self.stderr))
    }

    /// Ends well, or shows why not.
    #[track_caller]
    pub fn well(self) -> Self {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// The program in a folder of its own, with nothing of this machine in its environment but the path.
pub fn paser_in(home: &Path, arguments: &[&str]) -> Ran {
    paser_with(home, arguments, &[])
}

/// The same with more in its environment.
pub fn paser_with(home: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_paser"))
        .args(arguments)
        .current_dir(home)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("NO_COLOR", "1")
        .env("HF_HUB_OFFLINE", "1")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    Ran::of(&output)
}

/// The same where the folder does not matter.
pub fn paser(arguments: &[&str]) -> Ran {
    let home = tempfile::tempdir().unwrap();
    paser_in(home.path(), arguments)
}

/// A folder with the demo's `pool.jsonl`, cut to its first `rows`, and its models `dense` and `pruned`.
pub fn demo_files(rows: usize) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    paser_demo::assets::write_inputs(home.path()).unwrap();
    let pool = home.path().join("pool.jsonl");
    let part: String = fs_err::read_to_string(&pool).unwrap().split_inclusive('\n').take(rows).collect();
    fs_err::write(pool, part).unwrap();
    home
}

/// Reference values, which are no part of this repository: a file or folder of theirs, or a printed word that it is
/// missing.
pub fn shared(part: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PASER_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    match root.join(part).canonicalize() {
        Ok(path) => Some(path),
        Err(_) => {
            eprintln!("skipped: the reference values in {part} are not at hand (set PASER_SHARED)");
            None
        }
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
