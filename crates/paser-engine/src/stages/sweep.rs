//! What other settings than those in force make of the pool, one factor at a time: clusters for each value of a setting of
//! the manifold, divergences for each temperature (method.md 1 and 2; the paper's figure 5). Each setting is a shard, and
//! a temperature's pass is cut into shards like a scoring, so that a stop loses little.

use paser_data::Encoding;
use paser_manifold::{ClusterCount, ManifoldParams, Rows, run};
use paser_project::{Array, Arrays, Artefact, Inputs, ShardPlan, recipe::ManifoldRecipe};
use paser_protocol::{Factor, Stage};
use paser_score::{Item, ScoreParams, divergences};
use paser_select::Score;

use super::{Bench, Made, artefact, embed::EmbedPlan, json, manifold, record, score};
use crate::{
    estimate,
    job::{self, Shards},
    loaded::{ManifoldData, f32s, u32s},
    progress::Part,
    session::Loaded,
    trouble::{Outcome, Told, failed, usage},
};

const VERSION: u32 = 1;
/// Progress of one setting, which the manifold counts in thousandths.
const STEPS: u64 = 1000;
/// The temperature of the scores.
const TEMPERATURE: f64 = 1.0;
/// Seeds beside the one in force.
const SEEDS: u64 = 5;

/// The name under which a factor's artefacts and jobs are kept.
pub(crate) fn stage(factor: Factor) -> &'static str {
    match factor {
        Factor::Dimensions => "sweep-dimensions",
        Factor::Time => "sweep-time",
        Factor::Clusters => "sweep-clusters",
        Factor::Neighbours => "sweep-neighbours",
        Factor::Temperature => "sweep-temperature",
        Factor::Seed => "sweep-seed",
    }
}

/// The value in force, and those around it by rising value, itself among them. `count`: clusters before merging.
pub(crate) fn values(factor: Factor, recipe: &ManifoldRecipe, count: usize) -> (f64, Vec<f64>) {
    let whole = |current: usize, factors: &[f64], least: usize, most: usize| {
        let around = factors.iter().map(|factor| (current as f64 * factor).round());
        (current as f64, around.map(|value| value.clamp(least as f64, most as f64)).collect::<Vec<f64>>())
    };
    let (current, mut values) = match factor {
        Factor::Dimensions => whole(recipe.dimensions, &[0.25, 0.5, 1.0, 2.0, 3.0], 1, 200),
        Factor::Time if recipe.time > 0.0 => {
            (recipe.time, [0.0, 0.5, 1.0, 2.0, 4.0].map(|factor| (factor * recipe.time).min(100.0)).to_vec())
        }
        Factor::Time => (recipe.time, vec![0.0, 0.5, 1.0, 2.0, 4.0]),
        Factor::Clusters => {
            let (current, mut values) = whole(count, &[0.5, 0.75, 1.0, 1.25, 1.5], 2.min(count), 200);
            values.extend([count.saturating_sub(1).max(1) as f64, (count + 1) as f64]);
            (current, values)
        }
        Factor::Neighbours => {
            let least = recipe.bandwidth_neighbour.max(2);
            whole(recipe.neighbours, &[2.0 / 3.0, 1.0, 4.0 / 3.0, 2.0], least, 100)
        }
        Factor::Temperature => (TEMPERATURE, vec![0.25, 0.5, 1.0, 2.0, 4.0]),
        Factor::Seed => (recipe.seed as f64, (0..=SEEDS).map(|more| recipe.seed.saturating_add(more) as f64).collect()),
    };
    values.sort_by(f64::total_cmp);
    values.dedup();
    (current, values)
}

/// The settings of the manifold with another value of one factor. K stays what it is, so that one factor changes.
fn params_with(recipe: &ManifoldRecipe, count: usize, factor: Factor, value: f64) -> ManifoldParams {
    let mut params = ManifoldParams { clusters: ClusterCount::Fixed(count), map: false, ..manifold::params(recipe) };
    match factor {
        Factor::Dimensions => params.dimensions = value as usize,
        Factor::Time => params.time = value,
        Factor::Clusters => params.clusters = ClusterCount::Fixed(value as usize),
        Factor::Neighbours => {
            params.neighbours = value as usize;
            params.candidates = params.candidates.max(params.neighbours);
        }
        Factor::Seed => params.seed = value as u64,
        Factor::Temperature => {}
    }
    params
}

/// Everything that decides what a factor's settings make; `vectors`: the key of the manifold's vectors.
///
/// # Errors
/// Nothing that it could be compared with.
pub(crate) fn inputs(loaded: &Loaded, recipe: &ManifoldRecipe, vectors: &str, factor: Factor) -> Outcome<Inputs> {
    let data = manifold_of(loaded)?;
    let (_, values) = values(factor, recipe, data.facts.count_before_merge);
    let inputs =
        Inputs::new().with("program's sweep", VERSION).with("factor", factor).with("values", format!("{values:?}"));
    if factor == Factor::Temperature {
        let scores = loaded.scores.as_ref().ok_or_else(not_run)?;
        return Ok(inputs.with("scores", &scores.key));
    }
    Ok(inputs.with("manifold", &data.key).with("vectors", vectors))
}

fn manifold_of(loaded: &Loaded) -> Outcome<&ManifoldData> {
    loaded.manifold.as_deref().ok_or_else(not_run)
}

fn not_run() -> paser_protocol::Report {
    usage("The pool has to be clustered and scored first.", "Run the project.")
}

/// What a factor's settings make of the pool, by the values other than the one in force.
pub(crate) enum Swept {
    /// Clusters of each row, and their number.
    Clusters(Vec<(Vec<u32>, u32)>),
    /// Scores with the divergences of another temperature.
    Scores(Vec<Vec<Option<Score>>>),
}

/// Computes what is missing of a factor, and reads it.
pub(crate) fn bring_up(bench: &Bench<'_>, factor: Factor) -> Outcome<(Swept, String)> {
    let session = bench.session;
    let loaded = session.loaded();
    let recipe = &bench.recipe.recipe.manifold;
    let plan = manifold::ManifoldPlan::check(bench)?;
    let data = manifold_of(&loaded)?;
    if plan.inputs.key() != data.key {
        return Err(usage("The clusters are not those of the recipe.", "Run the project first."));
    }
    let vectors = plan.inputs.get("vectors").unwrap_or_default();
    let inputs = inputs(&loaded, recipe, vectors, factor)?;
    let (current, all) = values(factor, recipe, data.facts.count_before_merge);
    let others: Vec<f64> = all.into_iter().filter(|value| *value != current).collect();
    let mut shards = None;
    let (mut found, _) = artefact(bench, stage(factor), &inputs, || match factor {
        Factor::Temperature => at_temperatures(bench, &others, &inputs, &mut shards),
        _ => clusters_of(bench, factor, &others, data.facts.count_before_merge, &inputs, &mut shards),
    })?;
    if let Some(shards) = shards {
        shards.clear()?;
    }
    record(session, stage(factor), &found)?;
    let swept = match factor {
        Factor::Temperature => scores_of(&mut found, &loaded, others.len())?,
        _ => Swept::Clusters(
            (0..others.len())
                .map(|at| {
                    let labels = u32s(&mut found, &format!("clusters:{at}"))?;
                    let count = labels.iter().max().map_or(1, |most| most + 1);
                    Ok((labels, count))
                })
                .collect::<Outcome<_>>()?,
        ),
    };
    Ok((swept, found.manifest.key))
}

fn clusters_of(
    bench: &Bench<'_>,
    factor: Factor,
    others: &[f64],
    count: usize,
    inputs: &Inputs,
    kept: &mut Option<Shards>,
) -> Outcome<Made> {
    let session = bench.session;
    let samples = session.samples()?;
    let vectors = EmbedPlan::check(bench)?.vectors(bench)?;
    let rows = Rows {
        vectors: &vectors.values,
        dimensions: vectors.dimensions,
        order: &samples.order,
        held_out: &samples.held_out,
    };
    let plan = ShardPlan {
        stage: stage(factor).to_owned(),
        key: inputs.key(),
        shards: (0..others.len() as u32).map(|at| vec![at]).collect(),
    };
    let what = format!("clusters at other {}", factor.name());
    let compute = |settings: &[u32], part: &Part<'_>| {
        let value = others[settings[0] as usize];
        let params = params_with(&bench.recipe.recipe.manifold, count, factor, value);
        let checked = params.check().map_err(Told::told)?;
        let made = run(&rows, &checked, part).map_err(Told::told)?;
        let mut arrays = Arrays::new();
        arrays.insert("clusters", Array::column(made.clusters));
        Ok(arrays)
    };
    let shards = job::run_here(bench, &what, "steps", plan, |_| STEPS, compute)?;
    let mut arrays = Arrays::new();
    for (settings, found) in shards.parts() {
        let labels = found.u32("clusters").ok_or_else(|| failed("a shard holds no clusters", "Compute it again."))?;
        arrays.insert(format!("clusters:{}", settings[0]), Array::column(labels.to_vec()));
    }
    *kept = Some(shards);
    Ok(Made { arrays, summary: json(&others) })
}

/// Names of the arrays of a temperature's divergences.
const MEASURES: [&str; 3] = ["jsd", "jsd_rest", "ies"];

fn at_temperatures(bench: &Bench<'_>, others: &[f64], inputs: &Inputs, kept: &mut Option<Shards>) -> Outcome<Made> {
    let session = bench.session;
    score::check_current(bench)?;
    let samples = session.samples()?;
    let scores = session.loaded().scores.ok_or_else(not_run)?;
    let recipe = &bench.recipe.recipe;
    estimate::check_memory(session, recipe, Stage::Score, bench.memory)?;
    let dense = score::source(bench, &recipe.models.dense, "dense")?;
    let pruned = score::pruned_source(bench)?;
    let read = score::read_pool(bench, scores.facts.max_tokens)?;
    let encoded = |row: u32| match &read.encodings[row as usize] {
        Encoding::Scorable(encoded) => Some(encoded),
        Encoding::Unscorable(_) => None,
    };
    let length = |row: u32| encoded(row).map_or(0, |encoded| encoded.ids.len() as u64);
    let order: Vec<u32> = samples.order.iter().copied().filter(|row| length(*row) > 0).collect();
    let operations = 2.0 * (dense.facts.parameters + pruned.facts.parameters) as f64;
    let most = score::shard_tokens(operations, recipe.score.batch_tokens);
    let plan = ShardPlan::cut_by(stage(Factor::Temperature), &inputs.key(), &order, recipe.score.shard, most, length);
    let models = score::Models::new(dense.path()?, pruned.path()?);
    let params = ScoreParams {
        tokens_per_batch: recipe.score.batch_tokens,
        head_chunk: score::HEAD_CHUNK,
        threads: bench.threads,
        vocabulary: read.tokenizer.vocabulary(),
    };
    let names = format!("dense {}, pruned {}", dense.reference, pruned.reference);
    let array = |measure: &str, at: usize| format!("{measure}:{at}");
    let compute = |rows: &[u32], part: &Part<'_>| {
        let (dense, pruned) = models.get(part)?;
        let items: Vec<Item<'_>> =
            rows.iter().filter_map(|&row| encoded(row).map(|encoded| score::item(row, encoded))).collect();
        let found = divergences(dense, pruned, &items, others, &params, part)
            .map_err(|error| score::told_by_id(error, &samples, &names))?;
        let mut arrays = Arrays::new();
        for at in 0..others.len() {
            let column = |of: fn(&paser_score::Divergence) -> f64| -> Vec<f32> {
                found.iter().map(|sample| of(&sample[at]) as f32).collect()
            };
            arrays.insert(array("jsd", at), Array::column(column(|found| found.jsd)));
            arrays.insert(array("jsd_rest", at), Array::column(column(|found| found.jsd_rest.unwrap_or(f64::NAN))));
            arrays.insert(array("ies", at), Array::column(column(|found| found.ies)));
        }
        Ok(arrays)
    };
    let tokens = |rows: &[u32]| rows.iter().map(|row| length(*row)).sum();
    let shards = job::run_here(bench, "divergence at other temperatures", "tokens", plan, tokens, compute)?;
    let mut arrays = Arrays::new();
    for (measure, at) in MEASURES.iter().flat_map(|measure| (0..others.len()).map(move |at| (measure, at))) {
        let name = array(measure, at);
        let mut column = vec![f32::NAN; samples.len()];
        for (rows, found) in shards.parts() {
            let values =
                found.f32(&name).ok_or_else(|| failed(format!("a shard holds no {name}"), "Compute it again."))?;
            for (row, value) in rows.iter().zip(values) {
                column[*row as usize] = *value;
            }
        }
        arrays.insert(name, Array::column(column));
    }
    *kept = Some(shards);
    Ok(Made { arrays, summary: json(&others) })
}

fn scores_of(found: &mut Artefact, loaded: &Loaded, count: usize) -> Outcome<Swept> {
    let scores = loaded.scores.as_ref().ok_or_else(not_run)?;
    let each = (0..count).map(|at| {
        let mut column = |measure: &str| f32s(found, &format!("{measure}:{at}"));
        let (jsd, rest, ies) = (column("jsd")?, column("jsd_rest")?, column("ies")?);
        let with = |(row, score): (usize, &Option<Score>)| {
            score.map(|score| Score {
                jsd: f64::from(jsd[row]),
                jsd_rest: Some(f64::from(rest[row])).filter(|rest| !rest.is_nan()),
                ies: f64::from(ies[row]),
                ..score
            })
        };
        Ok(scores.rows.iter().enumerate().map(with).collect())
    });
    Ok(Swept::Scores(each.collect::<Outcome<_>>()?))
}

/// Seconds of one setting of the manifold, from what the one in force took: without its curve and its map.
pub(crate) fn seconds_of_setting(data: &ManifoldData) -> f64 {
    let left_out = ["stability curve", "landmark NMF", "map"];
    data.facts
        .timings
        .iter()
        .filter(|timing| !left_out.contains(&timing.step.as_str()))
        .map(|timing| timing.seconds)
        .sum()
}

#[cfg(test)]
mod tests {
    use paser_project::Recipe;

    use super::*;

    #[test]
    fn values_lie_around_the_one_in_force_and_within_what_the_recipe_allows() {
        let recipe = Recipe::new().manifold;
        let of = |factor| values(factor, &recipe, 12);
        assert_eq!(of(Factor::Dimensions), (16.0, vec![4.0, 8.0, 16.0, 32.0, 48.0]));
        assert_eq!(of(Factor::Time), (1.0, vec![0.0, 0.5, 1.0, 2.0, 4.0]));
        assert_eq!(of(Factor::Clusters), (12.0, vec![6.0, 9.0, 11.0, 12.0, 13.0, 15.0, 18.0]));
        assert_eq!(of(Factor::Neighbours), (15.0, vec![10.0, 15.0, 20.0, 30.0]));
        assert_eq!(of(Factor::Seed), (0.0, vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
        let odd = ManifoldRecipe { neighbours: 7, dimensions: 1, time: 0.0, ..recipe };
        for factor in Factor::ALL {
            let (current, values) = values(factor, &odd, 1);
            assert!(
                values.contains(&current) && values.windows(2).all(|pair| pair[0] < pair[1]),
                "{factor}: {values:?}"
            );
            for value in values {
                assert!(params_with(&odd, 1, factor, value).check().is_ok(), "{factor} {value}");
            }
        }
    }
}
