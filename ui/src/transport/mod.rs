//! How the window reaches the engine. One trait, three back ends: `http` (fetch and WebSocket, in the browser and in
//! the desktop shell), `ipc` (the shell's native dialogs), `local` (in the same process, for tests).

#[cfg(target_arch = "wasm32")]
pub mod http;
#[cfg(target_arch = "wasm32")]
pub mod ipc;
pub mod local;

use std::rc::Rc;

use paser_protocol::{Event, Reply, Report, Request, Script, SourceKind};
use serde::Serialize;

/// Called once with the answer.
pub type Done<T> = Box<dyn FnOnce(Result<T, Report>)>;

/// What arrives without being asked for.
#[derive(Clone, Debug)]
pub enum Incoming {
    Event(Event),
    /// The event stream is open (true) or was lost (false); a back end reconnects by itself.
    Connected(bool),
    /// Files or folders were dropped on the desktop program's window.
    Dropped(Vec<String>),
}

/// What became of a file that was handed to the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saved {
    At(String),
    /// The browser keeps it where it keeps downloads.
    Browser,
    /// The dialog was dismissed.
    Dismissed,
}

/// What a native dialog is to choose. Its kebab-case name goes over the shell's IPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PickKind {
    Pool,
    Benchmark,
    Model,
    Encoder,
    Project,
    Folder,
    /// A file to be written.
    Save,
}

impl PickKind {
    /// Title of the dialog.
    pub fn title(self) -> &'static str {
        match self {
            Self::Pool => "Choose a pool file",
            Self::Benchmark => "Choose a benchmark file",
            Self::Model => "Choose a model folder",
            Self::Encoder => "Choose an encoder folder",
            Self::Project => "Open a project folder",
            Self::Folder => "Choose a folder",
            Self::Save => "Save as",
        }
    }
}

impl From<SourceKind> for PickKind {
    fn from(kind: SourceKind) -> Self {
        match kind {
            SourceKind::Pool => Self::Pool,
            SourceKind::Model => Self::Model,
            SourceKind::Encoder => Self::Encoder,
            SourceKind::Project => Self::Project,
            SourceKind::Folder => Self::Folder,
        }
    }
}

pub trait Transport {
    fn request(&self, request: Request, done: Done<Reply>);

    /// Raw little-endian bytes of a column.
    fn column(&self, key: &str, done: Done<Vec<u8>>);

    /// A font of the engine's machine: four bytes of its place in a collection, then the file.
    fn font(&self, script: Script, done: Done<Vec<u8>>);

    /// Calls `on` for every event until the program ends. Called once.
    fn events(&self, on: Rc<dyn Fn(Incoming)>);

    /// Can paths be chosen in a native dialog?
    fn has_dialogs(&self) -> bool;

    /// Opens a native dialog; none when it was dismissed.
    fn pick(&self, kind: PickKind, done: Done<Option<String>>);

    /// Does this window show the project of another program, and has an engine of its own besides?
    fn has_own_engine(&self) -> bool;

    /// Turns from the other program's engine to the own one: the page starts anew.
    fn turn_to_own_engine(&self);

    /// Hands a file to the person: by the native dialog in the desktop program, by the browser's downloads elsewhere.
    fn save(&self, name: &str, bytes: &[u8], done: Done<Saved>);
}
