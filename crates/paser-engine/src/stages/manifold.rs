//! Manifold: vectors become neighbours, diffusion coordinates, clusters and a map (method.md 1, items 3 to 8).

use paser_manifold::{ClusterCount, Manifold, ManifoldParams, Rows, Start};
use paser_project::{
    Array, Arrays, Inputs,
    recipe::{ClusterRule, ManifoldRecipe, Recipe},
};

use super::{Bench, Made, artefact, concepts, embed, json, record};
use crate::{
    clusters,
    loaded::{ManifoldData, ManifoldFacts, Samples},
    trouble::{Outcome, Told},
};

const VERSION: u32 = 2;
pub(crate) const STAGE: &str = "manifold";
/// What means nothing any more once the samples are others.
pub(crate) const DOWNSTREAM: [&str; 10] = [
    super::checks::STAGE,
    embed::STAGE,
    STAGE,
    "score",
    concepts::STAGE,
    super::kmeans::STAGE,
    super::neighbours::STAGE,
    "ifd",
    "superfiltering",
    "nuggets",
];

pub(crate) struct ManifoldPlan {
    params: ManifoldParams,
    embed: embed::EmbedPlan,
    pub inputs: Inputs,
}

pub(crate) fn params(recipe: &ManifoldRecipe) -> ManifoldParams {
    ManifoldParams {
        neighbours: recipe.neighbours,
        candidates: recipe.candidates,
        bandwidth_neighbour: recipe.bandwidth_neighbour,
        alpha: recipe.alpha,
        dimensions: recipe.dimensions,
        time: recipe.time,
        clusters: match recipe.clusters {
            ClusterRule::Automatic => ClusterCount::Automatic,
            ClusterRule::Fine => ClusterCount::Fine,
            ClusterRule::Coarse => ClusterCount::Coarse,
            ClusterRule::Fixed(k) => ClusterCount::Fixed(k as usize),
        },
        merge: recipe.merge,
        start: if recipe.start == "manifold" { Start::Manifold } else { Start::Spectral },
        seed: recipe.seed,
        k_max: Some(recipe.k_max),
        curve_rows: recipe.curve_rows,
        half_splits: recipe.half_splits,
        map: true,
    }
}

/// Everything that decides the manifold; `vectors` is the key of the embed stage.
pub(crate) fn inputs(recipe: &Recipe, samples: &Samples, vectors: &str) -> Inputs {
    let mut inputs = Inputs::new()
        .with("program's manifold", VERSION)
        .with("vectors", vectors)
        .with("held-out samples", &samples.held_out_fingerprint);
    if let serde_json::Value::Object(fields) = json(&params(&recipe.manifold)) {
        for (name, value) in fields {
            inputs = inputs.with(&format!("manifold.{name}"), value);
        }
    }
    inputs
}

impl ManifoldPlan {
    pub(crate) fn check(bench: &Bench<'_>) -> Outcome<Self> {
        let embed = embed::EmbedPlan::check(bench)?;
        let recipe = &bench.recipe.recipe;
        let params = params(&recipe.manifold);
        params.clone().check().map_err(Told::told)?;
        let inputs = inputs(recipe, &*bench.session.samples()?, &embed.inputs.key());
        Ok(Self { params, embed, inputs })
    }

    /// Brings clusters, map and the clusters' names up to date. True: they were.
    pub(crate) fn bring_up(self, bench: &Bench<'_>) -> Outcome<bool> {
        let session = bench.session;
        let named = concepts::bring_up(bench)?;
        let key = self.inputs.key();
        if session.loaded().manifold.is_some_and(|data| data.key == key) {
            return Ok(named);
        }
        let samples = session.samples()?;
        let Self { params, embed, inputs } = self;
        let label = embed::label(&bench.recipe.recipe.vectors.encoder);
        let (mut found, cached) = artefact(bench, STAGE, &inputs, || {
            let vectors = embed.vectors(bench)?;
            let rows = Rows {
                vectors: &vectors.values,
                dimensions: vectors.dimensions,
                order: &samples.order,
                held_out: &samples.held_out,
            };
            let checked = params.check().map_err(Told::told)?;
            let manifold = bench
                .work("neighbours, manifold, clusters", "steps", |monitor| {
                    paser_manifold::run(&rows, &checked, monitor)
                })
                .map_err(Told::told)?;
            Ok(made(manifold, checked.params(), label, vectors.dimensions))
        })?;
        let data = ManifoldData::read(&mut found)?;
        record(session, STAGE, &found)?;
        let mut loaded = session.loaded();
        loaded.manifold = Some(data.into());
        // Naming takes a while; readers wait only for the exchange.
        clusters::name_clusters(&mut loaded);
        session.with_loaded(|held| *held = loaded);
        Ok(cached && named)
    }
}

fn made(manifold: Manifold, params: &ManifoldParams, vectors: String, vector_dimensions: usize) -> Made {
    let rows = manifold.clusters.len();
    let mut arrays = Arrays::new();
    let placement: Vec<u8> = manifold.placement.iter().map(|placement| *placement as u8).collect();
    let far: Vec<u8> = manifold.far.iter().map(|far| u8::from(*far)).collect();
    arrays
        .insert("labels", Array::column(manifold.labels_before_merge))
        .insert("clusters", Array::column(manifold.clusters))
        .insert("membership", Array::matrix(rows, manifold.count, manifold.membership))
        .insert("coordinates", Array::matrix(rows, manifold.dimensions, manifold.coordinates))
        .insert("map", Array::matrix(rows, 2, manifold.map.as_flattened().to_vec()))
        .insert("placement", Array::column(placement))
        .insert("far", Array::column(far));
    let facts = ManifoldFacts {
        vectors,
        vector_dimensions,
        rule: rule(params.clusters, &manifold.curve, manifold.count_before_merge),
        count: manifold.count,
        count_before_merge: manifold.count_before_merge,
        cluster_of_label: manifold.cluster_of_label,
        eigenvalues: manifold.eigenvalues,
        merges: manifold.merges,
        quality: manifold.quality,
        curve: manifold.curve,
        timings: manifold.timings,
    };
    Made { arrays, summary: json(&facts) }
}

/// How the number of clusters was decided.
fn rule(asked: ClusterCount, curve: &Option<paser_manifold::StabilityCurve>, k: usize) -> String {
    match (asked, curve) {
        (ClusterCount::Fixed(asked), _) if asked == k => format!("fixed at {k}"),
        (ClusterCount::Fixed(asked), _) => format!("fixed at {asked}, of which the pool holds {k}"),
        (_, None) => format!("{k}: the pool is too small for a stability curve"),
        (_, Some(curve)) if curve.joined => {
            format!("{k}: the number that stability speaks for would leave one large cluster")
        }
        (_, Some(curve)) => match curve.unclear {
            Some((low, high)) => format!("no clear number: {low} to {high} are equally stable; {k} is used"),
            None if curve.fine == Some(k) => format!("fine: {k} is the largest number with a stability of 0.80"),
            None => format!("coarse: {k} is the smallest number within 0.02 of the best stability"),
        },
    }
}
