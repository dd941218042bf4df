//! LoRA steps on given samples, timed: `steps TASK.json THREADS`, the counterpart of `benches/peers/training.py`. Prints the
//! same figures.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use paser_model::Checkpoint;
use paser_protocol::{Decay, Method};
use paser_recover::{Plan, Sample, Schedule, Training};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, task, threads] = arguments.as_slice() else { return Err("steps TASK.json THREADS".into()) };
    let task: Value = serde_json::from_slice(&fs_err::read(task)?)?;
    let threads: usize = threads.parse()?;
    let number = |key: &str| task[key].as_f64().ok_or_else(|| format!("no number {key}"));
    let samples: Vec<Sample> = task["samples"]
        .as_array()
        .ok_or("no samples")?
        .iter()
        .zip(0..)
        .map(|(sample, row)| {
            let ids = sample["ids"].as_array().into_iter().flatten().filter_map(|id| id.as_u64()).map(|id| id as u32);
            Sample { row, ids: ids.collect(), prompt_tokens: sample["prompt"].as_u64().unwrap_or(0) as usize }
        })
        .collect();
    let (batch, steps) = (number("batch")? as usize, number("steps")? as u32);
    let plan = Plan {
        method: Method::Lora,
        rank: number("rank")? as usize,
        alpha: number("alpha")?,
        dropout: 0.05,
        last_layers: 0,
        schedule: Schedule::new(number("lr")?, 0, steps, Decay::Constant),
        weight_decay: 0.0,
        clip: 1.0,
        seed: 0,
        memory: 2 << 30,
    };
    let checkpoint = Checkpoint::open(Path::new(task["model"].as_str().ok_or("no model")?))?;
    let mut training = Training::new(&checkpoint, plan, threads)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let (mut tokens, mut seconds, mut losses) = (0, 0.0, Vec::new());
    for step in 0..steps as usize {
        let part: Vec<&Sample> = (0..batch).map(|at| &samples[(step * batch + at) % samples.len()]).collect();
        let started = Instant::now();
        let done = pool.install(|| training.step(&part, &|| false))?;
        losses.push(done.loss);
        if step >= 2 {
            seconds += started.elapsed().as_secs_f64();
            tokens += done.tokens;
        }
    }
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    println!(
        "{}",
        json!({
            "tokens_per_second": tokens as f64 / seconds, "first_loss": losses.first(), "last_loss": losses.last(),
            "peak_memory_bytes": peak.unwrap_or(0) * 1024,
        })
    );
    Ok(())
}
