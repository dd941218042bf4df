//! `paser prune`: a pruned copy of a model, for whoever has none yet.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use paser_data::{HoldOut, ReadOptions, Template, Tokenizer, hash_order, read_pool};
use paser_engine::{ModelKind, calibration_sequences};
use paser_model::Checkpoint;
use paser_project::Recipe;
use paser_protocol::Report;
use paser_prune::{Method, Pattern, PruneParams, prune};
use serde_json::json;

use crate::exit::{OrTell, usage};
use crate::output::{Output, duration, thousands};
use crate::progress::{self, Progress};

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  paser prune llama --method wanda --pattern 2:4 --calibration pool.jsonl --out llama-wanda-2-4"
)]
#[command(group = clap::ArgGroup::new("amount").required(true).args(["sparsity", "pattern"]))]
pub struct PruneArgs {
    /// The dense model: a folder or a hub id.
    #[arg(value_name = "MODEL")]
    model: String,
    /// How weights are ranked: by size, or by size times the inputs they meet (wanda).
    #[arg(long, value_name = "METHOD", value_parser = ["magnitude", "wanda"])]
    method: String,
    /// Share of the weights that become zero, such as 0.5.
    #[arg(long, value_name = "SHARE")]
    sparsity: Option<f64>,
    /// N:M: of every M neighbours the best N stay, such as 2:4 or 4:8.
    #[arg(long, value_name = "N:M")]
    pattern: Option<String>,
    /// Instruction data whose inputs say which weights matter (wanda).
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Calibration samples, the first in content-hash order.
    #[arg(long, value_name = "N", default_value_t = 128)]
    samples: usize,
    /// Form of the calibration prompts.
    #[arg(long, value_name = "NAME", default_value = "alpaca", value_parser = Template::NAMES)]
    template: String,
    /// A new or empty folder.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub fn run(args: &PruneArgs, output: Output) -> Result<(), Report> {
    let started = Instant::now();
    let pattern = match (&args.pattern, args.sparsity) {
        (Some(text), _) => match text.parse::<Pattern>().or_tell()? {
            pattern @ Pattern::NofM(..) => pattern,
            Pattern::Unstructured(share) => {
                return Err(usage(
                    format!("--pattern {share} is no N:M pattern"),
                    "Write 2:4 or 4:8, or use --sparsity for a share.",
                ));
            }
        },
        (None, Some(share)) => Pattern::Unstructured(share),
        (None, None) => return Err(usage("how much is to be pruned is missing", "Give --sparsity or --pattern.")),
    };
    let method = if args.method == "wanda" { Method::Wanda } else { Method::Magnitude };
    let params = PruneParams { method, pattern };
    params.check().or_tell()?;
    if method == Method::Wanda && args.calibration.is_none() {
        return Err(usage(
            "wanda needs calibration text",
            "Give --calibration with a pool file, or use --method magnitude.",
        ));
    }
    let folder = progress::fetch(&args.model, ModelKind::Model)?;
    let checkpoint = Checkpoint::open(&folder).or_tell()?;
    let calibration = match &args.calibration {
        Some(file) if method == Method::Wanda => sequences(args, file, &checkpoint)?,
        _ => Vec::new(),
    };
    let report = {
        let progress = Progress::new("pruning", "tokens");
        prune(&checkpoint, &calibration, &params, &args.out, &progress).or_tell()?
    };
    output.say(format!(
        "{}: {} of {} parameters are zero ({:.1} %), in {}",
        report.out.display(),
        thousands(report.zeros),
        thousands(report.parameters),
        report.zeros as f64 / report.parameters.max(1) as f64 * 100.0,
        duration(started.elapsed().as_secs_f64()),
    ));
    output.line(&json!({
        "out": report.out,
        "parameters": report.parameters,
        "zeros": report.zeros,
        "calibration_hash": report.calibration_hash,
    }));
    Ok(())
}

fn sequences(args: &PruneArgs, file: &Path, checkpoint: &Checkpoint) -> Result<Vec<Vec<u32>>, Report> {
    let template = Template::by_name(&args.template, checkpoint.dir()).or_tell()?;
    let tokenizer = Tokenizer::from_model_dir(checkpoint.dir()).or_tell()?;
    let options = ReadOptions { roles: None, hold_out: HoldOut::None };
    let pool = read_pool(file, &options, &Progress::new("reading calibration", "bytes")).or_tell()?;
    // As a project that leaves its recipe alone.
    let longest = checkpoint.spec().context.min(Recipe::new().template.max_tokens);
    calibration_sequences(&pool, &hash_order(&pool.samples), &template, &tokenizer, longest, args.samples)
}
