//! One window a person: a second start hands its project to the first and ends. The first holds a lock in the state
//! folder and listens on the loopback interface; a file that only this person can read says where, with a word that
//! opens the door. (`tauri-plugin-single-instance` does the same by D-Bus on Linux, which would bring a D-Bus stack.)

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use paser_project::Lock;
use serde::{Deserialize, Serialize};

/// Longest wait for the other window, and for a line of somebody who knocks.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries while the first window is opening or closing.
const PAUSE: Duration = Duration::from_millis(100);
/// What is answered to the right word: the project is taken, or the window is closing and the other start takes its place.
const OPEN: &str = "open";
const CLOSING: &str = "closing";
/// Bytes of a line that is handed over.
const LONGEST: u64 = 64 << 10;

#[derive(Serialize, Deserialize)]
struct Door {
    port: u16,
    word: String,
}

/// What the second start wants.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Knock {
    word: String,
    /// A project to be opened; none: only the window.
    project: Option<PathBuf>,
}

/// Held for as long as this is the one window.
pub struct Single {
    _lock: Option<Lock>,
    listener: Option<(TcpListener, String)>,
    /// Whether later starts are still taken over; held while one is.
    open: Arc<Mutex<bool>>,
}

enum Answer {
    Open,
    /// Nobody is at the door yet, or any more.
    Nobody,
}

pub enum Start {
    First(Single),
    /// Another window took it over.
    HandedOver,
}

fn door(state: &Path) -> PathBuf {
    state.join("window.door")
}

/// First of this person, or handed over to the one that is. Where neither can be told, a window opens.
pub fn start(state: &Path, project: Option<&Path>) -> Start {
    let first = |lock, listener| Start::First(Single { _lock: lock, listener, open: Arc::new(Mutex::new(true)) });
    if let Err(error) = fs_err::create_dir_all(state) {
        tracing::warn!(%error, "it cannot be told whether another window is open");
        return first(None, None);
    }
    let begun = Instant::now();
    loop {
        if let Ok(lock) = Lock::acquire(&state.join("window.lock")) {
            let listener = listen(state)
                .inspect_err(|error| tracing::warn!(%error, "a second window cannot be told to use this one"));
            return first(Some(lock), listener.ok());
        }
        match hand_over(state, project) {
            Ok(Answer::Open) => return Start::HandedOver,
            Ok(Answer::Nobody) if begun.elapsed() < PATIENCE => thread::sleep(PAUSE),
            unanswered => {
                let why =
                    unanswered.err().map_or_else(|| "nobody is at its door".to_owned(), |error| error.to_string());
                tracing::warn!(why, "another window is open and does not answer");
                return first(None, None);
            }
        }
    }
}

fn listen(state: &Path) -> io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let word: String = rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect();
    let text = serde_json::to_vec(&Door { port: listener.local_addr()?.port(), word: word.clone() })?;
    let path = door(state);
    // A file that was there keeps its rights: it goes first.
    match fs_err::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use fs_err::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(&path)?.write_all(&text)?;
    Ok((listener, word))
}

fn hand_over(state: &Path, project: Option<&Path>) -> io::Result<Answer> {
    let door: Door = match fs_err::read(door(state)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Answer::Nobody),
        text => serde_json::from_slice(&text?)?,
    };
    let project = project.map(std::path::absolute).transpose()?;
    let mut stream = match TcpStream::connect((Ipv4Addr::LOCALHOST, door.port)) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(Answer::Nobody),
        stream => stream?,
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(&Knock { word: door.word, project })?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream.take(16)).read_line(&mut answer)?;
    match answer.trim() {
        OPEN => Ok(Answer::Open),
        CLOSING => Ok(Answer::Nobody),
        _ => Err(io::Error::other("its door stayed closed")),
    }
}

impl Single {
    /// Calls `wanted` with the project of every later start, which ends when it returns true and opens a window of its
    /// own otherwise.
    pub fn serve(&self, wanted: impl Fn(Option<PathBuf>) -> bool + Send + 'static) -> io::Result<()> {
        let Some((listener, word)) = &self.listener else { return Ok(()) };
        let (listener, word, open) = (listener.try_clone()?, word.clone(), Arc::clone(&self.open));
        thread::Builder::new().name("second starts".to_owned()).spawn(move || {
            for stream in listener.incoming() {
                match stream.and_then(|stream| answer(stream, &word, &open, &wanted)) {
                    Ok(true) => {}
                    Ok(false) => tracing::warn!("somebody knocked at the window's door without its word"),
                    Err(error) => tracing::warn!(%error, "a second start was not understood"),
                }
            }
        })?;
        Ok(())
    }

    /// Takes no later start over any more: the window closes.
    pub fn close(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }
}

/// False: the word was wrong.
fn answer(
    mut stream: TcpStream,
    word: &str,
    open: &Mutex<bool>,
    wanted: &impl Fn(Option<PathBuf>) -> bool,
) -> io::Result<bool> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new((&stream).take(LONGEST)).read_line(&mut line)?;
    let knock: Knock = serde_json::from_str(&line)?;
    if knock.word != word {
        return Ok(false);
    }
    let open = open.lock().unwrap_or_else(PoisonError::into_inner);
    let told = if *open && wanted(knock.project) { OPEN } else { CLOSING };
    stream.write_all(told.as_bytes())?;
    stream.write_all(b"\n")?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_second_start_hands_its_project_to_the_first() -> io::Result<()> {
        let state = tempfile::tempdir()?;
        let Start::First(first) = start(state.path(), None) else { panic!("nobody was there") };
        let (sender, wanted) = mpsc::sync_channel(4);
        first.serve(move |project| sender.send(project).is_ok())?;
        let project = state.path().join("p");
        assert!(matches!(start(state.path(), Some(&project)), Start::HandedOver));
        assert_eq!(wanted.recv_timeout(PATIENCE).ok(), Some(Some(project)));
        assert!(matches!(start(state.path(), None), Start::HandedOver));
        assert_eq!(wanted.recv_timeout(PATIENCE).ok(), Some(None));

        // Whoever lacks the word gets nothing.
        let text = fs_err::read(door(state.path()))?;
        let wrong = Door { word: "x".to_owned(), ..serde_json::from_slice(&text)? };
        fs_err::write(door(state.path()), serde_json::to_vec(&wrong)?)?;
        assert!(matches!(start(state.path(), None), Start::First(_)), "a window of its own");
        assert!(wanted.try_recv().is_err());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs_err::metadata(door(state.path()))?.permissions().mode() & 0o077, 0);
        }
        Ok(())
    }

    #[test]
    fn a_start_while_the_first_window_closes_takes_its_place() -> io::Result<()> {
        let state = tempfile::tempdir()?;
        let Start::First(first) = start(state.path(), None) else { panic!("nobody was there") };
        first.serve(|_| panic!("a closing window took a project"))?;
        first.close();
        let path = state.path().to_owned();
        let second = thread::Builder::new()
            .name("second start".to_owned())
            .spawn(move || matches!(start(&path, None), Start::First(single) if single.listener.is_some()))?;
        thread::sleep(3 * PAUSE);
        assert!(!second.is_finished(), "it waits for the first to be gone");
        drop(first);
        assert!(second.join().is_ok_and(|first| first), "and is the one window then");
        Ok(())
    }
}
