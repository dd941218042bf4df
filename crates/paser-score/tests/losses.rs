//! Losses of one model against the plain definition (logits of every position, softmax in f64), and what must not
//! change them: batches, threads, whether an example's past is shared.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use paser_model::{Checkpoint, Decoder};
use paser_protocol::{Monitor, Silent};
use paser_score::{Item, ScoreError, ScoreParams, Span, divergences, losses, losses_behind, score};

fn load(name: &str) -> Decoder {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../paser-demo/assets")).join(name);
    Decoder::load(&Checkpoint::open(&folder).unwrap()).unwrap()
}

/// Texts of several lengths; token 0 to 199.
fn texts() -> Vec<Vec<u32>> {
    (0..9_u32).map(|text| (0..5 + 3 * text).map(|at| (text * 31 + at * at * 7 + at) % 200).collect()).collect()
}

fn params(threads: usize, tokens_per_batch: usize) -> ScoreParams {
    ScoreParams { threads, tokens_per_batch, head_chunk: 7, vocabulary: 200 }
}

/// Position by position, in f64.
fn plain(model: &Decoder, ids: &[u32], from: usize) -> f64 {
    let width = model.spec().vocab;
    let hidden = model.hidden_rows(&[ids]).unwrap();
    let mut logits = vec![0.0; ids.len() * width];
    model.logits_rows(&hidden, &mut logits);
    let loss = |at: usize| {
        let row = &logits[(at - 1) * width..][..200];
        let sum: f64 = row.iter().map(|logit| f64::from(*logit).exp()).sum();
        sum.ln() - f64::from(row[ids[at] as usize])
    };
    (from.max(1)..ids.len()).map(loss).sum()
}

fn near(found: &[f64], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() < 2e-4 * wanted.abs().max(1.0), "{found} and {wanted}");
    }
}

#[test]
fn sums_are_those_of_the_plain_definition_in_any_batch_on_any_threads() {
    let model = load("dense");
    let texts = texts();
    let spans: Vec<Span<'_>> =
        (0..).zip(&texts).map(|(row, ids)| Span { row, ids, from: (row as usize * 2).min(ids.len()) }).collect();
    let found = losses(&model, "dense", &spans, &params(1, 64), &Silent).unwrap();
    let wanted: Vec<f64> = spans.iter().map(|span| plain(&model, span.ids, span.from)).collect();
    near(&found, &wanted);
    assert!(spans.iter().zip(&found).all(|(span, sum)| (span.counted() == 0) == (*sum == 0.0)));
    assert_eq!(found, losses(&model, "dense", &spans, &params(3, 64), &Silent).unwrap());
    near(&losses(&model, "dense", &spans, &params(2, 16), &Silent).unwrap(), &found);
}

#[test]
fn a_text_after_its_prompt_has_the_loss_of_the_scoring_pass() {
    let (dense, pruned) = (load("dense"), load("pruned"));
    let texts = texts();
    let spans: Vec<Span<'_>> = (0..).zip(&texts).map(|(row, ids)| Span { row, ids, from: 3 }).collect();
    let items: Vec<Item<'_>> = spans
        .iter()
        .map(|span| Item {
            row: span.row,
            ids: span.ids,
            prompt_tokens: 3,
            response_tokens: span.counted() as u32,
            sample_tokens: 2,
        })
        .collect();
    let scores = score(&dense, &pruned, &items, &params(1, 64), &Silent).unwrap();
    let found = losses(&dense, "dense", &spans, &params(1, 64), &Silent).unwrap();
    let means: Vec<f64> = found.iter().zip(&spans).map(|(sum, span)| sum / span.counted() as f64).collect();
    near(&means, &scores.iter().map(|score| score.loss_dense).collect::<Vec<_>>());
}

#[test]
fn behind_an_example_counts_the_text_alone_and_its_past_may_be_shared() {
    let model = load("pruned");
    let texts = texts();
    let (examples, tasks) = texts.split_at(4);
    let examples: Vec<&[u32]> = examples.iter().map(Vec::as_slice).collect();
    let spans: Vec<Span<'_>> = (0..).zip(tasks).map(|(row, ids)| Span { row, ids, from: 4 }).collect();
    // Batches so small that each text has a stretch of its own, and so large that all share one.
    let found = losses_behind(&model, "pruned", &examples, &spans, &params(2, 1), &Silent).unwrap();
    let shared = losses_behind(&model, "pruned", &examples, &spans, &params(1, 1024), &Silent).unwrap();
    for ((example, found), shared) in examples.iter().zip(&found).zip(&shared) {
        let whole: Vec<f64> = (spans.iter())
            .map(|span| plain(&model, &[example, span.ids].concat(), example.len() + span.from))
            .collect();
        near(found, &whole);
        near(shared, &whole);
    }
    assert_eq!(found, losses_behind(&model, "pruned", &examples, &spans, &params(1, 1), &Silent).unwrap());
}

#[test]
fn what_cannot_be_measured_is_refused_by_row() {
    let model = load("dense");
    let refused = |spans: &[Span<'_>], params: &ScoreParams, monitor: &dyn Monitor| {
        losses(&model, "filter", spans, params, monitor).unwrap_err()
    };
    let foreign = Span { row: 7, ids: &[1, 200], from: 1 };
    assert!(matches!(refused(&[foreign], &params(1, 64), &Silent), ScoreError::Sample { row: 7, .. }));
    let large = ScoreParams { vocabulary: 1 << 20, ..params(1, 64) };
    assert!(matches!(refused(&[foreign], &large, &Silent), ScoreError::Vocabulary { model: "filter", .. }));
    struct Stopped;
    impl Monitor for Stopped {
        fn progress(&self, _done: u64, _total: u64) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    let fine = Span { row: 1, ids: &[1, 2, 3], from: 1 };
    assert!(matches!(refused(&[fine], &params(1, 64), &Stopped), ScoreError::Cancelled));
}

#[test]
fn a_temperature_of_one_is_the_score_and_a_high_one_flattens_both_models() {
    let (dense, pruned) = (load("dense"), load("pruned"));
    let texts = texts();
    let items: Vec<Item<'_>> = (0..)
        .zip(&texts)
        .map(|(row, ids)| Item {
            row,
            ids,
            prompt_tokens: 2,
            response_tokens: ids.len() as u32 - 2,
            sample_tokens: ids.len() as u32,
        })
        .collect();
    let scores = score(&dense, &pruned, &items, &params(1, 64), &Silent).unwrap();
    let run = |taus: &[f64], threads| divergences(&dense, &pruned, &items, taus, &params(threads, 64), &Silent);
    let found = run(&[0.5, 1.0, 50.0], 2).unwrap();
    assert_eq!(found, run(&[0.5, 1.0, 50.0], 1).unwrap());
    for (score, found) in scores.iter().zip(&found) {
        let one = found[1];
        assert_eq!((one.jsd, one.jsd_rest, one.ies), (score.jsd, score.jsd_rest, score.ies));
        assert!(found[2].jsd < 0.01 * one.jsd && found[0].jsd > found[2].jsd, "{found:?}");
    }
    assert!(matches!(run(&[0.0], 1), Err(ScoreError::Parameter { name: "temperature", .. })));
}
