//! The help of every command, word for word, and the refusals of what belongs to later versions.

use crate::support::paser;

const COMMANDS: [&str; 21] = [
    "demo", "new", "run", "status", "check", "inspect", "prune", "encode", "cluster", "score", "curate", "select",
    "compare", "export", "table", "caches", "serve", "pruned", "recover", "eval", "verdict",
];

#[test]
fn help_of_the_program() {
    insta::assert_snapshot!("program", paser(&["--help"]).well().stdout);
}

#[test]
fn help_of_every_command_has_an_example() {
    for command in COMMANDS {
        let help = paser(&[command, "--help"]).well().stdout;
        assert!(help.contains(&format!("Example:\n  paser {command} ")), "{help}");
        insta::assert_snapshot!(command, help);
    }
    for edit in [
        "pin", "exclude", "release", "tag", "untag", "hide", "show", "rename", "merge", "split", "quota", "emphasis",
        "undo", "redo", "revert", "journal",
    ] {
        let help = paser(&["curate", edit, "--help"]).well().stdout;
        assert!(help.contains("Example:\n  paser curate my-recovery "), "{help}");
        insta::assert_snapshot!(format!("curate-{edit}"), help);
    }
}

#[test]
fn later_commands_are_refused_with_one_sentence() {
    let mut text = String::new();
    for line in ["devices", "plan", "merge", "run --device cuda:0", "run --device metal", "run --device tpu"] {
        let words: Vec<&str> = line.split(' ').collect();
        let ran = paser(&words);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{line}");
        text.push_str(&format!("$ paser {line}\n{}\n", ran.stderr));
    }
    insta::assert_snapshot!("later", text);
}

#[test]
fn wrong_usage_ends_with_2() {
    let mut text = String::new();
    for line in [
        "",
        "nonsense",
        "run --until never",
        "select --strategy best --budget 20% --name a",
        "select --strategy paser --budget lots --name a",
        "prune m --method wanda --out o",
        "prune m --method magnitude --sparsity 0.5 --pattern 2:4 --out o",
        "prune m --method magnitude --pattern 0.5 --out o",
        "prune m --method magnitude --sparsity 1.5 --out o",
        "prune m --method wanda --pattern 2:4 --out o",
        "score --dense a --pruned b --pool p --template vicuna --out o",
        "new p --pool a.json --pruned m",
        "select --strategy paser --budget 20%",
        "select --discard a --strategy paser",
        "serve --port 0",
        "compare a",
        "curate pin",
        "curate pin 1 --where pinned",
        "curate pin --near 1 --where pinned",
        "curate pin 1 --count 3",
        "curate merge 1",
        "run --threads 0",
        "export --selection a --format csv --out o",
    ] {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let ran = paser(&words);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{line}: {}", ran.stderr);
        text.push_str(&format!("$ paser {line}\n{}\n", ran.stderr));
    }
    insta::assert_snapshot!("usage", text);
}

#[test]
fn the_version_is_told() {
    assert_eq!(paser(&["--version"]).well().stdout, format!("paser {}\n", env!("CARGO_PKG_VERSION")));
}
