//! Folders for other trainers: what stands in them, what is refused, and (where `PASER_PYTHON` names an interpreter that has
//! the trainer) what the trainer's own parser makes of them.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use paser_protocol::{Decay, Equal, Method, RecoverSettings, Trainer};
use paser_recover::hand_out::{HandOut, HandOutError, HandOutFolder, Row, folder};
use serde_json::Value;

fn settings() -> RecoverSettings {
    RecoverSettings {
        method: Method::Lora,
        rank: 8,
        alpha: 16.0,
        dropout: 0.05,
        last_layers: 3,
        learning_rate: 5e-5,
        weight_decay: 0.01,
        warmup: 100,
        decay: Decay::Linear,
        batch: 64,
        length: 256,
        clip: 1.0,
        equal: Equal::Steps,
        steps: 400,
        epochs: 2.0,
        response_tokens: 0,
        points: 20,
        held_out: 100,
        items: Vec::new(),
    }
}

fn rows() -> Vec<Row> {
    let with = "Below is an instruction that describes a task, paired with an input that provides further context. Write a \
                response that appropriately completes the request.\n\n### Instruction:\n";
    let without = "Below is an instruction that describes a task. Write a response that appropriately completes the \
                   request.\n\n### Instruction:\n";
    let row = |instruction: &str, input: &str, output: &str| Row {
        instruction: instruction.to_owned(),
        input: input.to_owned(),
        output: output.to_owned(),
        prompt: if input.is_empty() {
            [without, instruction, "\n\n### Response:\n"].concat()
        } else {
            [with, instruction, "\n\n### Input:\n", input, "\n\n### Response:\n"].concat()
        },
    };
    (0..30)
        .map(|number| match number % 3 {
            0 => row("Add {these}.", "1\n2", "3"),
            1 => row("Say \"hello\": now", "", "grüß dich\n"),
            _ => row(&format!("Count to {number}."), "", &"1, 2, 3, ".repeat(number)),
        })
        .collect()
}

fn order<'a>(trainer: Trainer, rows: &'a [Row], settings: &'a RecoverSettings, template: &'a str) -> HandOut<'a> {
    HandOut { trainer, rows, settings, base: "../models/it's pruned", template, steps: 400, seed: 7 }
}

fn text<'a>(folder: &'a HandOutFolder, path: &str) -> &'a str {
    let file = folder.files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}"));
    std::str::from_utf8(&file.bytes).unwrap()
}

#[test]
fn every_trainer_gets_data_configuration_command_and_words() {
    let (rows, settings) = (rows(), settings());
    for (trainer, files) in [
        (Trainer::Axolotl, &["data/train.jsonl", "config.yaml", "run.sh", "README.md"][..]),
        (Trainer::Trl, &["data/train.jsonl", "config.yaml", "run.sh", "README.md"]),
        (Trainer::LlamaFactory, &["data/train.json", "data/dataset_info.json", "config.yaml", "run.sh", "README.md"]),
        (Trainer::LlmPruner, &["alpaca-selected/train.json", "pack.py", "run.sh", "README.md"]),
    ] {
        let made = folder(&order(trainer, &rows, &settings, "alpaca")).unwrap();
        let found: Vec<&str> = made.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(found, files, "{trainer}");
        let words = text(&made, "README.md");
        assert!(words.contains("sh run.sh") && words.contains("30 samples, 400 steps of 64 (4 at a time, 16 times"));
        assert!(made.notes.iter().all(|note| words.contains(note.as_str())), "{trainer}: {words}");
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("for them");
        made.write(&out).unwrap();
        for file in &made.files {
            assert_eq!(fs_err::read(out.join(&file.path)).unwrap(), file.bytes);
        }
        assert!(made.write(&out).unwrap_err().to_string().contains("nothing is overwritten"));
    }
}

#[test]
fn data_says_the_prompts_of_the_recipe() {
    let (rows, settings) = (rows(), settings());
    let trl = folder(&order(Trainer::Trl, &rows, &settings, "alpaca")).unwrap();
    let lines: Vec<Value> =
        text(&trl, "data/train.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 30);
    for (line, row) in lines.iter().zip(&rows) {
        assert_eq!((line["prompt"].as_str(), line["completion"].as_str()), (Some(&*row.prompt), Some(&*row.output)));
    }
    let factory = folder(&order(Trainer::LlamaFactory, &rows, &settings, "alpaca")).unwrap();
    let data: Vec<Value> = serde_json::from_str(text(&factory, "data/train.json")).unwrap();
    for (line, row) in data.iter().zip(&rows) {
        let [system, question] = ["system", "instruction"].map(|key| line[key].as_str().unwrap());
        // Its template's words, as `data/template.py` has them.
        assert_eq!([system, "### Instruction:\n", question, "\n\n### Response:\n"].concat(), row.prompt);
    }
    let chat = folder(&order(Trainer::Axolotl, &rows, &settings, "chat")).unwrap();
    let first: Value = serde_json::from_str(text(&chat, "data/train.jsonl").lines().next().unwrap()).unwrap();
    assert_eq!(first["messages"][0]["content"], "Add {these}.\n1\n2");
    assert_eq!(first["messages"][1]["role"], "assistant");
}

#[test]
fn llm_pruners_own_ways_are_told() {
    let (rows, mut settings) = (rows(), settings());
    settings.decay = Decay::Cosine;
    let made = folder(&order(Trainer::LlmPruner, &rows, &settings, "alpaca")).unwrap();
    let notes = made.notes.join("\n");
    for word in ["1 of the samples", "883 instead of 882.76", "100 steps, not 40", "not cosine", "weight decay", "F16"]
    {
        assert!(notes.contains(word), "{word}: {notes}");
    }
    let run = text(&made, "run.sh");
    assert!(run.contains(r"python pack.py '../models/it'\''s pruned' pruned.bin"), "{run}");
    assert!(run.contains("--learning_rate 0.00005 "), "{run}");
    let pickled = HandOut { base: "prune_log/x.bin", ..order(Trainer::LlmPruner, &rows, &settings, "alpaca") };
    let made = folder(&pickled).unwrap();
    assert!(text(&made, "run.sh").contains("--prune_model 'prune_log/x.bin'"));
    assert!(made.files.iter().all(|file| file.path != "pack.py"));
}

#[test]
fn what_a_trainer_cannot_do_is_refused_with_the_reason() {
    let (rows, lora) = (rows(), settings());
    let refused = |trainer, rows: &[Row], settings: &RecoverSettings, template| {
        folder(&order(trainer, rows, settings, template)).unwrap_err().to_string()
    };
    let last = RecoverSettings { method: Method::LastLayers, ..lora.clone() };
    let full = RecoverSettings { method: Method::Full, ..lora.clone() };
    let odd = RecoverSettings { alpha: 12.5, ..lora.clone() };
    for trainer in [Trainer::Axolotl, Trainer::LlamaFactory, Trainer::Trl, Trainer::LlmPruner] {
        assert!(refused(trainer, &rows, &last, "alpaca").contains("last layers"), "{trainer}");
        assert!(refused(trainer, &rows, &odd, "alpaca").contains("12.5"), "{trainer}");
        assert!(refused(trainer, &[], &lora, "alpaca").contains("no sample"), "{trainer}");
    }
    assert!(refused(Trainer::LlmPruner, &rows, &full, "alpaca").contains("low-rank"));
    assert!(refused(Trainer::LlmPruner, &rows, &lora, "chat").contains("template alpaca only"));
    assert!(refused(Trainer::LlamaFactory, &rows, &lora, "plain").contains("end token"));
    let mut other = rows.clone();
    other[4].prompt = "Q: hello".to_owned();
    let error = folder(&order(Trainer::LlamaFactory, &other, &lora, "alpaca")).unwrap_err();
    assert!(matches!(error, HandOutError::Unable { trainer: Trainer::LlamaFactory, .. }), "{error}");
    let full = folder(&order(Trainer::Trl, &rows, &full, "alpaca")).unwrap();
    assert!(!text(&full, "config.yaml").contains("lora"));
}

#[test]
fn the_trainers_own_parsers_take_the_configurations() {
    let Some(python) = std::env::var_os("PASER_PYTHON") else {
        eprintln!("skipped: PASER_PYTHON names no interpreter");
        return;
    };
    let (rows, lora) = (rows(), settings());
    let full = RecoverSettings { method: Method::Full, decay: Decay::Constant, ..lora.clone() };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/parse_hand_out.py");
    for (trainer, settings, template) in [
        (Trainer::Trl, &lora, "alpaca"),
        (Trainer::Trl, &full, "chat"),
        (Trainer::Axolotl, &lora, "alpaca"),
        (Trainer::Axolotl, &full, "chat"),
        (Trainer::Axolotl, &lora, "plain"),
        (Trainer::LlamaFactory, &lora, "alpaca"),
        (Trainer::LlamaFactory, &full, "chat"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        folder(&order(trainer, &rows, settings, template)).unwrap().write(&out).unwrap();
        let output = Command::new(&python).arg(&script).arg(trainer.name()).current_dir(&out).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => {
                let parsed: Value =
                    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"));
                assert_eq!(parsed["learning_rate"].as_f64(), Some(5e-5), "{trainer} {template}");
                assert_eq!(parsed["max_steps"].as_u64(), Some(400));
                assert_eq!(parsed["warmup_steps"].as_f64(), Some(40.0));
                assert_eq!(parsed["batch"].as_u64(), Some(64));
                assert_eq!(parsed["rank"].as_u64(), (settings.method == Method::Lora).then_some(8));
                assert_eq!(parsed["targets"].as_u64(), (settings.method == Method::Lora).then_some(7));
                assert_eq!(parsed["rows"].as_u64(), Some(30));
            }
            Some(77) => eprintln!("skipped: {trainer} is not installed for PASER_PYTHON: {told}"),
            _ => panic!("{trainer} {template}: {told}"),
        }
    }
}
