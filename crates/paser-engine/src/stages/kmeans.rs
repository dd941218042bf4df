//! k-means on the vectors with as many clusters as there are after merging and after a person's edits: the other
//! clusters of the ablation `paser-no-s2ric` (method.md 4). Made on first use.

use paser_manifold::{Rows, kmeans_labels};
use paser_project::{Array, Arrays, Inputs};

use super::{Bench, Made, artefact, embed::EmbedPlan, json};
use crate::{
    cluster_edits::Clusters,
    loaded::u32s,
    trouble::{Outcome, Told, usage},
};

const VERSION: u32 = 1;
pub(crate) const STAGE: &str = "kmeans";

/// Everything that decides the labels: the vectors of the manifold, its number of clusters, its hold-out and seed.
pub(crate) fn inputs(vectors: &str, clusters: usize, held_out: &str, seed: u64) -> Inputs {
    Inputs::new()
        .with("program's k-means", VERSION)
        .with("vectors", vectors)
        .with("clusters", clusters)
        .with("held-out samples", held_out)
        .with("seed", seed)
}

/// Labels of all samples, read or computed.
pub(crate) fn labels(bench: &Bench<'_>) -> Outcome<(Vec<u32>, String)> {
    let session = bench.session;
    let samples = session.samples()?;
    let count = session
        .loaded()
        .clusters()
        .map(Clusters::count)
        .ok_or_else(|| usage("The manifold is not computed yet.", "Run the project first."))?;
    let seed = bench.recipe.recipe.manifold.seed;
    let embed = EmbedPlan::check(bench)?;
    let inputs = inputs(&embed.inputs.key(), count, &samples.held_out_fingerprint, seed);
    let (mut found, _) = artefact(bench, STAGE, &inputs, || {
        let vectors = embed.vectors(bench)?;
        let rows = Rows {
            vectors: &vectors.values,
            dimensions: vectors.dimensions,
            order: &samples.order,
            held_out: &samples.held_out,
        };
        let labels = bench
            .work("k-means of the vectors", "steps", |monitor| kmeans_labels(&rows, count, seed, monitor))
            .map_err(Told::told)?;
        let mut arrays = Arrays::new();
        arrays.insert("labels", Array::column(labels));
        Ok(Made { arrays, summary: json(&serde_json::json!({"clusters": count})) })
    })?;
    Ok((u32s(&mut found, "labels")?, inputs.key()))
}
