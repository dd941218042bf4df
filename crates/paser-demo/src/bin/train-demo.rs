//! Trains the demo's dense model: `cargo run -p paser-demo --bin train-demo -- [--steps N] [--samples N]
//! [--threads N] [--look-every STEPS] [--out FOLDER] [--work FOLDER] [--early S] [--late S] [--data-only]`. Goes on from
//! `WORK/checkpoint.safetensors`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use fs_err as fs;
use paser_demo::pool::{SEED, generate_pool, generate_tests, write_jsonl};
use paser_demo::tokens::{read_tokenizer, train_tokenizer};
use paser_demo::train::optimizer::Rates;
use paser_demo::train::run::{EARLY_SHARES, LATE_SHARES, Plan, train};

fn main() -> Result<()> {
    // The batch is cut by thread here; threads inside every small matrix product would only wait for each other.
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        let status = Command::new(std::env::current_exe()?)
            .args(std::env::args_os().skip(1))
            .env("RAYON_NUM_THREADS", "1")
            .status()?;
        std::process::exit(status.code().unwrap_or(1));
    }
    let assets = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/assets"));
    let mut work = std::env::temp_dir().join("paser-train-demo");
    let mut plan = Plan {
        steps: 3500,
        samples: 96,
        threads: std::thread::available_parallelism()?.get(),
        seed: SEED,
        constant: 0.45,
        rates: Rates::default(),
        early: EARLY_SHARES,
        late: LATE_SHARES,
        look_every: 100,
        checkpoint: PathBuf::new(),
        log: PathBuf::new(),
        out: assets.join("dense"),
    };
    let mut arguments = std::env::args().skip(1);
    let mut data_only = false;
    while let Some(name) = arguments.next() {
        if name == "--data-only" {
            data_only = true;
            continue;
        }
        let value = arguments.next().with_context(|| format!("{name} wants a value"))?;
        match name.as_str() {
            "--steps" => plan.steps = value.parse()?,
            "--samples" => plan.samples = value.parse()?,
            "--threads" => plan.threads = value.parse()?,
            "--look-every" => plan.look_every = value.parse()?,
            "--out" => plan.out = PathBuf::from(value),
            "--work" => work = PathBuf::from(value),
            "--early" => plan.early = shares(&value)?,
            "--late" => plan.late = shares(&value)?,
            _ => bail!("unknown argument {name}; see the first lines of train-demo.rs"),
        }
    }
    fs::create_dir_all(&work)?;
    fs::create_dir_all(&plan.out)?;
    plan.checkpoint = work.join("checkpoint.safetensors");
    plan.log = work.join("training-log.csv");
    if data_only {
        let pool = generate_pool(SEED)?;
        write_jsonl(&assets.join("pool.jsonl"), &pool.rows)?;
        write_jsonl(&assets.join("labels.jsonl"), &pool.labels)?;
        write_jsonl(&assets.join("tests.jsonl"), &generate_tests()?)?;
        return Ok(());
    }
    let tokenizer =
        if plan.checkpoint.exists() { read_tokenizer(&plan.out)? } else { train_tokenizer(30_000, SEED + 2)? };
    train(&plan, &tokenizer)
}

fn shares(text: &str) -> Result<[f64; 6]> {
    let parts = text.split(',').map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    parts.try_into().map_err(|_| anyhow::anyhow!("six shares are wanted, divided by commas"))
}
