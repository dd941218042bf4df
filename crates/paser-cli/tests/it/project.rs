//! A project by command alone: made, run, looked at, edited, selected from, compared, exported; and what it refuses.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Ran, demo_files, paser_in, text};

/// A folder with the first `rows` rows of the demo's pool and a project `p` on its two models.
fn project(rows: usize) -> (tempfile::TempDir, PathBuf) {
    let home = demo_files(rows);
    let made = "new p --json --pool pool.jsonl --dense dense --pruned pruned --template chat";
    let made = paser_in(home.path(), &made.split(' ').collect::<Vec<_>>()).well();
    assert_eq!(made.last()["project"], "p");
    let folder = home.path().join("p");
    // A fixed number of clusters: the stability curve is the manifold's own matter, and slow on a busy machine.
    let recipe = fs_err::read_to_string(folder.join("recipe.toml")).unwrap();
    let fixed = recipe.replace("clusters = \"automatic\"", "clusters = 4");
    assert_ne!(fixed, recipe);
    fs_err::write(folder.join("recipe.toml"), fixed).unwrap();
    (home, folder)
}

fn sum(ledger: &Value, field: &str) -> u64 {
    ledger.as_array().unwrap().iter().map(|row| row[field].as_u64().unwrap()).sum()
}

#[test]
fn from_a_pool_to_files_for_a_trainer() {
    let (home, folder) = project(250);
    let run = |line: &str| paser_in(home.path(), &line.split(' ').collect::<Vec<_>>());
    assert!(fs_err::read_to_string(folder.join("recipe.toml")).unwrap().contains("max_tokens"));

    let before = run("status p --json").well().last();
    assert!(before["stages"].as_array().unwrap().iter().all(|stage| stage["state"] == "missing"), "{before}");

    let events = run("run p --json").well().json();
    assert!(events.iter().any(|event| event["event"] == "job"), "no progress was told");
    let finished = events.last().unwrap();
    assert_eq!(finished["event"], "finished");
    let stages: Vec<&str> =
        finished["stages"].as_array().unwrap().iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["import", "embed", "manifold", "score", "select"]);
    assert!(finished["clusters"][0]["cds"].as_f64().unwrap() > 0.0);
    let selections = finished["selections"].as_array().unwrap();
    assert!(selections.iter().any(|selection| selection["strategy"] == "paser"), "{selections:?}");

    let again = run("run p --json").well().last();
    assert!(again["stages"].as_array().unwrap().iter().all(|stage| stage["cached"] == true), "{again}");

    let ledger = run("select p --strategy paser --budget 25% --name quarter --json").well().last();
    assert_eq!(ledger["selection"], "quarter");
    let rows = &ledger["ledger"];
    assert_eq!(sum(rows, "quota"), ledger["budget"].as_u64().unwrap());
    assert_eq!(sum(rows, "pinned") + sum(rows, "taken") + sum(rows, "refilled"), ledger["selected"].as_u64().unwrap());
    let counted: u64 = ledger["reasons"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(counted, 250, "every sample has its reason");
    run("select p --strategy random --budget 25% --seed 3 --name chance").well();
    assert_eq!(run("select p --strategy random --budget 25% --name chance").code, 2);

    // The pruned model by its name, as it was given to `new`, and by another path to it.
    let absolute = home.path().join("pruned");
    for (number, pruned) in ["pruned", "p/../pruned", text(&absolute)].into_iter().enumerate() {
        let line = format!("select p --strategy random --budget 10% --pruned {pruned} --name by-{number}");
        run(&line).well();
    }
    let refused = run("select p --strategy random --budget 10% --pruned dense --name other");
    assert!(refused.code == 2 && refused.stderr.contains("\"dense\""), "{}", refused.stderr);
    let taken = run("select p --strategy random --budget 10% --name by-0");
    assert!(taken.code == 2 && taken.stderr.contains("discard"), "{}", taken.stderr);
    let gone = run("select p --discard by-0 --json").well().last();
    assert_eq!((&gone["discarded"], &gone["in_recipe"]), (&"by-0".into(), &false.into()));
    assert_eq!(run("select p --discard by-0").code, 2);
    run("select p --strategy random --budget 10% --name by-0").well();
    let named = selections.first().and_then(|selection| selection["selection"].as_str()).unwrap();
    assert!(run(&format!("select p --discard {named}")).well().stdout.contains("recipe.toml"));

    let compared = run("compare p quarter chance --json").well().last();
    assert_eq!(compared["selections"].as_array().unwrap().len(), 2);
    assert!(compared["overlaps"][0]["jaccard"].as_f64().unwrap() < 1.0);
    let table = run("compare p quarter chance").well().stdout;
    assert!(table.contains("quarter") && table.contains("of either"), "{table}");

    let entry = run("curate p exclude sample-0000 --json --reason dull").well().last();
    assert_eq!((entry["entry"].as_u64(), entry["reason"].as_str()), (Some(1), Some("dull")));
    run("curate p pin sample-0001 sample-0002").well();
    let undone = run("curate p undo").well().stdout;
    assert!(undone.contains("Took back entry 2: pin of 2 samples; now 0 pinned and 1 excluded"), "{undone}");
    let paser = |arguments: &[&str]| paser_in(home.path(), arguments);
    let filtered = paser(&["curate", "p", "tag", "sums", "--where", "id ~ 000 and not excluded", "--reason", "look"]);
    assert!(filtered.well().stdout.contains("tag \"sums\" on 9 samples"));
    assert!(paser(&["curate", "p", "hide", "--where", "tag = none"]).stderr.contains("no sample fits"));
    let clusters = run("status p --json").well().last()["clusters"].as_array().unwrap().len();
    run("curate p merge 0 1").well();
    run("curate p rename 0 both").well();
    assert!(run("curate p split BOTH 3").well().stdout.contains("into 3 parts"));
    assert_eq!(run("status p --json").well().last()["clusters"].as_array().unwrap().len(), clusters + 1);
    run("curate p revert 5").well();
    run("curate p emphasis 1 2.5").well();
    run("curate p quota 0 12").well();
    assert_eq!(run("curate p quota 0 50%").code, 2);
    let set = run("status p --json").well().last()["clusters"].clone();
    assert_eq!((&set[0]["quota"][0], &set[1]["emphasis"]), (&12.into(), &2.5.into()));
    let journal = run("curate p journal --json").well().json();
    let states: Vec<&str> = journal.iter().map(|line| line["state"].as_str().unwrap()).collect();
    let expected = ["in-force", "taken-back", "undo", "in-force", "taken-back"];
    assert_eq!(states[..5], expected);
    let table = run("curate p journal").well().stdout;
    assert!(table.contains("the filter id ~ 000 and not excluded") && table.contains("look"), "{table}");
    assert!(
        run("curate p tag near --near sample-0003 --count 12").well().stdout.contains("tag \"near\" on 12 samples")
    );
    assert!(run("curate p journal").well().stdout.contains("the neighbours of sample sample-0003"));
    assert_eq!(run("curate p tag near --near nobody").code, 2);
    run("curate p undo").well();
    run("curate p emphasis 1 1").well();
    run("curate p quota 0 auto").well();
    let refused = run("curate p pin sample-0001 nobody");
    assert!(refused.code == 2 && refused.stderr.contains("nobody"), "{}", refused.stderr);

    let exported = run("export p --selection quarter --format messages-jsonl --out train --json").well().last();
    assert_eq!(exported["samples"], ledger["selected"]);
    for path in exported["paths"].as_array().unwrap() {
        assert!(Path::new(path.as_str().unwrap()).is_file(), "{path}");
    }
    let manifest: Value =
        serde_json::from_slice(&fs_err::read(home.path().join("train/manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["decided_by"]["plan"]["strategy"], "paser");
    let refused = run("export p --selection none --format alpaca-json --out train");
    assert!(refused.code == 2 && refused.stderr.contains("quarter"), "{}", refused.stderr);

    // From inside the folder, without naming it.
    let inside = paser_in(&folder, &["status"]).well().stdout;
    assert!(inside.contains("250 samples") && inside.contains("quarter"), "{inside}");
}

#[test]
fn projects_that_cannot_be_opened() {
    let (home, folder) = project(50);
    let run = |line: &str| paser_in(home.path(), &line.split(' ').collect::<Vec<_>>());
    let refused = |ran: &Ran, code: i32, parts: &[&str]| {
        assert_eq!(ran.code, code, "{}", ran.stderr);
        for part in parts {
            assert!(ran.stderr.contains(part), "{:?} lacks {part:?}", ran.stderr);
        }
    };
    refused(&run("status nowhere"), 2, &["nowhere", "paser new"]);
    refused(&run("new p --pool pool.jsonl"), 2, &["holds a project already"]);
    refused(&run("new q --pool absent.jsonl"), 3, &["absent.jsonl"]);
    assert!(!home.path().join("q").exists());
    refused(&run("select p --strategy paser --budget 20% --name a"), 2, &["imported"]);
    refused(&run("run p --memory 1KiB --until score"), 4, &["--memory"]);

    let recipe = fs_err::read_to_string(folder.join("recipe.toml")).unwrap();
    let broken = recipe.replace("max_tokens = 512", "max_tokens = \"many\"");
    assert_ne!(broken, recipe);
    let line = 1 + broken.lines().position(|line| line.contains("many")).unwrap();
    fs_err::write(folder.join("recipe.toml"), broken).unwrap();
    refused(&run("run p"), 2, &[&format!("recipe.toml:{line}"), "max_tokens"]);
    fs_err::write(folder.join("recipe.toml"), &recipe).unwrap();

    fs_err::write(home.path().join("pool.jsonl"), "{\"instruction\": \"a\", \"output\": \"b\"}\n{\"inst").unwrap();
    refused(&run("run p"), 3, &["pool.jsonl", "line 2"]);
}

/// A command that goes on until it is told to stop.
fn spawn(home: &Path, arguments: &[&str]) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_paser"))
        .args(arguments)
        .current_dir(home)
        .env("HOME", home)
        .env("NO_COLOR", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn interrupt(child: &std::process::Child) {
    let done = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(done.success());
}

#[test]
fn serving_owns_the_project_and_ends_by_ctrl_c() {
    let (home, _folder) = project(50);
    let mut server = spawn(home.path(), &["serve", "p", "--json"]);
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = serde_json::from_str::<Value>(&line).unwrap()["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("http://127.0.0.1:") && url.contains("token="), "{url}");
    let again = paser_in(home.path(), &["serve", "p", "--json"]).well().last();
    assert_eq!((again["url"].as_str(), &again["attached"]), (Some(url.as_str()), &Value::Bool(true)));
    let ran = paser_in(home.path(), &["run", "p", "--until", "import", "--json"]).well().last();
    assert_eq!((&ran["event"], &ran["stages"][0]["stage"]), (&"finished".into(), &"import".into()), "{ran}");
    interrupt(&server);
    assert_eq!(server.wait().unwrap().code(), Some(130));
    paser_in(home.path(), &["status", "p"]).well();
}

/// What the served window asks of the engine.
fn ask(url: &str, request: &str) -> String {
    let (base, token) = url.strip_prefix("http://").unwrap().split_once("/?token=").unwrap();
    let mut stream = std::net::TcpStream::connect(base).unwrap();
    let head = format!(
        "POST /api/request HTTP/1.1\r\nhost: {base}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        request.len()
    );
    stream.write_all((head + request).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[cfg(target_os = "linux")]
#[test]
fn a_served_run_takes_the_threads_that_were_named() {
    let (home, _folder) = project(3000);
    let mut server = spawn(home.path(), &["serve", "p", "--json", "--threads", "1"]);
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = serde_json::from_str::<Value>(&line).unwrap()["url"].as_str().unwrap().to_owned();
    assert!(ask(&url, r#"{"do":"run","until":"manifold"}"#).starts_with("HTTP/1.1 200"));
    let workers = || -> BTreeSet<String> {
        let tasks = fs_err::read_dir(format!("/proc/{}/task", server.id())).unwrap().flatten();
        let names = tasks.filter_map(|task| fs_err::read_to_string(task.path().join("comm")).ok());
        names.map(|name| name.trim().to_owned()).filter(|name| name.starts_with("work-")).collect()
    };
    let mut end = Instant::now() + Duration::from_secs(60);
    let mut seen = BTreeSet::new();
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(2));
        if seen.is_empty() && !workers().is_empty() {
            // All threads of the first stages, not only the first of them.
            end = Instant::now() + Duration::from_secs(1);
        }
        seen.extend(workers());
    }
    // Two stages' pools may overlap; each has one thread.
    assert_eq!(seen, BTreeSet::from(["work-0".to_owned()]));
    interrupt(&server);
    assert_eq!(server.wait().unwrap().code(), Some(130));
}

#[test]
fn ctrl_c_stops_a_run_within_a_second_and_it_goes_on_later() {
    let (home, _folder) = project(1500);
    let mut run = spawn(home.path(), &["run", "p", "--until", "score", "--json"]);
    // Stop it while it scores.
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
    let scoring = lines.by_ref().map_while(Result::ok).any(|line| {
        serde_json::from_str::<Value>(&line).is_ok_and(|event| {
            event["job"]["stage"] == "score"
                && event["job"]["unit"] == "tokens"
                && event["job"]["done"].as_u64() > Some(0)
        })
    });
    assert!(scoring, "it ended before it could be stopped");
    let asked = Instant::now();
    interrupt(&run);
    let code = run.wait().unwrap().code();
    let took = asked.elapsed();
    assert_eq!(code, Some(130));
    assert!(took < Duration::from_secs(2), "{took:?}");
    let again = paser_in(home.path(), &["run", "p", "--until", "score", "--json"]).well().last();
    assert_eq!(again["stages"][0]["cached"], true, "{again}");
    assert_eq!(again["stages"][3]["cached"], false, "{again}");
}
