//! Where the built programs lie, and how they are started.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// A program of this workspace: in `PASER_BIN_DIR`, else where cargo's dev profile puts it.
///
/// # Errors
/// Not built: says how.
pub fn program(name: &str) -> Result<PathBuf> {
    let folder = env::var_os("PASER_BIN_DIR").map_or_else(
        || {
            env::var_os("CARGO_TARGET_DIR")
                .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from)
                .join("debug")
        },
        PathBuf::from,
    );
    let path = folder.join(format!("{name}{}", env::consts::EXE_SUFFIX));
    if !path.is_file() {
        bail!("{} is not built: run `cargo xtask test`, or `cargo build --workspace`", path.display());
    }
    Ok(path)
}

/// The command line, with its own state folder so that no test sees another's recent projects.
///
/// # Errors
/// Not built.
pub fn command(state: &Path) -> Result<Command> {
    let mut command = Command::new(program("paser")?);
    command.env("XDG_STATE_HOME", state).env("XDG_DATA_HOME", state).env("NO_COLOR", "1");
    Ok(command)
}

/// `paser serve` until it is dropped.
pub struct Served {
    child: Child,
    pub url: String,
}

impl Served {
    /// Serves the project in `folder`, or the welcome page where there is none.
    ///
    /// # Errors
    /// The program does not start, or prints no address.
    pub fn start(state: &Path, folder: Option<&Path>) -> Result<Self> {
        let mut command = command(state)?;
        command.arg("--json").arg("serve").args(folder);
        Self::run(command)
    }

    /// The same with a command line of one's own.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn run(mut command: Command) -> Result<Self> {
        command.stdout(Stdio::piped());
        let mut child = command.spawn().context("`paser serve` could not be started")?;
        let stdout = child.stdout.take().context("no standard output")?;
        for line in BufReader::new(stdout).lines() {
            let value: serde_json::Value = serde_json::from_str(&line?)?;
            if let Some(url) = value["url"].as_str() {
                return Ok(Self { url: url.to_owned(), child });
            }
        }
        bail!("`paser serve` ended without an address: {:?}", child.wait()?)
    }

    /// The server's answer to a request of the protocol.
    ///
    /// # Errors
    /// It is gone, or refuses.
    pub fn ask(&self, request: &serde_json::Value) -> Result<serde_json::Value> {
        let (base, token) = self.url.split_once("/?token=").context("no token in the address")?;
        let config = ureq::Agent::config_builder().max_idle_connections(0);
        let agent: ureq::Agent = config.build().into();
        let mut reply = agent
            .post(format!("{base}/api/request"))
            .header("authorization", format!("Bearer {token}"))
            .send_json(request)?;
        Ok(reply.body_mut().read_json()?)
    }

    /// The open project as the server tells it.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn project(&self) -> Result<serde_json::Value> {
        Ok(self.ask(&serde_json::json!({ "do": "project" }))?["value"].take())
    }

    /// The process, for tests that kill it.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Already gone is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
