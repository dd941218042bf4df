//! `paser score`: how far the pruned model's answers have moved from the dense model's, sample by sample.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use paser_data::{Encoding, Template, Tokenizer, encode_pool, hash_order, tokenizer_agreement};
use paser_engine::{ModelKind, tokenizers_differ};
use paser_model::{Checkpoint, Decoder};
use paser_protocol::Report;
use paser_score::{Item, SampleScore, ScoreParams, score};
use serde_json::{Value, json};

use super::pool::{self, PoolArgs};
use crate::exit::OrTell;
use crate::output::{Output, duration, thousands};
use crate::progress::{self, Progress};

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  paser score --dense llama --pruned llama-wanda-2-4 --pool pool.jsonl --out scores.jsonl"
)]
pub struct ScoreArgs {
    /// The model before pruning: a folder or a hub id.
    #[arg(long, value_name = "MODEL")]
    dense: String,
    /// The same model after pruning.
    #[arg(long, value_name = "MODEL")]
    pruned: String,
    #[command(flatten)]
    pool: PoolArgs,
    /// Form of the prompt.
    #[arg(long, value_name = "NAME", default_value = "alpaca", value_parser = Template::NAMES)]
    template: String,
    /// Longest prompt and response together; never more than the model's context.
    #[arg(long, value_name = "N", default_value_t = 512)]
    max_tokens: usize,
    /// File for one JSON line a sample, in pool order.
    #[arg(long, value_name = "FILE.jsonl")]
    out: PathBuf,
}

pub fn run(args: &ScoreArgs, output: Output) -> Result<(), Report> {
    let started = Instant::now();
    let pool = pool::read(&args.pool, output)?;
    let open = |name: &str| Checkpoint::open(&progress::fetch(name, ModelKind::Model)?).or_tell();
    let (dense, pruned) = (open(&args.dense)?, open(&args.pruned)?);
    let agreement = tokenizer_agreement(dense.dir(), pruned.dir()).or_tell()?;
    if !agreement.agree {
        return Err(tokenizers_differ(&args.dense, &args.pruned, agreement.reason()));
    }
    let template = Template::by_name(&args.template, dense.dir()).or_tell()?;
    let tokenizer = Tokenizer::from_model_dir(dense.dir()).or_tell()?;
    let limit = args.max_tokens.min(dense.spec().context).min(pruned.spec().context);
    let encodings = {
        let progress = Progress::new("reading tokens", "samples");
        encode_pool(&pool, &template, &tokenizer, limit, &progress).or_tell()?
    };
    let items: Vec<Item<'_>> = hash_order(&pool.samples)
        .into_iter()
        .filter_map(|row| match &encodings[row as usize] {
            Encoding::Scorable(encoded) => Some(Item {
                row,
                ids: &encoded.ids,
                prompt_tokens: encoded.prompt_tokens,
                response_tokens: encoded.response_tokens,
                sample_tokens: encoded.sample_tokens,
            }),
            Encoding::Unscorable(_) => None,
        })
        .collect();
    let (dense, pruned) = (Decoder::load(&dense).or_tell()?, Decoder::load(&pruned).or_tell()?);
    let params = ScoreParams {
        threads: rayon::current_num_threads(),
        vocabulary: tokenizer.vocabulary(),
        ..ScoreParams::default()
    };
    let scoring = Instant::now();
    let scores = {
        let progress = Progress::new("scoring", "tokens");
        score(&dense, &pruned, &items, &params, &progress).or_tell()?
    };
    let scoring = scoring.elapsed().as_secs_f64();
    let tokens: u64 = items.iter().map(|item| item.ids.len() as u64).sum();

    let mut by_row: Vec<Option<&SampleScore>> = vec![None; pool.samples.len()];
    for score in &scores {
        by_row[score.row as usize] = Some(score);
    }
    let mut lines = String::new();
    for ((sample, encoding), score) in pool.samples.iter().zip(&encodings).zip(by_row) {
        let value = match (score, encoding) {
            (Some(score), _) => line(&sample.id, score),
            (None, Encoding::Unscorable(reason)) => json!({ "id": sample.id, "unscorable": reason }),
            (None, Encoding::Scorable(_)) => continue,
        };
        // Writing into a String cannot fail.
        let _ = writeln!(lines, "{value}");
    }
    paser_project::write_durably(&args.out, lines.as_bytes()).or_tell()?;

    let unscorable = pool.samples.len() - scores.len();
    let mean = scores.iter().map(|score| score.jsd).sum::<f64>() / scores.len().max(1) as f64;
    let seconds = started.elapsed().as_secs_f64();
    output.say(format!(
        "{} samples scored, {} unscorable; {} tokens in {} ({} tokens a second); mean JSD {mean:.4} nats\n{}",
        thousands(scores.len() as u64),
        thousands(unscorable as u64),
        thousands(tokens),
        duration(scoring),
        thousands((tokens as f64 / scoring.max(1e-9)) as u64),
        args.out.display(),
    ));
    output.line(&json!({
        "out": args.out,
        "scored": scores.len(),
        "unscorable": unscorable,
        "tokens": tokens,
        "response_tokens": scores.iter().map(|score| u64::from(score.response_tokens)).sum::<u64>(),
        "mean_jsd": mean,
        "scoring_seconds": scoring,
        "seconds": seconds,
    }));
    Ok(())
}

fn line(id: &str, score: &SampleScore) -> Value {
    json!({
        "id": id,
        "jsd": score.jsd,
        "jsd_first3": score.jsd_first3,
        "jsd_rest": score.jsd_rest,
        "first_share": score.first_share,
        "sample_tokens": score.sample_tokens,
        "prompt_tokens": score.prompt_tokens,
        "response_tokens": score.response_tokens,
        "loss_dense": score.loss_dense,
        "loss_pruned": score.loss_pruned,
        "kl_dense_pruned": score.kl_dense_pruned,
        "kl_pruned_dense": score.kl_pruned_dense,
        "entropy_dense": score.entropy_dense,
        "entropy_pruned": score.entropy_pruned,
        "top1_agreement": score.top1_agreement,
        "ies": score.ies,
    })
}
