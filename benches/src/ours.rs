//! One timed run of our side: loading and a short warm-up first, then the clock. The result is written where the peer
//! writes its own.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use paser_manifold::{ClusterCount, ManifoldParams, Rows, order_of_vectors};
use paser_model::{Checkpoint, Decoder, SentenceEncoder};
use paser_protocol::Silent;
use paser_score::{Item, ScoreParams, score};
use serde_json::{Value, json};

use crate::Task;
use crate::inputs::{ClusteringInput, EncodingInput, ScoringInput, read_json, read_numbers, write_numbers};

/// Runs the task and returns its figures.
pub fn run(task: Task, work: &Path, threads: usize) -> Result<Value> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let figures = pool.install(|| match task {
        Task::Encoding => encoding(work),
        Task::Scoring => scoring(work, threads),
        Task::Clustering => clustering(work),
    })?;
    Ok(json!({"seconds": figures.seconds, "cpu_seconds": figures.cpu_seconds, "peak_memory_kib": peak_memory()}))
}

struct Figures {
    seconds: f64,
    /// Of all threads; none where the system does not tell.
    cpu_seconds: Option<f64>,
}

fn measure<T>(work: impl FnOnce() -> Result<T>) -> Result<(Figures, T)> {
    let (start, cpu) = (Instant::now(), processor_seconds());
    let result = work()?;
    let cpu_seconds = processor_seconds().zip(cpu).map(|(after, before)| after - before);
    Ok((Figures { seconds: start.elapsed().as_secs_f64(), cpu_seconds }, result))
}

fn encoding(work: &Path) -> Result<Figures> {
    let input: EncodingInput = read_json(work, "encoding.json")?;
    let encoder = SentenceEncoder::load(&input.model)?;
    encoder.encode(&input.texts[..64.min(input.texts.len())], &Silent)?;
    let (figures, vectors) = measure(|| Ok(encoder.encode(&input.texts, &Silent)?))?;
    write_numbers(&work.join("encoding.ours.f32"), &vectors, f32::to_le_bytes)?;
    Ok(figures)
}

fn scoring(work: &Path, threads: usize) -> Result<Figures> {
    let input: ScoringInput = read_json(work, "scoring.json")?;
    let load = |folder: &Path| -> Result<Decoder> { Ok(Decoder::load(&Checkpoint::open(folder)?)?) };
    let (dense, pruned) = (load(&input.dense)?, load(&input.pruned)?);
    let items: Vec<Item<'_>> = input
        .samples
        .iter()
        .enumerate()
        .map(|(row, sample)| Item {
            row: row as u32,
            ids: &sample.ids,
            prompt_tokens: sample.prompt_tokens,
            response_tokens: sample.ids.len() as u32 - sample.prompt_tokens,
            sample_tokens: sample.sample_tokens,
        })
        .collect();
    let params = ScoreParams {
        tokens_per_batch: input.tokens_per_batch,
        threads,
        vocabulary: input.vocabulary,
        ..ScoreParams::default()
    };
    score(&dense, &pruned, &items[..8.min(items.len())], &params, &Silent)?;
    let (figures, scores) = measure(|| Ok(score(&dense, &pruned, &items, &params, &Silent)?))?;
    let jsd: Vec<f64> = scores.iter().map(|score| score.jsd).collect();
    write_numbers(&work.join("scoring.ours.f64"), &jsd, f64::to_le_bytes)?;
    Ok(figures)
}

fn clustering(work: &Path) -> Result<Figures> {
    let input: ClusteringInput = read_json(work, "clustering.json")?;
    let vectors = read_numbers(&work.join("clustering.f32"), f32::from_le_bytes)?;
    let params = ManifoldParams {
        neighbours: input.neighbours,
        clusters: ClusterCount::Fixed(input.clusters),
        merge: false,
        map: false,
        ..ManifoldParams::default()
    };
    let params = params.check()?;
    let held_out = vec![false; input.rows];
    let (figures, manifold) = measure(|| {
        let order = order_of_vectors(&vectors, input.dimensions);
        let rows = Rows { vectors: &vectors, dimensions: input.dimensions, order: &order, held_out: &held_out };
        Ok(paser_manifold::run(&rows, &params, &Silent)?)
    })?;
    write_numbers(&work.join("clustering.ours.u32"), &manifold.clusters, u32::to_le_bytes)?;
    Ok(figures)
}

/// User and system time of this process.
fn processor_seconds() -> Option<f64> {
    /// Linux gives these times in hundredths of a second.
    const TICK: f64 = 0.01;
    let stat = fs_err::read_to_string("/proc/self/stat").ok()?;
    // the second field, the program's name, may hold spaces; user and system time are the 14th and 15th
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some((fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?) * TICK)
}

/// Largest resident size of this process; none where the system does not tell.
fn peak_memory() -> Option<u64> {
    let status = fs_err::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().context("VmHWM").ok()
}
