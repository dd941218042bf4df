//! What is left when a program stops by a mistake of its own: a file in the state folder with version, thread, message,
//! backtrace and the last log lines. It holds no tokens and no texts of samples, so that it can be sent to others.

use std::{
    backtrace::Backtrace,
    borrow::Cow,
    collections::VecDeque,
    io::{self, Write},
    panic,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, OnceLock, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use regex::Regex;

/// Log lines kept for a report.
const LINES: usize = 50;
/// Reports kept; the oldest go.
const REPORTS: usize = 20;
/// Letters of a quoted piece: longer ones may be a sample's.
const QUOTED: usize = 40;
/// Bytes of what another program tells of its end.
const LONGEST: usize = 64 << 10;

/// The last lines, and what of the next one has been written.
static LOG: Mutex<(VecDeque<String>, String)> = Mutex::new((VecDeque::new(), String::new()));

/// A writer for log lines: to standard error, and the last of them kept for a report.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        let (lines, rest) = &mut *log;
        rest.push_str(&String::from_utf8_lossy(bytes));
        while let Some(end) = rest.find('\n') {
            let line: String = rest.drain(..=end).collect();
            lines.push_back(without_secrets(&without_quotes(&without_colours(line.trim_end()))));
            while lines.len() > LINES {
                lines.pop_front();
            }
        }
        drop(log);
        io::stderr().write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Terminal colours taken out.
fn without_colours(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('\u{1b}') {
        out.push_str(&rest[..start]);
        rest = rest[start..].split_once('m').map_or("", |(_, after)| after);
    }
    out + rest
}

/// What is quoted may be a sample's text, which may hold such marks itself: from the first to the last one of a kind
/// everything goes, unless it is short.
fn without_quotes(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for mark in ['`', '"', '\'', '\u{2018}', '\u{201c}'] {
        let closing = match mark {
            '\u{2018}' => '\u{2019}',
            '\u{201c}' => '\u{201d}',
            same => same,
        };
        let (Some(from), Some(to)) = (text.find(mark), text.rfind(closing)) else { continue };
        let from = from + mark.len_utf8();
        if to > from && text[from..to].chars().count() > QUOTED {
            text = Cow::Owned(format!("{}...{}", &text[..from], &text[to..]));
        }
    }
    text
}

/// Access tokens and hashes, wherever they stand.
fn without_secrets(text: &str) -> String {
    static SECRETS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        let patterns = [
            r"(hf_)[A-Za-z0-9]{8,}",
            r#"(?i)(token["']?\s*[=:]\s*["']?)[^\s"'&,;}]+"#,
            r"(?i)(bearer\s+)\S+",
            r"()[0-9a-fA-F]{64,}",
        ];
        patterns.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect()
    });
    SECRETS.iter().fold(text.to_owned(), |text, secret| secret.replace_all(&text, "$1...").into_owned())
}

/// A panic's message, of one or many lines, and its trace behind it, as this program and browsers write them.
fn clean(text: &str) -> String {
    let number = |line: &str| line.split_once(':').and_then(|(number, _)| number.trim().parse::<u32>().ok());
    let mut trace = 0;
    for line in text.split_inclusive('\n').rev() {
        let bare = line.trim();
        if number(line).is_none() && !bare.is_empty() && !bare.starts_with("at ") && !bare.contains("wasm-function") {
            break;
        }
        trace += line.len();
        // The innermost frame. What looks like one before it is the message's.
        if number(line) == Some(0) {
            break;
        }
    }
    let (message, trace) = text.split_at(text.len() - trace);
    without_secrets(&(without_quotes(message) + trace))
}

/// Writes a report for every panic of this process from now on, beside what the hook before does. `face`: the program.
pub fn install(face: &'static str, state: PathBuf) {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    if INSTALLED.set(()).is_err() {
        return;
    }
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // What a decoder makes of a damaged file is told as the file's error.
        if paser_data::guarded() {
            return;
        }
        before(info);
        let backtrace = Backtrace::force_capture();
        let thread = std::thread::current();
        let what = format!("thread {}: {info}\n\n{backtrace}", thread.name().unwrap_or("without a name"));
        match write(&state, face, &what) {
            Ok(path) => eprintln!("A report of this is in {}.", path.display()),
            Err(error) => eprintln!("No report of this could be written: {error}"),
        }
    }));
}

/// Writes a report; its path.
///
/// # Errors
/// The state folder cannot be written.
pub fn write(state: &Path, face: &str, what: &str) -> io::Result<PathBuf> {
    let folder = state.join("crashes");
    fs_err::create_dir_all(&folder)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let path = folder.join(format!("{}-{:09}-{face}.txt", since.as_secs(), since.subsec_nanos()));
    let mut text = format!(
        "PASER Studio {}, {face}, {} {}\n{} s since 1970\n\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        since.as_secs()
    );
    let end = (0..=LONGEST.min(what.len())).rev().find(|end| what.is_char_boundary(*end)).unwrap_or(0);
    text.push_str(&clean(&what[..end]));
    text.push_str("\n\nLast log lines:\n");
    // A panic while the log was being written must not wait for itself.
    match LOG.try_lock() {
        Ok(log) => log.0.iter().for_each(|line| {
            text.push_str(line);
            text.push('\n');
        }),
        Err(_) => text.push_str("(not at hand)\n"),
    }
    fs_err::write(&path, text)?;
    tidy(&folder);
    Ok(path)
}

/// Removes the oldest reports beyond the ones that are kept.
fn tidy(folder: &Path) {
    let Ok(entries) = fs_err::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    // A name begins with its time.
    paths.sort();
    let spare = paths.len().saturating_sub(REPORTS);
    for path in paths.into_iter().take(spare) {
        // One that stays is one file more.
        let _ = fs_err::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_report_names_version_and_reason_and_tells_no_secret() {
        let state = tempfile::tempdir().unwrap();
        let text = "A".repeat(60);
        writeln!(
            Log,
            "\u{1b}[33mWARN\u{1b}[0m fetching with hf_abcdefghijklmnop from http://127.0.0.1/?token=0123&e2e=1"
        )
        .unwrap();
        let what = format!("byte index 3 is inside `{text}` of `short`; Authorization: Bearer abc");
        let path = write(state.path(), "serve", &what).unwrap();
        let report = fs_err::read_to_string(path).unwrap();
        assert!(report.contains(env!("CARGO_PKG_VERSION")) && report.contains("byte index 3"), "{report}");
        assert!(!report.contains(&text), "a sample's text stays here: {report}");
        assert!(report.contains("WARN fetching with") && !report.contains('\u{1b}'), "{report}");
        for secret in ["hf_abcdefghijklmnop", "0123", "Bearer abc"] {
            assert!(!report.contains(secret), "{secret} in {report}");
        }
        assert!(report.contains("e2e=1"));
    }

    #[test]
    fn samples_and_tokens_stay_here_whatever_surrounds_them() {
        let trace = "\n\n   0: rust_begin_unwind\n             at ./main.rs:7:1\n   1: paser::main\n";
        for sample in [
            "Run `ls` here\n1: first `cd`, then \"make\" twice and see what it says of this",
            "She said \"it's `fine`\" and then went home to look after the cat",
        ] {
            for (open, close) in [('`', '`'), ('"', '"'), ('\'', '\''), ('\u{201c}', '\u{201d}')] {
                let told = clean(&format!("thread main: inside {open}{sample}{close} at 3{trace}"));
                for words in sample.split(['`', '"', '\'', '\n']).filter(|words| words.len() > 8) {
                    assert!(!told.contains(words), "{words:?} in {told:?}");
                }
                assert!(told.starts_with("thread main: inside") && told.ends_with(trace), "{told}");
            }
        }
        for secret in [
            "HF_TOKEN=hf_abcdefghij1234",
            "{\"token\":\"hf_abcdefghij1234\"}",
            "{\"Token\": \"s3cr3t\"}",
            "x=(hf_abcdefghij1234)",
            "authorization: BEARER s3cr3t",
        ] {
            let told = clean(secret);
            assert!(!told.contains("abcdefghij") && !told.contains("s3cr3t"), "{told}");
        }
        assert_eq!(clean("called `Option::unwrap()` on a `None` value"), "called `Option::unwrap()` on a `None` value");
        assert_eq!(clean("response_tokens: 12"), "response_tokens: 12");
    }

    #[test]
    fn the_last_lines_and_the_last_reports_are_kept() {
        let state = tempfile::tempdir().unwrap();
        for line in 0..80 {
            writeln!(Log, "line number {line} of the test").unwrap();
        }
        let mut last = String::new();
        for _ in 0..REPORTS + 3 {
            last = fs_err::read_to_string(write(state.path(), "serve", "why").unwrap()).unwrap();
        }
        assert!(last.contains("line number 79 of") && !last.contains("line number 20 of"), "{last}");
        assert_eq!(fs_err::read_dir(state.path().join("crashes")).unwrap().count(), REPORTS);
    }
}
