//! The divergence at other temperatures than 1, from the same logits (method.md section 2; the paper's figure 5b): both
//! rows of logits are divided by tau before their softmax.

use paser_model::Decoder;
use paser_protocol::Monitor;

use crate::batches::{Batch, plan};
use crate::columns::Accumulator;
use crate::pass::{
    DenseStates, Item, Pass, ScoreError, ScoreParams, Worker, check, check_vocabulary, in_batches, measure, target,
};

/// Divergence of one sample at one temperature, nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Divergence {
    /// Mean over the response tokens.
    pub jsd: f64,
    /// The same without the first one; none where there is only one.
    pub jsd_rest: Option<f64>,
    /// `jsd / ln((|x| + |y|)^2)`.
    pub ies: f64,
}

/// Buffers of a worker.
#[derive(Default)]
struct Scaled {
    worker: Worker,
    rows: [Vec<f32>; 2],
}

/// Divergences of each item at each temperature, by item. At 1 they are those of [`crate::score`] to the bit. Progress
/// counts tokens, prompt included.
///
/// # Errors
/// [`ScoreError`] as [`crate::score`]; a temperature that is not above 0.
pub fn divergences(
    dense: &Decoder,
    pruned: &Decoder,
    items: &[Item<'_>],
    temperatures: &[f64],
    params: &ScoreParams,
    monitor: &dyn Monitor,
) -> Result<Vec<Vec<Divergence>>, ScoreError> {
    check(items, params)?;
    check_vocabulary(dense, pruned, params.vocabulary)?;
    if let Some(tau) = temperatures.iter().find(|tau| !(tau.is_finite() && **tau > 0.0)) {
        return Err(ScoreError::Parameter { name: "temperature", reason: format!("{tau} must be above 0") });
    }
    let lengths: Vec<usize> = items.iter().map(|item| item.ids.len() - 1).collect();
    let batches = plan(&lengths, params.tokens_per_batch);
    let total = items.iter().map(|item| item.ids.len() as u64).sum();
    let tokens = |batch: &Batch| batch.members.iter().map(|&index| items[index].ids.len() as u64).sum();
    let states = DenseStates::within(0);
    let pass = Pass { dense, pruned, items, params, states: &states, monitor };
    in_batches(&batches, params.threads, total, tokens, monitor, |batch, scaled: &mut Scaled| {
        let count = temperatures.len();
        let mut sums = vec![Accumulator::default(); batch.members.len() * count];
        let Scaled { worker, rows } = scaled;
        pass.each_token(batch, worker, |kernel, logits, item, member, token| {
            for (sums, tau) in sums[member * count..][..count].iter_mut().zip(temperatures) {
                let factor = (1.0 / tau) as f32;
                for (row, logits) in rows.iter_mut().zip(logits) {
                    row.clear();
                    row.extend(logits.iter().map(|logit| logit * factor));
                }
                sums.add(&measure(kernel, [&rows[0], &rows[1]], item, token)?, target(item, token));
            }
            Ok(())
        })?;
        let finish = |(member, &index): (usize, &usize)| {
            let item = &items[index];
            let of = |sums: &Accumulator| {
                let score = sums.clone().finish(item.row, item.sample_tokens, item.prompt_tokens);
                Divergence { jsd: score.jsd, jsd_rest: score.jsd_rest, ies: score.ies }
            };
            (index, sums[member * count..][..count].iter().map(of).collect())
        };
        Ok(batch.members.iter().enumerate().map(finish).collect())
    })
}
