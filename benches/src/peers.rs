//! The peers' Python environment: made once beside the build, from pinned requirements, never inside the tree.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::Task;
use crate::inputs::Folders;

/// A Python that has the peers.
pub struct Python {
    program: PathBuf,
    peers: PathBuf,
}

impl Python {
    /// One timed run of a peer.
    pub fn command(&self, task: Task, work: &Path, threads: usize) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(self.peers.join(format!("{}.py", task.name()))).arg(work).arg(threads.to_string());
        command
    }
}

/// The environment, made and filled where it is not there.
pub fn environment(folders: &Folders) -> Result<Python> {
    let program = folders.python.join("bin/python");
    let requirements = folders.peers.join("requirements.txt");
    let installed = folders.python.join("requirements.txt");
    let wanted = fs_err::read_to_string(&requirements)?;
    if fs_err::read_to_string(&installed).ok().as_deref() != Some(wanted.as_str()) {
        println!("installing the peers into {} (several GB, some minutes)", folders.python.display());
        if !program.exists() {
            run(Command::new("python3").args(["-m", "venv"]).arg(&folders.python))?;
        }
        run(Command::new(&program).args(["-m", "pip", "install", "--no-cache-dir", "-r"]).arg(&requirements))?;
        fs_err::write(&installed, wanted)?;
    }
    Ok(Python { program, peers: folders.peers.clone() })
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?} (Python 3 with venv is needed)"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
