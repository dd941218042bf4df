//! How this program starts itself again: as the worker of a job, and as the run that goes on without a window. Both
//! outlive who started them: a process group of their own, output into files and no pipe that could break.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use paser_project::Intent;
use paser_protocol::Report;

use crate::trouble::{Outcome, Told, failed};

/// The command of a worker; its argument is the folder of a job.
pub const WORKER: &str = "worker";

/// An executable that knows `worker JOBDIR` and `run DIR --until STAGE --background`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
}

impl Program {
    /// The program that runs now.
    ///
    /// # Errors
    /// The system does not tell where it lies.
    pub fn this() -> Outcome<Self> {
        let path = std::env::current_exe()
            .map_err(|error| failed(format!("this program's own file cannot be named: {error}"), ""))?;
        Ok(Self { path })
    }

    /// Starts the worker of the job in `folder`; what it prints goes to the end of `printed`.
    pub(crate) fn start_worker(&self, folder: &Path, printed: &Path) -> Outcome<Child> {
        self.start(&[WORKER.into(), folder.into()], printed)
    }

    /// Starts a run of the project at `root` that nobody waits for; what it prints goes to `jobs/run.log`.
    pub(crate) fn run_on(&self, root: &Path, jobs: &Path, intent: &Intent, threads: usize) -> Outcome<()> {
        let mut arguments: Vec<OsString> =
            vec!["run".into(), root.into(), "--until".into(), intent.until.name().into(), "--background".into()];
        if let Some(bytes) = intent.memory {
            arguments.extend(["--memory".into(), bytes.to_string().into()]);
        }
        if threads > 0 {
            arguments.extend(["--threads".into(), threads.to_string().into()]);
        }
        let mut child = self.start(&arguments, &jobs.join("run.log"))?;
        // While this process lives, somebody has to take notice of the end of the other one.
        let reap = thread::Builder::new().name("background".to_owned()).spawn(move || child.wait());
        reap.map(drop).map_err(|error| failed(format!("no thread to wait for the run: {error}"), ""))
    }

    fn start(&self, arguments: &[OsString], printed: &Path) -> Outcome<Child> {
        let log = fs_err::OpenOptions::new().create(true).append(true).open(printed).map_err(Told::told)?;
        let errors = log.try_clone().map_err(Told::told)?;
        let mut command = Command::new(&self.path);
        command.args(arguments).stdin(Stdio::null());
        command.stdout(log.into_parts().0).stderr(errors.into_parts().0);
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt as _;
            command.process_group(0);
        }
        #[cfg(windows)]
        {
            use std::os::windows::process::CommandExt as _;
            const NEW_GROUP_WITHOUT_WINDOW: u32 = 0x0000_0200 | 0x0800_0000;
            command.creation_flags(NEW_GROUP_WITHOUT_WINDOW);
        }
        command.spawn().map_err(|error| cannot_start(&self.path, &error))
    }
}

fn cannot_start(path: &Path, error: &std::io::Error) -> Report {
    failed(
        format!("{}: the process that computes cannot be started: {error}", path.display()),
        "What was finished is kept. If the program was replaced or moved while it ran, start it anew.",
    )
}
