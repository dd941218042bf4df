//! The dense and the pruned model on the items: what recovery is measured against.

use paser_project::{Array, Artefact};
use paser_protocol::Monitor;
use paser_score::{SampleScore, ScoreParams, score_beside};
use serde::{Deserialize, Serialize};

use super::{REFERENCE, items::Items, plan::Pair};
use crate::{
    loaded::{f32s, u8s, u32s},
    session::{Session, lock},
    stages::{Bench, Made, artefact, json, record, score as scoring},
    trouble::{Outcome, failed},
};

/// What is kept of the items beside their values.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Facts {
    names: Vec<String>,
    left_out: u64,
}

/// Values of both models by item, and which item is which.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    /// Row in the pool, or [`super::NO_ROW`].
    pub rows: Vec<u32>,
    /// Place in `names`.
    pub groups: Vec<u32>,
    pub names: Vec<String>,
    pub left_out: u64,
    /// Response loss, nats a token.
    pub loss_dense: Vec<f32>,
    pub loss_pruned: Vec<f32>,
    /// Divergence of the pruned model, nats.
    pub jsd: Vec<f32>,
    /// 1 where greedy decoding gives the whole answer.
    pub answered_dense: Vec<u8>,
    pub answered_pruned: Vec<u8>,
}

impl Reference {
    pub(crate) fn read(artefact: &mut Artefact) -> Outcome<Self> {
        let facts: Facts = serde_json::from_value(artefact.manifest.summary.clone())
            .map_err(|error| failed(format!("the {REFERENCE} manifest: {error}"), "Train again."))?;
        Ok(Self {
            rows: u32s(artefact, "row")?,
            groups: u32s(artefact, "group")?,
            names: facts.names,
            left_out: facts.left_out,
            loss_dense: f32s(artefact, "loss_dense")?,
            loss_pruned: f32s(artefact, "loss_pruned")?,
            jsd: f32s(artefact, "jsd")?,
            answered_dense: u8s(artefact, "answered_dense")?,
            answered_pruned: u8s(artefact, "answered_pruned")?,
        })
    }
}

/// Measures both models where that is not done. True: it was.
pub(super) fn bring_up(bench: &Bench<'_>, pair: &Pair, items: &Items) -> Outcome<bool> {
    let session = bench.session;
    let samples = session.samples()?;
    let inputs = pair.inputs(&bench.recipe.recipe, &samples.fingerprint, items);
    let (mut found, cached) = artefact(bench, REFERENCE, &inputs, || {
        let pruned = scoring::load(pair.pruned.path()?)?;
        let scores = bench.work("measuring the dense and the pruned model", "tokens", |monitor| {
            measure(pair, &pruned, items, bench.threads, monitor)
        })?;
        let mut made = Made {
            arrays: columns(&scores),
            summary: json(&Facts { names: items.names.clone(), left_out: items.left_out }),
        };
        made.arrays.insert("row", Array::column(items.rows.clone()));
        made.arrays.insert("group", Array::column(items.groups.clone()));
        Ok(made)
    })?;
    record(session, REFERENCE, &found)?;
    let reference = Reference::read(&mut found)?;
    lock(&session.recovery).set_reference(reference);
    session.touch();
    Ok(cached)
}

fn columns(scores: &[SampleScore]) -> paser_project::Arrays {
    let mut arrays = paser_project::Arrays::new();
    let column =
        |of: fn(&SampleScore) -> f64| Array::column(scores.iter().map(|score| of(score) as f32).collect::<Vec<f32>>());
    let marks = |of: fn(&SampleScore) -> bool| {
        Array::column(scores.iter().map(|score| u8::from(of(score))).collect::<Vec<u8>>())
    };
    arrays.insert("loss_dense", column(|score| score.loss_dense));
    arrays.insert("loss_pruned", column(|score| score.loss_pruned));
    arrays.insert("jsd", column(|score| score.jsd));
    arrays.insert("answered_dense", marks(|score| score.answered_dense));
    arrays.insert("answered_pruned", marks(|score| score.answered_pruned));
    arrays
}

/// A model beside the dense one on every item.
pub(super) fn measure(
    pair: &Pair,
    model: &paser_model::Decoder,
    items: &Items,
    threads: usize,
    monitor: &dyn Monitor,
) -> Outcome<Vec<SampleScore>> {
    let params = ScoreParams {
        head_chunk: scoring::HEAD_CHUNK,
        threads,
        vocabulary: pair.texts.tokenizer.vocabulary(),
        ..ScoreParams::default()
    };
    score_beside(pair.dense_decoder()?, model, &items.scored(), &params, &pair.states, monitor)
        .map_err(|error| scoring::told_of_items(error, &pair.pruned.reference))
}

impl Session {
    /// What the models were last found to be on the items.
    pub(crate) fn read_reference(&self) -> Outcome<Option<Reference>> {
        Ok(self.made_last(REFERENCE)?.and_then(|mut found| Reference::read(&mut found).ok()))
    }
}
