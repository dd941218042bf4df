//! `paser new`: a project folder whose recipe spells out every default.

use std::path::PathBuf;

use clap::Args;
use paser_data::Template;
use paser_engine::{Session, WORDS_ONLY, check_draft};
use paser_protocol::{ProjectDraft, PruneDraft, Report};
use serde_json::json;

use crate::output::Output;

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  paser new my-recovery --pool pool.jsonl --dense llama --pruned llama-wanda-2-4\n  paser new my-recovery --pool hub:yahma/alpaca-cleaned --dense llama --pruned llama-wanda-2-4"
)]
pub struct NewArgs {
    /// Folder of the project, new or empty.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Instruction data: a file in JSON, JSON lines or Parquet; a folder with the shards of one split; or a data set on
    /// the hub, `hub:org/name[@revision][:config/split]`, fetched when a run imports it.
    #[arg(long, value_name = "POOL")]
    pool: PathBuf,
    /// The model before pruning: a folder or a hub id.
    #[arg(long, value_name = "MODEL")]
    dense: Option<String>,
    /// The model after pruning. Given again: further pruned copies, whose damage is shown beside the first one's.
    #[arg(long, value_name = "MODEL", group = "damaged", requires = "dense")]
    pruned: Vec<String>,
    /// Make the pruned model here: wanda or magnitude.
    #[arg(long, value_name = "METHOD", group = "damaged", requires_all = ["dense", "pattern"], value_parser = ["wanda", "magnitude"])]
    prune: Option<String>,
    /// How much is pruned: a share such as 0.5, or 2:4, or 4:8.
    #[arg(long, value_name = "PATTERN", requires = "prune")]
    pattern: Option<String>,
    /// Sentence encoder; without one, TF-IDF + SVD.
    #[arg(long, value_name = "MODEL")]
    encoder: Option<String>,
    /// Form of the prompt.
    #[arg(long, value_name = "NAME", default_value = "alpaca", value_parser = Template::NAMES)]
    template: String,
    /// Take this share of the pool only, at least 300 samples: where does it hurt, before the whole pool is paid for?
    #[arg(long, value_name = "SHARE", num_args = 0..=1, default_missing_value = "2%", value_parser = share)]
    probe: Option<f64>,
}

/// `2%` or `0.02`.
fn share(text: &str) -> Result<f64, String> {
    let (number, whole) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    let share = number.trim().parse::<f64>().ok().map(|number| number / whole);
    share.filter(|share| *share > 0.0 && *share < 1.0).ok_or_else(|| format!("`{text}` is no share: write 2% or 0.02"))
}

pub fn run(args: &NewArgs, output: Output) -> Result<(), Report> {
    let draft = ProjectDraft {
        folder: args.dir.to_string_lossy().into_owned(),
        pool: args.pool.to_string_lossy().into_owned(),
        dense: args.dense.clone().unwrap_or_default(),
        pruned: args.pruned.first().cloned().unwrap_or_default(),
        others: args.pruned.iter().skip(1).cloned().collect(),
        encoder: args.encoder.clone().unwrap_or_default(),
        template: args.template.clone(),
        prune: args.prune.clone().zip(args.pattern.clone()).map(|(method, pattern)| PruneDraft { method, pattern }),
        probe: args.probe,
    };
    for remark in check_draft(&draft)? {
        output.say(format!("{}: {}", draft.pool, remark.text));
    }
    Session::create(&draft)?;
    output.say(format!(
        "{} is ready: look at recipe.toml there, then `paser run {}`",
        args.dir.display(),
        args.dir.display()
    ));
    if draft.encoder.is_empty() {
        output.say(WORDS_ONLY);
    }
    output.line(&json!({ "project": args.dir }));
    Ok(())
}
