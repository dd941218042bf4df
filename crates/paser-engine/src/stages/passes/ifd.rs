//! `ifd` (Cherry LLM, arXiv 2308.12032): loss(response | prompt) / loss(response alone), means over the response's
//! tokens. The first is the scoring pass's own; the second is this pass: the response behind the bare marker of the
//! template ("### Response:" of alpaca, as in the reference's code; the words around an empty question of a chat
//! template; the begin token alone of plain). The end token counts in both, as it does in every loss here.
//!
//! A response that was cut at the limit has no value: the reference leaves out what is longer than the limit. Its first
//! stage (embedding, k-means, and a short training on a thousand samples before scoring) is left out, as in the authors'
//! later work.

use paser_data::{Encoding, encode_marker};
use paser_score::{Span, losses};

use super::{Made, Measured, Pass};
use crate::{
    job::Shards,
    stages::score,
    trouble::{Outcome, Told, failed},
};

pub(super) fn run(pass: &Pass<'_>, kept: &mut Option<Shards>) -> Outcome<Made> {
    let (bench, which) = (pass.bench, pass.recipe.strategies.ifd_model);
    let session = bench.session;
    let samples = session.samples()?;
    let scores = session.loaded().scores.ok_or_else(|| failed("the scores are gone", "Run the project."))?;
    let source = pass.model(which)?;
    let read = score::read_pool(bench, scores.facts.max_tokens)?;
    let marker = encode_marker(&read.template, &read.tokenizer).map_err(Told::told)?;
    let column = scores.column(&format!("loss_{which}"));
    let with_prompt = column.ok_or_else(|| failed(format!("the scores lack the loss of the {which} model"), ""))?;

    let alone: Vec<Option<Vec<u32>>> = (read.encodings.iter())
        .map(|encoding| match encoding {
            Encoding::Scorable(encoded) if !encoded.cut => {
                Some([&marker, &encoded.ids[encoded.prompt_tokens as usize..]].concat())
            }
            _ => None,
        })
        .collect();
    let order: Vec<u32> = samples.order.iter().copied().filter(|row| alone[*row as usize].is_some()).collect();
    let cost = |row: u32| alone[row as usize].as_ref().map_or(0, |ids| ids.len() as u64);
    let model = score::load(source.path()?)?;
    let params = pass.score_params(read.tokenizer.vocabulary());
    let columns = pass.in_shards(
        "ifd: responses alone",
        &order,
        source.facts.parameters,
        cost,
        |rows, part| {
            let spans: Vec<Span<'_>> = (rows.iter())
                .filter_map(|&row| alone[row as usize].as_ref().map(|ids| Span { row, ids, from: marker.len() }))
                .collect();
            let sums = losses(&model, which.name(), &spans, &params, part)
                .map_err(|error| score::told_by_id(error, &samples, &source.reference))?;
            Ok((spans.iter().zip(sums))
                .map(|(span, sum)| difficulty(with_prompt[span.row as usize], sum, span.counted()))
                .collect())
        },
        kept,
    )?;
    Ok(columns.made(format!("difficulty (IFD, {which})"), Vec::new()))
}

/// The ratio of two mean losses; none where the response alone holds nothing to predict.
fn difficulty(with_prompt: f32, alone: f64, tokens: usize) -> Measured {
    let alone = alone / tokens.max(1) as f64;
    let value = if alone > 0.0 { (f64::from(with_prompt) / alone) as f32 } else { f32::NAN };
    (value, f32::NAN)
}

#[cfg(test)]
mod tests {
    use super::difficulty;

    #[test]
    fn the_ratio_is_that_of_mean_losses() {
        // 3 nats over 4 tokens alone, 0.5 nats a token after the prompt.
        assert_eq!(difficulty(0.5, 3.0, 4).0, 0.5 / 0.75);
        assert!(difficulty(0.5, 0.0, 4).0.is_nan() && difficulty(0.5, 0.0, 0).0.is_nan());
    }
}
