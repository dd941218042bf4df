//! Inputs that cannot be used: the window says what the command line says, in the same words and whole, and the project
//! stays as it was.
#![allow(clippy::unwrap_used)]

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use paser_tests::{Served, Window};
use rusqlite::Connection;
use serde_json::Value;

/// WebDriver's code points.
const CONTROL: char = '\u{e009}';
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

/// Bytes that a full disk still has, and what cannot be written there: enough to open a project, not to import its pool;
/// enough for the import, not for what the next stage makes.
const FREE: [(u64, &str); 2] = [(96 << 10, "project.db"), (256 << 10, "arrays/embed-")];

const GOOD: &str = "{\"id\":1,\"instruction\":\"Add 1 and 2.\",\"input\":\"\",\"output\":\"3\"}\n";

/// An input of a project that is broken on purpose.
struct Case {
    name: &'static str,
    /// Gets the project's folder.
    spoil: fn(&Path) -> Result<()>,
    /// What the sentence must name.
    parts: &'static [&'static str],
    /// The field of the form that looks at it before anything runs.
    field: Option<&'static str>,
}

const POOL: Option<&str> = Some("Pool");
const PRUNED: Option<&str> = Some("Pruned model");

const CASES: [Case; 12] = [
    Case {
        name: "truncated",
        spoil: |project| pool(project, &[GOOD.as_bytes(), b"{\"instruction\":\"a"].concat()),
        parts: &["pool.jsonl", "breaks off", "line 2"],
        field: POOL,
    },
    Case {
        name: "binary",
        spoil: |project| pool(project, b"\x7fELF\x00\x01\x02"),
        parts: &["pool.jsonl", "binary", "offset 4"],
        field: POOL,
    },
    Case { name: "empty", spoil: |project| pool(project, b""), parts: &["pool.jsonl", "is empty"], field: POOL },
    Case {
        name: "10 MB single line",
        spoil: |project| pool(project, &vec![b'x'; 10 << 20]),
        parts: &["pool.jsonl", "line 1", "10485760 bytes"],
        field: POOL,
    },
    Case {
        name: "wrong encoding",
        spoil: |project| pool(project, b"{\"instruction\":\"caf\xe9\",\"output\":\"b\"}\n"),
        parts: &["pool.jsonl", "line 1", "0xE9", "UTF-8"],
        field: POOL,
    },
    Case {
        name: "missing fields",
        spoil: |project| pool(project, b"{\"prompt\":\"a\",\"completion\":\"b\"}\n"),
        parts: &["pool.jsonl", "prompt, completion", "rename the columns"],
        field: POOL,
    },
    Case {
        name: "duplicate ids",
        spoil: |project| pool(project, format!("{GOOD}{}", GOOD.replace("1 and 2", "2 and 2")).as_bytes()),
        parts: &["pool.jsonl", "\"1\"", "line 1", "line 2"],
        field: POOL,
    },
    Case {
        name: "rows without text",
        spoil: |project| pool(project, b"{\"instruction\":\"\",\"output\":3}\n[1]\n"),
        parts: &["pool.jsonl", "none of its 2 rows", "line 1"],
        field: POOL,
    },
    Case {
        name: "NaN weights",
        spoil: |project| {
            let weights = project.join("pruned/model.safetensors");
            let mut bytes = fs_err::read(&weights)?;
            let end = bytes.len();
            // NaN as f32, and as bfloat16.
            bytes[end - 4..].copy_from_slice(&[0x00, 0x00, 0xC0, 0x7F]);
            Ok(fs_err::write(weights, bytes)?)
        },
        parts: &["pruned/model.safetensors", "the tensor model.", "not finite", "NaN"],
        field: None,
    },
    Case {
        name: "missing shard",
        spoil: |project| {
            fs_err::remove_file(project.join("pruned/model.safetensors"))?;
            let index = r#"{"metadata":{},"weight_map":{"model.norm.weight":"model-00001-of-00002.safetensors"}}"#;
            Ok(fs_err::write(project.join("pruned/model.safetensors.index.json"), index)?)
        },
        parts: &["pruned/model.safetensors.index.json", "model-00001-of-00002.safetensors", "missing"],
        field: PRUNED,
    },
    Case {
        name: "cut weights",
        spoil: |project| {
            let weights = project.join("pruned/model.safetensors");
            let bytes = fs_err::read(&weights)?;
            Ok(fs_err::write(weights, &bytes[..bytes.len() / 2])?)
        },
        parts: &["pruned/model.safetensors", "the file holds"],
        field: PRUNED,
    },
    Case {
        name: "tokenizer mismatch",
        spoil: |project| {
            let path = project.join("pruned/tokenizer.json");
            let mut tokenizer: Value = serde_json::from_slice(&fs_err::read(&path)?)?;
            let words = tokenizer["model"]["vocab"].as_object_mut().context("a vocabulary")?;
            let last: Vec<String> = words.keys().rev().take(2).cloned().collect();
            let (one, other) = (words[&last[0]].take(), words[&last[1]].take());
            (words[&last[0]], words[&last[1]]) = (other, one);
            Ok(fs_err::write(path, tokenizer.to_string())?)
        },
        parts: &["dense and pruned", "read text differently", "has id"],
        field: None,
    },
];

fn pool(project: &Path, bytes: &[u8]) -> Result<()> {
    Ok(fs_err::write(project.join("pool.jsonl"), bytes)?)
}

/// What the command line said: sentence, advice, exit code.
#[derive(Debug, PartialEq)]
struct Said {
    what: String,
    advice: String,
    code: i64,
}

impl Said {
    fn whole(&self) -> String {
        if self.advice.is_empty() { self.what.clone() } else { format!("{}\n{}", self.what, self.advice) }
    }
}

/// A folder of state, with the demo's project in it.
struct Bench {
    home: tempfile::TempDir,
}

impl Bench {
    /// The demo with one pinned sample, so that there is a journal, and everything up to date.
    fn new() -> Result<Self> {
        let bench = Self { home: tempfile::tempdir()? };
        let project = bench.project();
        let line = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for arguments in [line("demo DIR"), line("curate DIR pin sample-0001"), line("run DIR")] {
            let mut command = paser_tests::command(bench.home.path())?;
            for argument in arguments {
                command.arg(if argument == "DIR" { project.as_os_str() } else { argument.as_ref() });
            }
            let output = command.output()?;
            ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        for part in ["pool.jsonl", "pruned"] {
            copy(&project.join(part), &bench.home.path().join("good").join(part))?;
        }
        Ok(bench)
    }

    fn project(&self) -> PathBuf {
        self.home.path().join("project")
    }

    /// Puts back pool and pruned model.
    fn mend(&self) -> Result<()> {
        fs_err::remove_dir_all(self.project().join("pruned"))?;
        for part in ["pool.jsonl", "pruned"] {
            copy(&self.home.path().join("good").join(part), &self.project().join(part))?;
        }
        Ok(())
    }

    /// Runs a command that must refuse: one error on stderr, the same report as the last line of stdout.
    fn refused(&self, arguments: &[&str], code: i64, parts: &[&str]) -> Result<Said> {
        let output = paser_tests::command(self.home.path())?.arg("--json").args(arguments).output()?;
        let (out, err) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
        let last: Value = serde_json::from_str(out.lines().last().context("nothing on stdout")?)?;
        let text = |name: &str| last["report"][name].as_str().map(str::to_owned).with_context(|| format!("{last}"));
        let said =
            Said { what: text("what")?, advice: text("advice")?, code: last["exit_code"].as_i64().unwrap_or(-1) };
        ensure!(said.code == code && output.status.code().map(i64::from) == Some(code), "{said:?} {}", output.status);
        for part in parts {
            ensure!(said.what.contains(part), "{said:?} lacks {part:?}");
        }
        ensure!(err.matches("error:").count() == 1, "{err}");
        let told = format!("error: {}\n", said.whole().replace('\n', "\n  "));
        ensure!(err.ends_with(&told), "stderr is {err:?}, stdout says {told:?}");
        Ok(said)
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_file() {
        fs_err::create_dir_all(to.parent().context("a folder")?)?;
        fs_err::write(to, fs_err::read(from)?)?;
        return Ok(());
    }
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// What a refused input must not change.
#[derive(PartialEq)]
struct Kept {
    recipe: Vec<u8>,
    journal: Vec<u8>,
    /// Names, keys and rows of the frozen selections.
    selections: Vec<(String, String, Vec<u8>)>,
}

impl Kept {
    fn of(project: &Path) -> Result<Self> {
        let database = Connection::open(project.join("project.db"))?;
        let state: String = database.query_row("pragma integrity_check", [], |row| row.get(0))?;
        ensure!(state == "ok", "{} is damaged: {state}", project.display());
        let mut statement = database.prepare("select name, key, rows from selections order by position")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(Self {
            recipe: fs_err::read(project.join("recipe.toml"))?,
            journal: fs_err::read(project.join("journal.jsonl")).unwrap_or_default(),
            selections: rows.collect::<Result<_, _>>()?,
        })
    }
}

/// A dialog finds its place in its second frame and its field then gets the keyboard: no person is faster.
fn settle() {
    thread::sleep(Duration::from_millis(300));
}

/// The window and what a person does in it here.
struct Person<'a>(&'a Window);

impl Person<'_> {
    /// The message at the lower right says `said`, whole and inside the page; the window goes on drawing.
    fn is_told(&self, said: &Said) -> Result<()> {
        let told = |toast: &Value| {
            toast["failed"] == true && toast["what"] == said.what.as_str() && toast["advice"] == said.advice.as_str()
        };
        let only =
            |state: &Value| matches!(state["toasts"].as_array().map(Vec::as_slice), Some([toast]) if told(toast));
        let state = self.0.wait(&format!("the sentence of the command line, {said:?}"), only)?;
        let toast = &state["toasts"][0];
        ensure!(toast["cut"] == false, "the sentence is cut: {toast}");
        for words in [&said.what, &said.advice] {
            ensure!(words.is_empty() || self.0.shows(words)?, "{words:?} is not on the page");
        }
        self.is_well()
    }

    /// The page stands, and a movement of the pointer makes it draw.
    fn is_well(&self) -> Result<()> {
        let banner = self.0.session.script("return document.getElementById('banner').hidden", &[])?;
        ensure!(banner == true, "the page stopped");
        let before = self.0.state()?["frames"].as_u64();
        self.0.session.hover(200.0, 20.0)?;
        self.0.session.hover(240.0, 60.0)?;
        self.0.wait("further frames", |state| state["frames"].as_u64() > before).map(drop)
    }

    /// The field of the form says `said`, whole.
    fn reads_below(&self, field: &str, before: &Value, said: &Said) -> Result<()> {
        let state = self.0.wait(&format!("a remark about {field}"), |state| {
            state["form"][field]["waiting"] == false && state["form"][field]["remarks"] != *before
        })?;
        let remarks = &state["form"][field]["remarks"];
        ensure!(
            remarks[0]["level"] == "error" && remarks[0]["text"] == said.whole().as_str(),
            "the command line says {said:?}, the form {remarks}"
        );
        ensure!(self.0.shows(&format!("error: {}", said.whole()))?, "{:?} is not on the page", said.whole());
        self.is_well()
    }

    fn opens(&self, project: &Path) -> Result<()> {
        self.0.session.keys(&[CONTROL], "o")?;
        self.0.wait("the dialog", |state| state["dialog"] == "OpenProject")?;
        settle();
        self.0.type_into("open path", &project.display().to_string())?;
        self.0.session.keys(&[], ENTER)
    }

    fn closes_the_project(&self) -> Result<()> {
        self.0.click("Palette")?;
        self.0.wait("the palette", |state| state["dialog"] == "Palette")?;
        // What is typed before the field has the keyboard goes nowhere, and is typed again.
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.0.state()?["palette"] != "close project" {
            ensure!(Instant::now() < deadline, "the palette takes no words");
            settle();
            self.0.session.keys(&[CONTROL], "a")?;
            self.0.session.keys(&[], "close project")?;
            settle();
        }
        self.0.session.keys(&[], ENTER)?;
        self.0.wait("the welcome page", |state| state["screen"] == "welcome" && state["dialog"].is_null()).map(drop)
    }

    /// Clicks Run, once the button stays where it is. What the run before said goes with the click.
    fn runs(&self) -> Result<()> {
        let said = |state: &Value| state["toasts"][0]["what"].clone();
        let (deadline, before) = (Instant::now() + Duration::from_secs(60), said(&self.0.state()?));
        let mut place = self.0.rectangle("Run")?;
        loop {
            thread::sleep(Duration::from_millis(150));
            let now = self.0.rectangle("Run")?;
            if now == place {
                self.0.click("Run")?;
                thread::sleep(Duration::from_millis(150));
                if before.is_null() || said(&self.0.state()?) != before {
                    return Ok(());
                }
            }
            ensure!(Instant::now() < deadline, "the click on Run does nothing");
            place = now;
        }
    }

    /// The run that is started now ends well.
    fn runs_to_the_end(&self) -> Result<()> {
        self.runs()?;
        let quiet = |state: &Value| state["toasts"].as_array().is_some_and(Vec::is_empty);
        let state = self.0.wait("the end of a run", |state| state["last_run"]["end"] == "Well" || !quiet(state))?;
        ensure!(quiet(&state), "the window says {}", state["toasts"]);
        Ok(())
    }
}

#[test]
fn the_window_says_what_the_command_line_says() -> Result<()> {
    let bench = Bench::new()?;
    let project = bench.project();
    let folder = project.to_str().context("a path in UTF-8")?;
    let kept = Kept::of(&project)?;
    let served = Served::start(bench.home.path(), None)?;
    let window = Window::in_browser(&served.url, 1280, 800, "")?;
    let person = Person(&window);

    // Nobody has the project open: the command line says what it says, the form of a new project the same.
    window.click("NewProject")?;
    let mut sentences = Vec::new();
    for case in &CASES {
        (case.spoil)(&project)?;
        let said = bench.refused(&["run", folder], 3, case.parts).context(case.name)?;
        if let Some(field) = case.field {
            let before = window.state()?["form"][field]["remarks"].clone();
            let again = format!("again:{field}");
            if window.state()?["rects"][&again].is_array() {
                window.click(&again)?;
            } else {
                let path = if case.field == POOL { "pool.jsonl" } else { "pruned" };
                window.type_into(&format!("field:{field}"), &project.join(path).display().to_string())?;
            }
            person.reads_below(field, &before, &said).context(case.name)?;
        }
        ensure!(Kept::of(&project)? == kept, "{}: the project changed", case.name);
        sentences.push(said);
        bench.mend()?;
    }
    for field in ["Pool", "Pruned model"] {
        window.click(&format!("again:{field}"))?;
        window.wait("a field that is fine again", |state| state["form"][field]["remarks"][0]["level"] == "ok")?;
    }

    // The project is open: the run is started by a click.
    (CASES[0].spoil)(&project)?;
    person.opens(&project)?;
    window.wait("the project", |state| state["project"]["path"] == folder && state["rects"]["Run"].is_array())?;
    for (case, said) in CASES.iter().zip(&sentences) {
        (case.spoil)(&project)?;
        person.runs()?;
        person.is_told(said).context(case.name)?;
        ensure!(Kept::of(&project)? == kept, "{}: the project changed", case.name);
        bench.mend()?;
        println!("{}: {}", case.name, said.whole());
    }
    person.runs_to_the_end()?;
    person.closes_the_project()?;
    ensure!(Kept::of(&project)? == kept, "the project changed");

    full_and_read_only_disks(&bench, &person)
}

/// A small file system of its own; needs the right to mount.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: &Path) -> Result<Option<Self>> {
        fs_err::create_dir_all(at)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(at).stdout(Stdio::null()).stderr(Stdio::null());
        if mount.status().is_ok_and(|status| status.success()) {
            return Ok(Some(Self(at.to_owned())));
        }
        eprintln!("skipped: no right to mount a small tmpfs, so full and read-only disks are not tried");
        Ok(None)
    }

    fn turn(&self, how: &str) -> Result<()> {
        let status = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0).status()?;
        ensure!(status.success(), "remount {how}: {status}");
        Ok(())
    }

    /// Leaves room for `free` bytes.
    fn fill(&self, free: u64) -> Result<()> {
        let mut filler = fs_err::File::create(self.filler())?;
        while filler.write_all(&[1; 4096]).is_ok() {}
        let length = filler.metadata()?.len();
        Ok(filler.set_len(length.saturating_sub(free))?)
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // A test that failed may leave the project open: the mount goes once it is closed.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn full_and_read_only_disks(bench: &Bench, person: &Person<'_>) -> Result<()> {
    let home = bench.home.path();
    let small = home.join("small.jsonl");
    let row = |id: u32| {
        let (a, b) = (id * 7 % 90, id * 13 % 70);
        format!("{{\"id\":{id},\"instruction\":\"Add {a} and {b}.\",\"input\":\"\",\"output\":\"{}\"}}\n", a + b)
    };
    fs_err::write(&small, (0..300).map(row).collect::<String>())?;
    let text = |path: &Path| path.display().to_string();
    let new = |project: &Path| -> Result<Kept> {
        let mut command = paser_tests::command(home)?;
        command.arg("new").arg(project).arg("--pool").arg(&small);
        let output = command.output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Kept::of(project)
    };

    let locked = home.join("locked");
    let Some(mount) = Tmpfs::mount(&locked)? else { return Ok(()) };
    let project = locked.join("project");
    let kept = new(&project)?;
    mount.turn("ro")?;
    let said = bench.refused(&["run", &text(&project)], 4, &[&text(&project), "Read-only"])?;
    println!("read-only folder: {}", said.whole());
    person.opens(&project)?;
    person.is_told(&said).context("read-only folder")?;
    person.0.session.keys(&[], ESCAPE)?;
    person.0.wait("no dialog", |state| state["dialog"].is_null())?;
    let (demo, other) = (bench.project(), locked.join("other"));
    let [dense, pruned, pool] = ["dense", "pruned", "pool.jsonl"].map(|part| text(&demo.join(part)));
    let arguments = ["new", &text(&other), "--pool", &pool, "--dense", &dense, "--pruned", &pruned];
    let said = bench.refused(&arguments, 4, &[&text(&other), "Read-only"])?;
    println!("read-only place for a new project: {}", said.whole());
    person.0.click("NewProject")?;
    person.0.type_into("field:Dense model", &dense)?;
    person.0.type_into("field:Project folder", &text(&other))?;
    // What stands beside the fields may still be said of the texts before these.
    settle();
    person.0.wait("a form that is fine", |state| {
        ["Dense model", "Pruned model", "Pool", "Project folder"].iter().all(|field| {
            let field = &state["form"][field];
            field["waiting"] == false && field["remarks"][0]["level"] == "ok"
        })
    })?;
    person.0.click("Create only")?;
    person.is_told(&said).context("read-only place for a new project")?;
    mount.turn("rw")?;
    ensure!(Kept::of(&project)? == kept, "read-only folder: the project changed");
    drop(mount);

    for (free, part) in FREE {
        full_disk(bench, person, &new, free, part).with_context(|| format!("a disk with {free} bytes left"))?;
    }
    Ok(())
}

fn full_disk(
    bench: &Bench,
    person: &Person<'_>,
    new: &dyn Fn(&Path) -> Result<Kept>,
    free: u64,
    part: &str,
) -> Result<()> {
    let full = bench.home.path().join("full");
    let project = full.join("project");
    let folder = project.to_str().context("a path in UTF-8")?;
    let Some(mount) = Tmpfs::mount(&full)? else { return Ok(()) };
    new(&project)?;
    mount.fill(free)?;
    let said = bench.refused(&["run", folder], 4, &[folder, part])?;
    println!("full disk, {} KiB left: {}", free >> 10, said.whole());
    ensure!(said.advice.contains("free some space"), "{said:?}");
    drop(mount);

    let Some(mount) = Tmpfs::mount(&full)? else { return Ok(()) };
    let kept = new(&project)?;
    mount.fill(free)?;
    person.opens(&project)?;
    person.0.wait("the project", |state| state["project"]["path"] == folder && state["rects"]["Run"].is_array())?;
    person.runs()?;
    person.is_told(&said)?;
    fs_err::remove_file(mount.filler())?;
    ensure!(Kept::of(&project)? == kept, "the project changed");
    person.runs_to_the_end().context("after the disk has room again")?;
    person.closes_the_project()
}
