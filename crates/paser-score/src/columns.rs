//! One row of numbers per scored sample: means over its response tokens (method.md section 2). Owns how tokens become
//! a sample; the token values come from the kernel.

use serde::{Deserialize, Serialize};

use crate::jsd::Measures;

/// The scores of one sample. Means run over its response tokens, end token included; nats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleScore {
    /// The caller's row, as in [`crate::Item::row`].
    pub row: u32,
    /// Jensen-Shannon divergence, in [0, ln 2].
    pub jsd: f64,
    /// Divergence of the first response token alone.
    pub jsd_first: f64,
    /// Mean divergence of the first three response tokens (of all where there are fewer).
    pub jsd_first3: f64,
    /// Mean divergence after the first response token; none where the response is one token.
    pub jsd_rest: Option<f64>,
    /// Share of the first response token in the sum of divergences, in [0, 1]; 0 where the sum is 0.
    pub first_share: f64,
    /// Tokens of instruction and input, without template.
    pub sample_tokens: u32,
    /// Tokens of the prompt as trained: template, instruction, input, start token.
    pub prompt_tokens: u32,
    /// Tokens of the response, end token included, after any cut.
    pub response_tokens: u32,
    /// Response loss of the dense model.
    pub loss_dense: f64,
    /// Response loss of the pruned model.
    pub loss_pruned: f64,
    /// KL(dense, pruned).
    pub kl_dense_pruned: f64,
    /// KL(pruned, dense).
    pub kl_pruned_dense: f64,
    /// Entropy of the dense model's next-token distribution.
    pub entropy_dense: f64,
    /// Entropy of the pruned model's next-token distribution.
    pub entropy_pruned: f64,
    /// Share of response tokens whose most probable token is the same in both models, in [0, 1].
    pub top1_agreement: f64,
    /// jsd / ln((sample_tokens + response_tokens)^2), that sum at least 2.
    pub ies: f64,
    /// Every response token is the dense model's most probable one: it writes this response by itself.
    pub answered_dense: bool,
    /// The same of the pruned model.
    pub answered_pruned: bool,
}

/// ies(sample) = jsd / ln((|x| + |y|)^2), the sum at least 2.
pub(crate) fn efficiency(jsd: f64, sample_tokens: u32, response_tokens: u32) -> f64 {
    let tokens = (f64::from(sample_tokens) + f64::from(response_tokens)).max(2.0);
    jsd / (2.0 * tokens.ln())
}

/// Running sums of one sample, fed in the order of its response tokens.
#[derive(Clone, Default)]
pub(crate) struct Accumulator {
    tokens: u32,
    agreeing: u32,
    /// Response tokens that the dense and the pruned model rank first.
    hits: [u32; 2],
    first: f64,
    first3: f64,
    jsd: f64,
    rest: f64,
    others: [f64; 6],
}

impl Accumulator {
    /// `target`: the token itself.
    pub(crate) fn add(&mut self, token: &Measures, target: u32) {
        for (hits, top) in self.hits.iter_mut().zip([token.top1_dense, token.top1_pruned]) {
            *hits += u32::from(top == target);
        }
        if self.tokens == 0 {
            self.first = token.jsd;
        } else {
            self.rest += token.jsd;
        }
        if self.tokens < 3 {
            self.first3 += token.jsd;
        }
        self.tokens += 1;
        self.agreeing += u32::from(token.top1_dense == token.top1_pruned);
        self.jsd += token.jsd;
        let others = [
            token.loss_dense,
            token.loss_pruned,
            token.kl_dense_pruned,
            token.kl_pruned_dense,
            token.entropy_dense,
            token.entropy_pruned,
        ];
        for (sum, value) in self.others.iter_mut().zip(others) {
            *sum += value;
        }
    }

    /// `row`, `sample_tokens`, `prompt_tokens` are passed through. At least one token was added.
    pub(crate) fn finish(self, row: u32, sample_tokens: u32, prompt_tokens: u32) -> SampleScore {
        let count = f64::from(self.tokens);
        let jsd = self.jsd / count;
        let [loss_dense, loss_pruned, kl_dense_pruned, kl_pruned_dense, entropy_dense, entropy_pruned] =
            self.others.map(|sum| sum / count);
        SampleScore {
            row,
            jsd,
            jsd_first: self.first,
            jsd_first3: self.first3 / count.min(3.0),
            jsd_rest: (self.tokens > 1).then(|| self.rest / (count - 1.0)),
            first_share: if self.jsd > 0.0 { self.first / self.jsd } else { 0.0 },
            sample_tokens,
            prompt_tokens,
            response_tokens: self.tokens,
            loss_dense,
            loss_pruned,
            kl_dense_pruned,
            kl_pruned_dense,
            entropy_dense,
            entropy_pruned,
            top1_agreement: f64::from(self.agreeing) / count,
            ies: efficiency(jsd, sample_tokens, self.tokens),
            answered_dense: self.hits[0] == self.tokens,
            answered_pruned: self.hits[1] == self.tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(jsd: f64, agree: bool) -> Measures {
        Measures {
            jsd,
            loss_dense: 1.0,
            loss_pruned: 3.0,
            kl_dense_pruned: 0.5,
            kl_pruned_dense: 0.25,
            entropy_dense: 2.0,
            entropy_pruned: 2.5,
            top1_dense: 0,
            top1_pruned: u32::from(!agree),
        }
    }

    #[test]
    fn four_tokens_become_one_row() {
        let mut sums = Accumulator::default();
        for (jsd, agree) in [(0.4, false), (0.2, true), (0.1, true), (0.1, true)] {
            sums.add(&token(jsd, agree), 0);
        }
        let score = sums.finish(7, 6, 20);
        assert_eq!((score.row, score.sample_tokens, score.prompt_tokens, score.response_tokens), (7, 6, 20, 4));
        assert!((score.jsd - 0.2).abs() < 1e-15);
        assert!((score.jsd_first3 - 0.7 / 3.0).abs() < 1e-15);
        assert!((score.jsd_rest.unwrap_or(0.0) - 0.4 / 3.0).abs() < 1e-15);
        assert!((score.first_share - 0.5).abs() < 1e-15);
        assert_eq!((score.loss_dense, score.loss_pruned, score.top1_agreement), (1.0, 3.0, 0.75));
        // ln(10^2)
        assert!((score.ies - 0.2 / 100f64.ln()).abs() < 1e-15);
        assert_eq!((score.answered_dense, score.answered_pruned), (true, false), "one of its tokens is another one");
    }

    #[test]
    fn one_token_has_no_rest_and_equal_models_no_share() {
        let mut sums = Accumulator::default();
        sums.add(&token(0.0, true), 0);
        let score = sums.finish(0, 0, 5);
        assert_eq!((score.jsd_rest, score.first_share, score.jsd_first3), (None, 0.0, 0.0));
        // |x| + |y| = 1 counts as 2
        assert_eq!(efficiency(1.0, 0, 1), 1.0 / 4f64.ln());
    }
}
