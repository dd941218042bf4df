//! Greedy generation: what a model writes after a prompt until an end token, a stop string or a limit. Prompts step
//! together, one row each, so that the weights are read once a step for all of them; what all prompts of a group begin
//! with (few-shot examples) is read once and its keys and values are copied.
//!
//! Floor, with P parameters outside embedding and head, H hidden, V vocabulary, N tokens read and written: 2 (P + H V) N
//! operations; with B prompts together the 4 (P + H V) bytes of weights go through memory once for B tokens.
//! Memory: for each prompt of a group queries, keys and values of every token and layer, as f32.

use paser_model::{Decoder, Past};
use paser_protocol::Monitor;
use paser_score::{Batch, in_batches};

use crate::{EvalError, Subject};

/// Tokens of a prompt that go through the model at once: bounds the memory of a long prompt.
const PREFILL: usize = 512;

/// How to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateParams {
    /// Most tokens to write; less than the model's context.
    pub max_tokens: usize,
    /// Texts that end what is written; they are cut off it.
    pub stops: Vec<String>,
    /// Prompts that step together, per worker.
    pub together: usize,
    /// Worker threads.
    pub threads: usize,
}

impl Default for GenerateParams {
    fn default() -> Self {
        Self { max_tokens: 256, stops: Vec::new(), together: 16, threads: 1 }
    }
}

/// Why a text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By an end token.
    EndToken,
    /// By a stop string.
    Stop,
    /// By the limit of tokens.
    Limit,
}

/// What a model wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Tokens written, without the end token; those of a stop string are still there.
    pub ids: Vec<u32>,
    /// Their text without special tokens, cut before the first stop string.
    pub text: String,
    pub ended: Ended,
    /// Tokens that the prompt lost at its beginning, so that it and `max_tokens` fit the context.
    pub prompt_cut: usize,
}

/// Goes on with each prompt (token ids), in their order. Progress counts prompts.
///
/// # Errors
/// Settings that cannot work; an empty prompt or one with ids outside the vocabulary, by its number; logits that are no
/// distribution; a stop.
pub fn generate(
    subject: Subject<'_>,
    prompts: &[Vec<u32>],
    params: &GenerateParams,
    monitor: &dyn Monitor,
) -> Result<Vec<Generation>, EvalError> {
    let room = check(subject.decoder, prompts, params)?;
    let kept: Vec<&[u32]> = prompts.iter().map(|prompt| &prompt[prompt.len().saturating_sub(room)..]).collect();
    // Prompts with one beginning, and those of like length, stand together.
    let mut order: Vec<usize> = (0..kept.len()).collect();
    order.sort_by_key(|&number| (kept[number], number));
    let groups: Vec<Batch> =
        order.chunks(params.together).map(|members| Batch { members: members.to_vec(), tokens: 0 }).collect();
    let vocabulary = subject.tokenizer.vocabulary().min(subject.decoder.spec().vocab);
    let writer = Writer { subject, vocabulary, params, monitor };
    let total = kept.len() as u64;
    in_batches(
        &groups,
        params.threads,
        total,
        |group| group.members.len() as u64,
        monitor,
        |group, (): &mut ()| {
            let of: Vec<&[u32]> = group.members.iter().map(|&number| kept[number]).collect();
            let written = writer.write(&of, &group.members)?;
            let cut = |number: &usize| prompts[*number].len() - kept[*number].len();
            let done = group.members.iter().zip(written);
            Ok(done.map(|(number, written)| (*number, Generation { prompt_cut: cut(number), ..written })).collect())
        },
    )
}

/// Tokens of a prompt that leave room for what is written.
fn check(model: &Decoder, prompts: &[Vec<u32>], params: &GenerateParams) -> Result<usize, EvalError> {
    let parameter = |name, reason: String| Err(EvalError::Parameter { name, reason });
    let context = model.spec().context;
    for (name, value) in [("max_tokens", params.max_tokens), ("together", params.together), ("threads", params.threads)]
    {
        if value == 0 {
            return parameter(name, "must be at least 1".to_owned());
        }
    }
    if params.max_tokens >= context {
        let most = params.max_tokens;
        return parameter("max_tokens", format!("{most} leave no room for a prompt: the model's context is {context}"));
    }
    if params.stops.iter().any(String::is_empty) {
        return parameter("stops", "an empty stop string would end every text at once".to_owned());
    }
    for (number, prompt) in prompts.iter().enumerate() {
        let refused = |reason| Err(EvalError::Text { unit: "prompt", number, reason });
        if prompt.is_empty() {
            return refused("has no tokens".to_owned());
        }
        if let Some(id) = prompt.iter().find(|id| **id as usize >= model.spec().vocab) {
            return refused(format!("token id {id} is outside the model's vocabulary"));
        }
    }
    Ok(context - params.max_tokens)
}

/// What a group needs.
struct Writer<'a> {
    subject: Subject<'a>,
    /// Entries that a token can be chosen from: those of the tokenizer.
    vocabulary: usize,
    params: &'a GenerateParams,
    monitor: &'a dyn Monitor,
}

/// A text that is being written.
struct Open {
    /// Its place in the group.
    member: usize,
    past: Past,
    last: u32,
}

impl Writer<'_> {
    /// Writes after every prompt of a group; `numbers`: what the prompts are called in errors.
    fn write(&self, prompts: &[&[u32]], numbers: &[usize]) -> Result<Vec<Generation>, EvalError> {
        let empty = Generation { ids: Vec::new(), text: String::new(), ended: Ended::Limit, prompt_cut: 0 };
        let mut written = vec![empty; prompts.len()];
        let (mut open, mut hidden) = self.read(prompts)?;
        let mut step = Vec::new();
        while !open.is_empty() {
            self.chosen(&hidden, &open, numbers, &mut step)?;
            let mut next = Vec::with_capacity(open.len());
            for (mut text, &id) in open.into_iter().zip(&step) {
                if self.goes_on(&mut written[text.member], id)? {
                    text.last = id;
                    next.push(text);
                }
            }
            open = next;
            if !open.is_empty() {
                let ids: Vec<[u32; 1]> = open.iter().map(|text| [text.last]).collect();
                let ids: Vec<&[u32]> = ids.iter().map(<[u32; 1]>::as_slice).collect();
                let mut pasts: Vec<&mut Past> = open.iter_mut().map(|text| &mut text.past).collect();
                hidden = self.subject.decoder.read_on_together(&mut pasts, &ids, &|| self.monitor.cancelled())?;
            }
        }
        Ok(written)
    }

    /// Reads the prompts; their common beginning once. Hidden states [prompts, hidden] of their last tokens.
    fn read(&self, prompts: &[&[u32]]) -> Result<(Vec<Open>, Vec<f32>), EvalError> {
        let model = self.subject.decoder;
        let longest = prompts.iter().map(|prompt| prompt.len()).max().unwrap_or(0);
        let mut beginning = model.past(longest + self.params.max_tokens);
        let shared = common(prompts);
        for piece in prompts[0][..shared].chunks(PREFILL) {
            model.read_on(&mut beginning, piece, &|| self.monitor.cancelled())?;
        }
        let (mut open, mut hidden) = (Vec::with_capacity(prompts.len()), Vec::new());
        for (member, prompt) in prompts.iter().enumerate() {
            let mut past = beginning.clone();
            let mut last = Vec::new();
            for piece in prompt[shared..].chunks(PREFILL) {
                last = model.read_on(&mut past, piece, &|| self.monitor.cancelled())?;
            }
            hidden.extend(last);
            open.push(Open { member, past, last: 0 });
        }
        Ok((open, hidden))
    }

    /// The most likely next token of every open text, of equal ones the lowest id.
    fn chosen(&self, hidden: &[f32], open: &[Open], numbers: &[usize], ids: &mut Vec<u32>) -> Result<(), EvalError> {
        let width = self.subject.decoder.spec().vocab;
        let mut logits = vec![0.0; open.len() * width];
        self.subject.decoder.logits_rows(hidden, &mut logits);
        ids.clear();
        for (text, row) in open.iter().zip(logits.chunks_exact(width)) {
            let mut best = 0;
            for (id, logit) in row[..self.vocabulary].iter().enumerate() {
                if *logit > row[best] {
                    best = id;
                }
            }
            if !row[best].is_finite() {
                let token = text.past.tokens();
                return Err(EvalError::Logits { unit: "prompt", number: numbers[text.member], token });
            }
            ids.push(best as u32);
        }
        Ok(())
    }

    /// Takes one more token into a text. False once the text is complete.
    fn goes_on(&self, written: &mut Generation, id: u32) -> Result<bool, EvalError> {
        let tokenizer = self.subject.tokenizer;
        let ended = if tokenizer.is_end(id) {
            Some(Ended::EndToken)
        } else {
            written.ids.push(id);
            if self.stops_in(&written.ids)? {
                Some(Ended::Stop)
            } else if written.ids.len() == self.params.max_tokens {
                Some(Ended::Limit)
            } else {
                None
            }
        };
        let Some(ended) = ended else { return Ok(true) };
        written.text = tokenizer.text(&written.ids)?;
        written.ended = ended;
        if let Some(end) = first_stop(&written.text, &self.params.stops) {
            written.text.truncate(end);
            written.ended = Ended::Stop;
        }
        Ok(false)
    }

    /// Whether the newest tokens complete a stop string. A token is at least a byte of text, so as many tokens as the
    /// longest stop string has bytes hold it; three more hold the rest of a character that begins before them.
    fn stops_in(&self, ids: &[u32]) -> Result<bool, EvalError> {
        let Some(longest) = self.params.stops.iter().map(String::len).max() else { return Ok(false) };
        let tail = self.subject.tokenizer.text(&ids[ids.len().saturating_sub(longest + 3)..])?;
        Ok(first_stop(&tail, &self.params.stops).is_some())
    }
}

/// Where the first stop string of a text begins.
fn first_stop(text: &str, stops: &[String]) -> Option<usize> {
    stops.iter().filter_map(|stop| text.find(stop)).min()
}

/// Tokens that all prompts begin with; every prompt keeps one for itself.
fn common(prompts: &[&[u32]]) -> usize {
    let Some(first) = prompts.first() else { return 0 };
    let alike = |prompt: &&[u32]| first.iter().zip(*prompt).take_while(|(a, b)| a == b).count();
    let shared = prompts.iter().map(alike).min().unwrap_or(0);
    shared.min(prompts.iter().map(|prompt| prompt.len() - 1).min().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_keeps_a_token_for_itself() {
        assert_eq!(common(&[&[1, 2, 3], &[1, 2, 4], &[1, 2, 3, 4]]), 2);
        assert_eq!(common(&[&[1, 2], &[1, 2]]), 1);
        assert_eq!(common(&[&[1], &[2, 3]]), 0);
    }

    #[test]
    fn the_first_stop_string_ends_a_text() {
        let stops = ["\n\n".to_owned(), "Question:".to_owned()];
        assert_eq!(first_stop("4. Question: 5\n\n", &stops), Some(3));
        assert_eq!(first_stop("4.\n", &stops), None);
    }
}
