//! Tokens per second of the scoring path and of the sentence encoder on this machine.
//!
//! `cargo run -p paser-model --example speed -- decoder MODEL_DIR [tokens per sequence] [sequences per call]`
//! `cargo run -p paser-model --example speed -- encoder ENCODER_DIR TEXTS.json` (a JSON list of strings)

use std::path::Path;
use std::time::Instant;

use paser_model::{Checkpoint, Decoder, ModelError, SentenceEncoder};
use paser_protocol::Silent;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |place: usize, otherwise: usize| arguments.get(place).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    match (arguments.first().map(String::as_str), arguments.get(1)) {
        (Some("decoder"), Some(dir)) => decoder(Path::new(dir), number(2, 150), number(3, 14))?,
        (Some("encoder"), Some(dir)) => {
            let texts = arguments.get(2).ok_or("give a JSON list of texts")?;
            encoder(Path::new(dir), &serde_json::from_slice::<Vec<String>>(&fs_err::read(texts)?)?)?;
        }
        _ => return Err("say decoder or encoder, and a folder".into()),
    }
    Ok(())
}

fn decoder(dir: &Path, length: usize, sequences: usize) -> Result<(), ModelError> {
    const CALLS: usize = 12;
    let checkpoint = Checkpoint::open(dir)?;
    let decoder = Decoder::load(&checkpoint)?;
    let vocab = decoder.spec().vocab as u32;
    let ids: Vec<Vec<u32>> =
        (0..sequences).map(|s| (0..length).map(|t| (s * 7919 + t * 104_729) as u32 % vocab).collect()).collect();
    let batch: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
    for threads in [1, 2] {
        for with_head in [false, true] {
            let mut best = f64::INFINITY;
            for _ in 0..3 {
                let started = Instant::now();
                std::thread::scope(|scope| {
                    let workers: Vec<_> = (0..threads)
                        .map(|_| scope.spawn(|| work(&decoder, &batch, with_head, CALLS / threads)))
                        .collect();
                    workers.into_iter().all(|worker| worker.join().is_ok_and(|result| result.is_ok()))
                });
                best = best.min(started.elapsed().as_secs_f64());
            }
            let tokens = (CALLS / threads * threads * sequences * length) as f64;
            println!("{threads} thread(s), head {with_head}: {:.0} tokens/s", tokens / best);
        }
    }
    Ok(())
}

fn work(decoder: &Decoder, batch: &[&[u32]], with_head: bool, calls: usize) -> Result<(), ModelError> {
    let (hidden, vocab) = (decoder.spec().hidden, decoder.spec().vocab);
    let mut logits = vec![0.0; 256 * vocab];
    for _ in 0..calls {
        let rows = decoder.hidden_rows(batch)?;
        if with_head {
            for rows in rows.chunks(256 * hidden) {
                decoder.logits_rows(rows, &mut logits[..rows.len() / hidden * vocab]);
            }
        }
    }
    Ok(())
}

fn encoder(dir: &Path, texts: &[String]) -> Result<(), ModelError> {
    let encoder = SentenceEncoder::load(dir)?;
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let started = Instant::now();
        encoder.encode(texts, &Silent)?;
        best = best.min(started.elapsed().as_secs_f64());
    }
    println!("{} threads: {:.0} texts/s", rayon::current_num_threads(), texts.len() as f64 / best);
    Ok(())
}
