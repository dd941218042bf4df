//! What both models write after a sample's prompt, token by token, each the most likely one. What it will take is known
//! before it starts; it stops with the project, on request, and when another sample is asked for.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use paser_data::Tokenizer;
use paser_model::Decoder;
use paser_protocol::{Event, LONGEST_CONTINUATION, MOST_CONTINUED, Reply, Report};

use crate::{
    estimate::SCORE_OPERATIONS,
    inspector::Pair,
    machine,
    progress::Sink,
    session::{Session, lock},
    stages::score,
    trouble::{Outcome, Told, failed, usage},
};

/// What one token at a time reaches is told by this rate of the catalogue: operations a second of one thread.
const WORK: &str = "continue";
/// The same on a common machine, which reads every weight once for each token.
const OPERATIONS: f64 = 3e9;
/// Tokens from which on a rate is believed.
const MEASURED: usize = 8;
/// Progress is told no more often.
const TICK: Duration = Duration::from_millis(100);

/// What one model wrote.
struct Written {
    ids: Vec<u32>,
    /// By itself, with the end token.
    ended: bool,
    /// Of the tokens behind the first, which comes with the prompt.
    seconds: f64,
}

/// Counts of both models, told as the slower one's.
struct Progress<'a> {
    row: u32,
    tokens: u32,
    done: [AtomicU32; 2],
    told: Mutex<Option<Instant>>,
    sink: Sink<'a>,
}

impl Progress<'_> {
    fn tell(&self, model: usize, done: u32) {
        self.done[model].store(done, Ordering::Relaxed);
        let done = self.done.iter().map(|done| done.load(Ordering::Relaxed)).min().unwrap_or_default();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if done > 0 && told.is_none_or(|told| told.elapsed() >= TICK) {
            *told = Some(Instant::now());
            (self.sink)(Event::Continuing { row: self.row, done, tokens: self.tokens });
        }
    }
}

impl Session {
    /// Continues the prompt of a sample by at most `tokens` tokens with both models side by side. Stops what was being
    /// continued before.
    ///
    /// # Errors
    /// As [`Session::tokens`]; more tokens than [`MOST_CONTINUED`], or none; a prompt that fills the context; more than
    /// [`LONGEST_CONTINUATION`] seconds; cancelled by `closed`, [`Self::stop_continuing`] or another continuation.
    pub fn continue_both(&self, row: u32, tokens: u32, sink: Sink<'_>, closed: &AtomicBool) -> Outcome<Reply> {
        if !(1..=MOST_CONTINUED).contains(&tokens) {
            return Err(usage(format!("A prompt is continued by 1 to {MOST_CONTINUED} tokens, not {tokens}."), ""));
        }
        let stopped = Arc::new(AtomicBool::new(false));
        std::mem::replace(&mut *lock(&self.continuing), stopped.clone()).store(true, Ordering::Relaxed);
        let stop = || stopped.load(Ordering::Relaxed) || closed.load(Ordering::Relaxed);
        let (pair, encoded) = self.encoded(row)?;
        let prompt = &encoded.ids[..encoded.prompt_tokens as usize];
        let context = pair.dense.spec().context.min(pair.pruned.spec().context);
        let most = (tokens as usize).min(context.saturating_sub(prompt.len()));
        if most == 0 {
            return Err(usage("The prompt fills the models' context.", "A shorter one can be continued."));
        }
        refuse_long(self.continue_seconds(&pair, prompt.len(), most))?;
        let started = Instant::now();
        let progress = Progress { row, tokens: most as u32, done: Default::default(), told: Mutex::default(), sink };
        let write = |model: usize, decoder: &Decoder| {
            let written = write(decoder, prompt, most, &pair.tokenizer, &stop, |done| progress.tell(model, done));
            progress.tell(model, most as u32);
            written
        };
        let (dense, pruned) = thread::scope(|scope| {
            let pruned = thread::Builder::new()
                .name("continue".to_owned())
                .spawn_scoped(scope, || write(1, &pair.pruned))
                .map_err(|error| failed(format!("no thread for the pruned model: {error}"), "Close other programs."))?;
            let dense = write(0, &pair.dense);
            let pruned = pruned.join().map_err(|_| failed("a mistake in the program stopped the pruned model", ""))?;
            Ok::<_, Report>((dense?, pruned?))
        })?;
        for (written, decoder) in [(&dense, &pair.dense), (&pruned, &pair.pruned)] {
            self.measured(written, decoder)?;
        }
        Ok(Reply::Continuations {
            row,
            dense: text(&pair.tokenizer, prompt, &dense.ids)?,
            pruned: text(&pair.tokenizer, prompt, &pruned.ids)?,
            stopped: (dense.ended, pruned.ended),
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// Stops the models that continue a prompt; nothing where none do.
    pub fn stop_continuing(&self) {
        lock(&self.continuing).store(true, Ordering::Relaxed);
    }

    /// Seconds that both models take to read a prompt and write so many tokens after it: 2 operations for each weight and
    /// token, by what this machine reached before.
    pub(crate) fn continue_seconds(&self, pair: &Pair, prompt: usize, tokens: usize) -> f64 {
        let rate = |work: &str| lock(&self.catalogue).rate(work).ok().flatten();
        let threads = machine::threads() as f64;
        let reading = rate(score::STAGE).map_or(SCORE_OPERATIONS, |all| all / threads);
        let writing = rate(WORK).unwrap_or(OPERATIONS);
        let [dense, pruned] = [&pair.dense, &pair.pruned]
            .map(|decoder| operations(decoder) * (prompt as f64 / reading + tokens as f64 / writing));
        if threads > 1.0 { dense.max(pruned) } else { dense + pruned }
    }

    fn measured(&self, written: &Written, decoder: &Decoder) -> Outcome<()> {
        let tokens = written.ids.len().saturating_sub(1);
        if tokens < MEASURED {
            return Ok(());
        }
        let rate = operations(decoder) * tokens as f64 / written.seconds.max(1e-6);
        lock(&self.catalogue).set_rate(WORK, rate).map_err(Told::told)
    }
}

/// Of one token.
fn operations(decoder: &Decoder) -> f64 {
    2.0 * decoder.spec().parameters() as f64
}

fn refuse_long(seconds: f64) -> Outcome<()> {
    if seconds <= LONGEST_CONTINUATION {
        return Ok(());
    }
    let minutes = (seconds / 60.0).ceil();
    Err(usage(
        format!("Continuing with both models would take about {minutes} min on this machine."),
        "What each of them finds likely next stands below every token of the response.",
    ))
}

/// The most likely tokens after a prompt, up to the end token or `most` of them.
fn write(
    decoder: &Decoder,
    prompt: &[u32],
    most: usize,
    tokenizer: &Tokenizer,
    stop: &dyn Fn() -> bool,
    tell: impl Fn(u32),
) -> Outcome<Written> {
    let mut past = decoder.past(prompt.len() + most);
    let mut logits = vec![0.0; decoder.spec().vocab];
    let mut written = Written { ids: Vec::with_capacity(most), ended: false, seconds: 0.0 };
    let mut hidden = decoder.read_on(&mut past, prompt, stop).map_err(Told::told)?;
    let started = Instant::now();
    loop {
        decoder.logits_rows(&hidden, &mut logits);
        let next = most_likely(&logits[..tokenizer.vocabulary().min(logits.len())]);
        written.ended = next == tokenizer.eos_id();
        if written.ended {
            break;
        }
        written.ids.push(next);
        tell(written.ids.len() as u32);
        if written.ids.len() == most {
            break;
        }
        hidden = decoder.read_on(&mut past, &[next], stop).map_err(Told::told)?;
    }
    written.seconds = started.elapsed().as_secs_f64();
    Ok(written)
}

/// The place of the largest number, the first of equal ones.
fn most_likely(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (id, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = id;
        }
    }
    best as u32
}

/// What ids add to the text of a prompt: alone they may lose the space that they begin with.
fn text(tokenizer: &Tokenizer, prompt: &[u32], ids: &[u32]) -> Outcome<String> {
    let decode = |ids: &[u32]| tokenizer.decode(ids).map_err(Told::told);
    let before = decode(prompt)?;
    let whole = decode(&[prompt, ids].concat())?;
    match whole.strip_prefix(&before) {
        Some(added) => Ok(added.to_owned()),
        None => decode(ids),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_take_minutes_is_refused_in_words() {
        assert!(refuse_long(119.0).is_ok());
        let report = refuse_long(9.0 * 60.0 - 20.0).unwrap_err();
        assert!(report.what.contains("would take about 9 min on this machine"), "{report}");
    }

    #[test]
    fn the_first_of_equals_is_most_likely() {
        assert_eq!(most_likely(&[0.5, 2.0, -1.0, 2.0]), 1);
        assert_eq!(most_likely(&[f32::NEG_INFINITY; 3]), 0);
    }
}
