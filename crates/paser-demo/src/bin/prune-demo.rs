//! Prunes the demo's dense model by Wanda and writes `assets/pruned/` and the card:
//! `cargo run -p paser-demo --bin prune-demo`. The sparsity is chosen by a fixed rule on development items.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;
use paser_demo::card::{Measured, Trial, card, unevenness};
use paser_demo::damage::damage;
use paser_demo::evaluate::evaluate;
use paser_demo::model::read_model;
use paser_demo::pool::{Label, PoolRow, SEED, TestItem, TrainingStream, generate_items, read_jsonl};
use paser_demo::split::Part;
use paser_demo::tokens::{read_tokenizer, sequence};
use paser_model::Checkpoint;
use paser_protocol::Silent;
use paser_prune::{Method, Pattern, PruneParams, prune};

/// Calibration samples and their shares: rewriting and facts as in the pool, nothing else.
const CALIBRATION: usize = 128;
const CALIBRATION_SHARES: [f64; 6] = [42.0, 25.0, 0.0, 0.0, 0.0, 0.0];
const SPARSITIES: [f64; 4] = [0.5, 0.55, 0.6, 0.65];
const DEVELOPMENT_EACH: usize = 100;

fn main() -> Result<()> {
    let assets = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/assets"));
    let dense = assets.join("dense");
    let work = std::env::temp_dir().join("paser-prune-demo");
    let development = generate_items(SEED + 11, Part::Development, DEVELOPMENT_EACH, "dev")?;
    let calibration = calibration(&dense)?;
    let dense_development = evaluate(&dense, &development)?;
    let mut trials = Vec::new();
    for sparsity in SPARSITIES {
        let out = work.join(format!("{sparsity}"));
        prune_into(&dense, &calibration, sparsity, &out)?;
        let scores = evaluate(&out, &development)?;
        let (ratio, worst, least) = unevenness(&dense_development, &scores);
        eprintln!("sparsity {sparsity}: worst loses {worst:.0}, least {least:.0}, ratio {ratio:.1}");
        trials.push(Trial { sparsity, scores });
    }
    let chosen = trials
        .iter()
        .filter(|t| unevenness(&dense_development, &t.scores).0 >= 3.0)
        .map(|t| t.sparsity)
        .fold(None, |most: Option<f64>, s| Some(most.map_or(s, |m| m.max(s))))
        .context("at no sparsity does the worst capability lose three times what the least loses")?;
    let pruned = assets.join("pruned");
    if pruned.exists() {
        fs::remove_dir_all(&pruned)?;
    }
    fs::create_dir_all(&pruned)?;
    for entry in fs::read_dir(work.join(format!("{chosen}")))? {
        let entry = entry?;
        fs::copy(entry.path(), pruned.join(entry.file_name()))?;
    }
    report(&assets, &dense_development, &trials, chosen)
}

/// A pruned copy of `dense` in the folder `out`, which is made anew.
fn prune_into(dense: &Path, calibration: &[Vec<u32>], sparsity: f64, out: &Path) -> Result<()> {
    if out.exists() {
        fs::remove_dir_all(out)?;
    }
    let checkpoint = Checkpoint::open(dense)?;
    let params = PruneParams { method: Method::Wanda, pattern: Pattern::Unstructured(sparsity) };
    prune(&checkpoint, calibration, &params, out, &Silent)?;
    Ok(())
}

/// Token sequences of training samples, answers included.
fn calibration(dense: &Path) -> Result<Vec<Vec<u32>>> {
    let tokenizer = read_tokenizer(dense)?;
    let mut stream = TrainingStream::new(SEED + 12);
    (0..CALIBRATION)
        .map(|_| {
            let task = stream.next(&CALIBRATION_SHARES);
            Ok(sequence(&tokenizer, &task.instruction, &task.input, &task.output)?.ids)
        })
        .collect()
}

fn report(
    assets: &Path,
    dense_development: &[paser_demo::evaluate::Score],
    trials: &[Trial],
    chosen: f64,
) -> Result<()> {
    let (dense, pruned) = (assets.join("dense"), assets.join("pruned"));
    let tests: Vec<TestItem> = read_jsonl(&assets.join("tests.jsonl"))?;
    let pool: Vec<PoolRow> = read_jsonl(&assets.join("pool.jsonl"))?;
    let labels: Vec<Label> = read_jsonl(&assets.join("labels.jsonl"))?;
    let rows: Vec<(&str, &str, &str)> =
        pool.iter().map(|r| (r.instruction.as_str(), r.input.as_str(), r.output.as_str())).collect();
    let log = fs::read_to_string(assets.join("training-log.csv"))?;
    let last: Vec<&str> = log.lines().last().unwrap_or_default().split(',').collect();
    let number = |i: usize| -> Result<u64> { Ok(last.get(i).context("training-log.csv has no rows")?.parse()?) };
    let text = card(&Measured {
        parameters: read_model(&dense)?.0.parameters(),
        training_steps: number(0)? as usize,
        training_tokens: number(1)?,
        resumed: log.lines().filter(|line| line.starts_with("# goes on")).count(),
        dense_development,
        trials,
        chosen,
        dense: &evaluate(&dense, &tests)?,
        pruned: &evaluate(&pruned, &tests)?,
        labels: &labels,
        damage: &damage(&dense, &pruned, &rows)?,
    });
    fs::write(assets.join("README.md"), &text)?;
    println!("{text}");
    Ok(())
}
