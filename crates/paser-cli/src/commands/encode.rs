//! `paser encode`: sentence vectors of a pool file.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use paser_engine::ModelKind;
use paser_model::SentenceEncoder;
use paser_protocol::Report;
use serde_json::json;

use super::pool::{self, PoolArgs};
use crate::arrays::{self, Array};
use crate::exit::OrTell;
use crate::output::{Output, duration, thousands};
use crate::progress::{self, Progress};

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  paser encode --encoder sentence-transformers/all-MiniLM-L6-v2 --pool pool.jsonl --out vectors.safetensors"
)]
pub struct EncodeArgs {
    /// Sentence encoder: a folder or a hub id.
    #[arg(long, value_name = "MODEL")]
    encoder: String,
    #[command(flatten)]
    pool: PoolArgs,
    /// File for `vectors` [n, d]; the ids go beside it as `.ids.jsonl`.
    #[arg(long, value_name = "FILE.safetensors")]
    out: PathBuf,
}

pub fn run(args: &EncodeArgs, output: Output) -> Result<(), Report> {
    let started = Instant::now();
    let pool = pool::read(&args.pool, output)?;
    let folder = progress::fetch(&args.encoder, ModelKind::Encoder)?;
    let encoder = SentenceEncoder::load(&folder).or_tell()?;
    let texts: Vec<String> = pool.samples.iter().map(|sample| sample.question().into_owned()).collect();
    let vectors = {
        let progress = Progress::new("encoding", "tokens");
        encoder.encode(&texts, &progress).or_tell()?
    };
    let (rows, dimensions) = (texts.len(), encoder.dimensions());
    arrays::write(&args.out, &[Array::f32("vectors", vec![rows, dimensions], vectors)])?;
    let ids = args.out.with_extension("ids.jsonl");
    let lines: String = pool.samples.iter().map(|sample| json!({ "id": sample.id }).to_string() + "\n").collect();
    paser_project::write_durably(&ids, lines.as_bytes()).or_tell()?;
    let seconds = started.elapsed().as_secs_f64();
    output.say(format!(
        "{} vectors of {dimensions} dimensions in {}\n{}\n{}",
        thousands(rows as u64),
        duration(seconds),
        args.out.display(),
        ids.display()
    ));
    output.line(&json!({
        "out": args.out,
        "ids": ids,
        "samples": rows,
        "dimensions": dimensions,
        "merged": pool.report.merged,
        "bad": pool.report.bad_total,
        "seconds": seconds,
    }));
    Ok(())
}
