//! Distances to the sixth neighbour among the sentence vectors, for `instruction-mining` (method.md 4). Made on first use.

use paser_manifold::{Rows, neighbour_distances};
use paser_project::{Array, Arrays, Inputs};

use super::{Bench, Made, artefact, embed::EmbedPlan, json};
use crate::{
    loaded::f32s,
    trouble::{Outcome, Told},
};

const VERSION: u32 = 1;
pub(crate) const STAGE: &str = "neighbours";
/// The neighbour of the published rule.
const NEIGHBOUR: usize = 6;

/// Distances of all samples, read or computed, and their key.
pub(crate) fn distances(bench: &Bench<'_>) -> Outcome<(Vec<f32>, String)> {
    let samples = bench.session.samples()?;
    let embed = EmbedPlan::check(bench)?;
    let inputs = Inputs::new()
        .with("program's neighbours", VERSION)
        .with("vectors", embed.inputs.key())
        .with("neighbour", NEIGHBOUR)
        .with("held-out samples", &samples.held_out_fingerprint);
    let (mut found, _) = artefact(bench, STAGE, &inputs, || {
        let vectors = embed.vectors(bench)?;
        let rows = Rows {
            vectors: &vectors.values,
            dimensions: vectors.dimensions,
            order: &samples.order,
            held_out: &samples.held_out,
        };
        let distances = bench
            .work("distances to the sixth neighbour", "steps", |monitor| neighbour_distances(&rows, NEIGHBOUR, monitor))
            .map_err(Told::told)?;
        let mut arrays = Arrays::new();
        arrays.insert("distances", Array::column(distances));
        Ok(Made { arrays, summary: json(&serde_json::json!({"neighbour": NEIGHBOUR})) })
    })?;
    Ok((f32s(&mut found, "distances")?, inputs.key()))
}
