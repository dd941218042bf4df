//! `superfiltering` (arXiv 2402.00530): PPL(response | prompt) / PPL(response) by a small model with a tokenizer of its
//! own. As in the reference's code: the prompt is "instruction\ninput\n", at most 1,024 tokens, no end token, and the
//! response alone stands behind nothing but the tokenizer's own begin token; where there is none, nothing predicts its
//! first token and that one is out of the mean. The reference's second step (facility location over the best) is left
//! out.

use paser_data::{Sample, Tokenizer};
use paser_project::Inputs;
use paser_score::{Span, losses};

use super::{Made, Measured, Pass};
use crate::{
    job::Shards,
    sources::ModelFacts,
    stages::{import, score},
    trouble::{Outcome, Told, unusable},
};

/// Tokens of prompt and response, or fewer where the model's context is shorter.
const LONGEST: usize = 1024;

/// A sample as the filter model reads it.
struct Read {
    whole: Vec<u32>,
    /// First response token of `whole`.
    from: usize,
    alone: Vec<u32>,
}

fn longest(facts: &ModelFacts) -> usize {
    LONGEST.min(facts.context)
}

pub(super) fn inputs(inputs: Inputs, facts: &ModelFacts) -> Inputs {
    inputs
        .with("filter model", &facts.content)
        .with("tokenizer", facts.tokenizer.as_deref().unwrap_or_default())
        .with("longest sample", longest(facts))
}

pub(super) fn run(pass: &Pass<'_>, filter: &score::Source, kept: &mut Option<Shards>) -> Outcome<Made> {
    let session = pass.bench.session;
    let samples = session.samples()?;
    let folder = filter.path()?;
    if filter.facts.tokenizer.is_none() {
        return Err(unusable(
            format!("the filter model {} has no tokenizer.json", filter.reference),
            "Copy the tokenizer's files into its folder.",
        ));
    }
    let tokenizer = Tokenizer::from_model_dir(folder).map_err(Told::told)?;
    let limit = longest(&filter.facts);
    let pool = import::pool(session, &samples)?;
    let read: Vec<Option<Read>> = pass.bench.work("tokenising", "samples", |monitor| {
        let total = pool.samples.len() as u64;
        let each = (0..).zip(&pool.samples).map(|(done, sample)| {
            if done % 256 == 0 {
                monitor.progress(done, total);
                if monitor.cancelled() {
                    return Err(crate::trouble::cancelled());
                }
            }
            encode(sample, &tokenizer, limit)
        });
        each.collect::<Outcome<_>>()
    })?;
    drop(pool);
    let order: Vec<u32> = samples.order.iter().copied().filter(|row| read[*row as usize].is_some()).collect();
    let cost = |row: u32| read[row as usize].as_ref().map_or(0, |read| (read.whole.len() + read.alone.len()) as u64);
    let model = score::load(folder)?;
    let params = pass.score_params(tokenizer.vocabulary());
    let begin = tokenizer.prefix().len();
    let columns = pass.in_shards(
        "superfiltering: with and without the prompt",
        &order,
        filter.facts.parameters,
        cost,
        |rows, part| {
            let spans: Vec<Span<'_>> = (rows.iter())
                .filter_map(|&row| read[row as usize].as_ref().map(|read| (row, read)))
                .flat_map(|(row, read)| {
                    [Span { row, ids: &read.whole, from: read.from }, Span { row, ids: &read.alone, from: begin }]
                })
                .collect();
            let sums = losses(&model, "filter", &spans, &params, part)
                .map_err(|error| score::told_by_id(error, &samples, &filter.reference))?;
            let means: Vec<Option<f64>> = (sums.iter().zip(&spans))
                .map(|(sum, span)| (span.counted() > 0).then(|| sum / span.counted() as f64))
                .collect();
            Ok(means.as_chunks::<2>().0.iter().map(|[with, alone]| ratio(*with, *alone)).collect())
        },
        kept,
    )?;
    Ok(columns.made("difficulty (Superfiltering)".to_owned(), Vec::new()))
}

/// The ratio of perplexities, which are the exponentials of mean losses.
fn ratio(with: Option<f64>, alone: Option<f64>) -> Measured {
    let value = with.zip(alone).map_or(f32::NAN, |(with, alone)| (with - alone).exp() as f32);
    (if value.is_finite() { value } else { f32::NAN }, f32::NAN)
}

/// None where the prompt leaves no room, or there is no response.
fn encode(sample: &Sample, tokenizer: &Tokenizer, limit: usize) -> Outcome<Option<Read>> {
    let prompt = tokenizer.encode(&format!("{}\n", sample.question())).map_err(Told::told)?;
    let mut response = tokenizer.encode(&sample.output).map_err(Told::told)?;
    let begin = tokenizer.prefix();
    let from = begin.len() + prompt.len();
    response.truncate(limit.saturating_sub(from));
    if response.is_empty() {
        return Ok(None);
    }
    let whole = [begin, &prompt, &response].concat();
    Ok(Some(Read { whole, from, alone: [begin, &response].concat() }))
}

#[cfg(test)]
mod tests {
    use super::ratio;

    #[test]
    fn the_ratio_is_that_of_perplexities() {
        assert!((f64::from(ratio(Some(2.0), Some(2.5)).0) - (-0.5_f64).exp()).abs() < 1e-7);
        assert!(ratio(Some(2.0), None).0.is_nan() && ratio(Some(1e4), Some(0.0)).0.is_nan());
    }
}
