//! `paser check`: what it finds, what it excludes, and how that is taken back.

use std::path::Path;

use serde_json::Value;

use crate::support::paser_in;

const QUESTION: &str = "Which of these animals lays eggs in the sand of a beach and swims back into the sea?";

/// A project of eight samples: a group of three, a pair, two that hold a test question, one alone.
fn project() -> tempfile::TempDir {
    let long = "Describe in a few sentences how bread is made from flour and water and yeast and a little salt \
                in a bakery of a small town";
    let home = project_of(&[
        ("a", long, "It is baked."),
        ("b", &long.to_uppercase(), "It is baked!"),
        ("c", &format!("{long}."), "It is baked..."),
        ("d", "Hello there", "Hi"),
        ("e", "Hello, THERE!", "Hi."),
        ("f", QUESTION, "The turtle."),
        ("g", &format!("Answer the question. {QUESTION} Turtle, cow, horse."), "Turtle"),
        ("h", "Name a colour of the rainbow that a child would like.", "Blue"),
    ]);
    let tasks = format!("{{\"question\": \"{QUESTION}\", \"gold\": 0}}\n{{\"question\": \"Why?\", \"gold\": 1}}\n");
    fs_err::write(home.path().join("arc_easy.jsonl"), tasks).unwrap();
    home
}

/// A project of samples: id, instruction, response.
fn project_of(rows: &[(&str, &str, &str)]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let lines = rows.iter().map(|(id, instruction, output)| {
        serde_json::json!({ "id": id, "instruction": instruction, "output": output }).to_string()
    });
    fs_err::write(home.path().join("pool.jsonl"), lines.collect::<Vec<_>>().join("\n")).unwrap();
    paser_in(home.path(), &["new", "p", "--pool", "pool.jsonl"]).well();
    home
}

fn check(home: &Path, more: &str) -> Value {
    let line = format!("check p --json {more}");
    let ran = paser_in(home, &line.split_whitespace().collect::<Vec<_>>()).well();
    assert_eq!(ran.stdout.lines().count(), 1, "one object: {}", ran.stdout);
    ran.last()
}

fn set_benchmarks(home: &Path, files: &str) {
    let path = home.join("p/recipe.toml");
    let recipe = fs_err::read_to_string(&path).unwrap();
    let start = recipe.find("benchmarks = ").unwrap();
    let end = start + recipe[start..].find('\n').unwrap();
    fs_err::write(path, format!("{}benchmarks = {files}{}", &recipe[..start], &recipe[end..])).unwrap();
}

#[test]
fn findings_are_told_by_id() {
    let home = project();
    let found = check(home.path(), "--benchmark arc_easy.jsonl");
    let near = &found["near_duplicates"];
    assert_eq!(
        (near["groups"].as_u64(), near["samples"].as_u64(), near["largest"].as_u64()),
        (Some(2), Some(3), Some(3))
    );
    // The longest response is kept.
    assert_eq!((&near["examples"][0]["kept"], &near["ids"]), (&"c".into(), &serde_json::json!(["a", "b", "d"])));
    let benchmark = &found["benchmarks"][0];
    assert_eq!((&benchmark["name"], &benchmark["ids"]), (&"ARC-e".into(), &serde_json::json!(["f", "g"])));
    assert_eq!((benchmark["questions"].as_u64(), benchmark["too_short"].as_u64()), (Some(2), Some(1)));
    assert_eq!(benchmark["examples"][0]["question"], QUESTION);
    // Without a file and a recipe that names one, the command says so; a threshold of 0 turns the rest off too.
    let off = check(home.path(), "--threshold 0");
    assert_eq!((off["off"].as_array().unwrap().len(), &off["near_duplicates"]), (2, &Value::Null));
    let text = paser_in(home.path(), &["check", "p", "--benchmark", "arc_easy.jsonl"]).well().stdout;
    assert!(text.contains("3 samples in 2 groups") && text.contains("which of these animals lays eggs"), "{text}");
}

#[test]
fn a_run_makes_the_recipe_s_checks_and_a_second_one_finds_them() {
    let home = project();
    set_benchmarks(home.path(), "[\"../arc_easy.jsonl\"]");
    let run = || paser_in(home.path(), &["run", "p", "--until", "import", "--json"]).well().last();
    assert_eq!(run()["stages"][0]["cached"], false);
    assert_eq!(run()["stages"][0]["cached"], true);
    let found = check(home.path(), "");
    assert_eq!(found["benchmarks"][0]["ids"], serde_json::json!(["f", "g"]));
    // A question taken out of the file changes what is found, by the file's content.
    fs_err::write(home.path().join("arc_easy.jsonl"), "{\"question\": \"Why?\"}\n").unwrap();
    assert_eq!(run()["stages"][0]["cached"], false);
    assert_eq!(check(home.path(), "")["benchmarks"][0]["ids"], serde_json::json!([]));
}

#[test]
fn exclusions_are_journal_lines_that_undo_takes_back() {
    let home = project();
    let run = |line: &str| paser_in(home.path(), &line.split(' ').collect::<Vec<_>>());
    check(home.path(), "");
    run("curate p pin g").well();
    let found = check(home.path(), "--benchmark arc_easy.jsonl --exclude all");
    let done = &found["excluded"];
    assert_eq!((done["samples"].as_u64(), done["pinned"].as_u64()), (Some(4), Some(1)));
    let reasons: Vec<&str> =
        done["entries"].as_array().unwrap().iter().map(|entry| entry["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["near-duplicates of 2 kept samples (similarity 0.8 or more)", "contains a question of ARC-e"]);
    let again = check(home.path(), "--benchmark arc_easy.jsonl --exclude all");
    assert_eq!((again["excluded"]["samples"].as_u64(), again["excluded"]["before"].as_u64()), (Some(0), Some(4)));
    let undone = run("curate p undo").well().stdout;
    assert!(undone.contains("1 pinned and 3 excluded"), "{undone}");
    let text = run("check p --exclude leaks").well().stdout;
    assert!(text.contains("nothing to exclude"), "{text}");
}

#[test]
fn the_only_group_is_named_by_its_kept_sample() {
    let home = project_of(&[("x", "Hello there", "Hi"), ("y", "hello, there", "Hi!"), ("z", "Name a colour.", "Blue")]);
    let found = check(home.path(), "--exclude duplicates");
    assert_eq!(found["excluded"]["entries"][0]["reason"], "near-duplicate of y");
}

#[test]
fn what_cannot_be_checked_is_refused_with_file_and_line() {
    let home = project();
    let run = |line: &str| paser_in(home.path(), &line.split(' ').collect::<Vec<_>>());
    fs_err::write(home.path().join("bad.jsonl"), "{\"question\": \"a\"}\n{\"answer\": \"b\"}\n").unwrap();
    for (line, code, parts) in [
        ("check p --benchmark bad.jsonl", 3, ["bad.jsonl", "line 2", "answer"]),
        ("check p --benchmark absent.jsonl", 3, ["absent.jsonl", "--benchmark", "benchmarks"]),
        ("check p --threshold 0.3", 2, ["0.5", "0.3", "threshold"]),
        ("check nowhere", 2, ["nowhere", "paser new", ""]),
    ] {
        let ran = run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{line}: {}", ran.stderr);
        assert!(parts.iter().all(|part| ran.stderr.contains(part)), "{line}: {}", ran.stderr);
    }
    set_benchmarks(home.path(), "[\"absent.jsonl\"]");
    let ran = run("run p --until import");
    // The run goes on without its checks, and says so.
    assert!(ran.code == 0 && ran.stderr.contains("checks.benchmarks"), "{}", ran.stderr);
}
