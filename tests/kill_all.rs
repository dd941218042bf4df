//! A script edits while a run is at work, and at a random moment one of the processes is killed: the server, the worker,
//! the desktop program, or `paser run`. Every edit that was answered is on disk, the run is taken up, and the selections
//! at its end are those of an unbroken run with the same edits. `PASER_KILLS` says how many kills (2).
#![allow(clippy::unwrap_used)]

use std::{
    env,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use paser_tests::{Bench, Screen, Served, finished_shards, is_alive, kill, program, selections, wait_for, worker};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

/// Samples of the demo.
const SAMPLES: u32 = 3_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Server,
    Worker,
    Shell,
    Run,
}

#[test]
fn whatever_is_killed_no_answered_edit_and_no_selection_changes() -> Result<()> {
    let kills: u32 = env::var("PASER_KILLS").map_or(Ok(2), |text| text.parse())?;
    let bench = Bench::new()?;
    let mut random = StdRng::seed_from_u64(u64::from(kills));
    // No score depends on an edit: the unbroken run is made once, and its last stage anew for every journal.
    let unbroken = bench.project("unbroken")?;
    let begun = Instant::now();
    bench.run(&unbroken)?;
    let duration = begun.elapsed();
    println!("an unbroken run takes {duration:.1?}");
    let mut all_same = true;
    for number in 0..kills {
        // Every kind has its turn; where there is no screen the desktop program cannot be had, and that is said.
        let victim = [Victim::Server, Victim::Worker, Victim::Shell, Victim::Run][number as usize % 4];
        let victim = if victim == Victim::Shell && !shell_can_be_had() {
            println!("kill {number}: there is no desktop program or no screen here; the server dies instead");
            Victim::Server
        } else {
            victim
        };
        let moment = duration.mul_f64(random.random_range(0.0..1.0));
        let folder = bench.project(&format!("kill-{number}"))?;
        // The script names rows: they are there from the import on.
        ensure!(bench.command(&folder)?.args(["--until", "import"]).status()?.success(), "the import failed");
        let told = one_kill(&bench, &folder, victim, moment, &mut random)
            .with_context(|| format!("kill {number}: {victim:?} at {moment:.0?}"))?;
        fs_err::copy(folder.join("journal.jsonl"), unbroken.join("journal.jsonl"))?;
        bench.run(&unbroken)?;
        let same = selections(&folder)? == selections(&unbroken)?;
        all_same &= same;
        println!(
            "kill {number}: {victim:?} at {moment:.0?}: {told}, {}",
            if same { "same selections" } else { "OTHER SELECTIONS" }
        );
        fs_err::remove_dir_all(folder)?;
    }
    ensure!(all_same, "a run that was broken ended with other selections");
    Ok(())
}

fn one_kill(bench: &Bench, folder: &Path, victim: Victim, moment: Duration, random: &mut StdRng) -> Result<String> {
    let answered = match victim {
        Victim::Server | Victim::Worker => {
            let served = Served::start(bench.state(), Some(folder))?;
            served.ask(&json!({ "do": "run", "until": "select" }))?;
            let moment = from_the_worker_on(folder, &Door::of(&served.url)?, moment, random)?;
            let answered = edit_until(&Door::of(&served.url)?, moment, random)?;
            if victim == Victim::Worker {
                let door = Door::of(&served.url)?;
                wait_for("a worker", || Ok((worker(folder).is_some() || !is_at_work(&door)?).then_some(())))?;
            }
            strike(victim, folder, served.process_id())?;
            if victim == Victim::Worker {
                // Nothing else may notice: the run is waited for where it was begun.
                ended(&Door::of(&served.url)?)?;
            }
            answered
        }
        Victim::Shell => {
            let shell = Shell::start(bench.state(), folder)?;
            let door = wait_for("the desktop program's address", || Ok(Door::of_owner(folder)))?;
            door.ask(&json!({ "do": "run", "until": "select" }))?;
            let moment = from_the_worker_on(folder, &door, moment, random)?;
            let answered = edit_until(&door, moment, random)?;
            strike(victim, folder, shell.child.id())?;
            answered
        }
        Victim::Run => {
            // Edits before it, since `paser run` answers nobody.
            let served = Served::start(bench.state(), Some(folder))?;
            let answered = edit_until(&Door::of(&served.url)?, moment / 4, random)?;
            drop(served);
            let mut run = bench.command(folder)?.spawn()?;
            thread::sleep(moment);
            run.kill()?;
            run.wait()?;
            answered
        }
    };
    let journal = whole_lines(folder)?;
    ensure!(journal >= answered, "{answered} edits were answered, and {journal} are on disk");
    let (kept, lives) = (finished_shards(folder)?, worker(folder).is_some());
    let again = Served::start(bench.state(), Some(folder))?;
    let door = Door::of(&again.url)?;
    let project = door.ask(&json!({ "do": "project" }))?;
    let entries = project["value"]["curation"]["entries"].as_u64().context("no curation")?;
    ensure!(entries >= answered, "{answered} edits were answered, and the reopened project has {entries}");
    ended(&door)?;
    let stages = door.ask(&json!({ "do": "project" }))?["value"]["stages"].take();
    let open = stages.as_array().is_some_and(|all| all.iter().any(|stage| stage["state"] != "done"));
    // A run that had no time to say what it wants is begun again.
    if open {
        door.ask(&json!({ "do": "run", "until": "select" }))?;
        ended(&door)?;
    }
    Ok(format!(
        "{answered} edits answered, {journal} on disk, {kept} shards kept, worker {}, the run was {}",
        if lives { "at work" } else { "gone" },
        if open { "begun again" } else { "taken up" }
    ))
}

/// Half of the kills count from the moment that a worker is at work, where most of a long run is spent.
fn from_the_worker_on(folder: &Path, door: &Door, moment: Duration, random: &mut StdRng) -> Result<Duration> {
    if random.random_bool(0.5) {
        return Ok(moment);
    }
    wait_for("a worker", || Ok((worker(folder).is_some() || !is_at_work(door)?).then_some(())))?;
    Ok(moment / 4)
}

fn is_at_work(door: &Door) -> Result<bool> {
    Ok(door.ask(&json!({ "do": "run-state" }))?["value"]["at_work"] == true)
}

fn strike(victim: Victim, folder: &Path, owner: u32) -> Result<()> {
    if victim == Victim::Worker {
        // It may have ended by itself, or not have begun.
        if let Some(worker) = worker(folder) {
            return kill(worker.pid).or_else(|error| if is_alive(worker.pid) { Err(error) } else { Ok(()) });
        }
        return Ok(());
    }
    kill(owner)
}

/// Edits of every kind one after the other until `moment`; the journal's length at the last answer.
fn edit_until(door: &Door, moment: Duration, random: &mut StdRng) -> Result<u64> {
    let begun = Instant::now();
    let mut answered = 0;
    loop {
        let row = random.random_range(0..SAMPLES);
        let mut edit = match random.random_range(0..5_u32) {
            0 => json!({ "edit": "pin", "rows": [row] }),
            1 => json!({ "edit": "exclude", "rows": (row..(row + 40).min(SAMPLES)).collect::<Vec<_>>() }),
            2 => json!({ "edit": "tag", "rows": [row], "tag": "seen" }),
            3 => json!({ "edit": "hide", "rows": [row] }),
            _ => json!({ "edit": "release", "rows": [row] }),
        };
        edit["reason"] = json!("a script");
        let reply = door.ask(&json!({ "do": "curate", "edit": edit }))?;
        answered = reply["value"]["entries"].as_u64().unwrap_or(answered);
        if begun.elapsed() >= moment {
            return Ok(answered);
        }
        thread::sleep(Duration::from_millis(60));
    }
}

fn ended(door: &Door) -> Result<()> {
    wait_for("the end of the run", || Ok((!is_at_work(door)?).then_some(())))
}

fn whole_lines(folder: &Path) -> Result<u64> {
    let text = fs_err::read_to_string(folder.join("journal.jsonl"))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    for line in whole.lines() {
        serde_json::from_str::<Value>(line).with_context(|| format!("a line that is no JSON: {line}"))?;
    }
    Ok(whole.lines().count() as u64)
}

/// Where an engine answers.
struct Door {
    base: String,
    token: String,
}

impl Door {
    fn of(url: &str) -> Result<Self> {
        let (base, token) = url.split_once("/?token=").context("no token in the address")?;
        Ok(Self { base: base.to_owned(), token: token.to_owned() })
    }

    /// As the project's lock tells it.
    fn of_owner(folder: &Path) -> Option<Self> {
        let note: Value = serde_json::from_slice(&fs_err::read(folder.join("project.lock")).ok()?).ok()?;
        let part = |name: &str| note["address"][name].as_str().map(str::to_owned);
        Some(Self { base: part("base")?, token: part("token")? })
    }

    fn ask(&self, request: &Value) -> Result<Value> {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().max_idle_connections(0).http_status_as_error(false).build().into();
        let mut reply = agent
            .post(format!("{}/api/request", self.base))
            .header("authorization", format!("Bearer {}", self.token))
            .send_json(request)?;
        let status = reply.status();
        let value: Value = reply.body_mut().read_json()?;
        if !status.is_success() {
            bail!("{request} was refused: {value}");
        }
        Ok(value)
    }
}

/// The desktop program on a screen of its own.
struct Shell {
    child: Child,
    _screen: Screen,
}

fn shell_can_be_had() -> bool {
    program("paser-studio").is_ok() && Screen::start(64, 64).is_ok()
}

impl Shell {
    fn start(state: &Path, folder: &Path) -> Result<Self> {
        let screen = Screen::start(1280, 800)?;
        let child = Command::new(program("paser-studio")?)
            .arg(folder)
            .env("DISPLAY", &screen.display)
            .env("GDK_BACKEND", "x11")
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env("XDG_STATE_HOME", state)
            .env("XDG_DATA_HOME", state)
            .env_remove("WAYLAND_DISPLAY")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child, _screen: screen })
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Already gone is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
