//! A project of any size without models: for measuring how the program behaves with millions of samples. Texts, vectors,
//! clusters, map and scores are made up from a seed; pool, catalogue, artefacts and selections are written by the
//! project's own writers, so that every stage counts as done.

mod numbers;
mod texts;

use std::{io::Write as _, path::Path, sync::atomic::AtomicBool};

use paser_manifold::Quality;
use paser_project::{
    Array, Arrays, Folder, Inputs, Measured, Recipe,
    recipe::{ClusterRule, HoldOutRule, NamedPlan},
    write_durably,
};
use paser_protocol::{Budget, RunSummary, SelectionPlan, Stage, Strategy};

use self::numbers::{CLUSTERS, Numbers};
use crate::{
    RunOptions,
    loaded::{ManifoldFacts, SCORE_COLUMNS, SCORED, Samples, ScoreFacts},
    progress::Sink,
    session::{Session, lock},
    sources::ModelFacts,
    stages::{self, embed, json, manifold, score},
    trouble::{Outcome, Told, failed, usage},
};

const POOL: &str = "pool.jsonl";
const DENSE: &str = "synthetic-dense";
const PRUNED: &str = "synthetic-pruned";
/// Of the sentence vectors.
const DIMENSIONS: usize = 32;
/// Held-out samples, of one.
const HELD_OUT: f64 = 0.02;

/// Makes a project of `samples` made-up samples in `root`, which must hold none yet. Same numbers, same project.
///
/// # Errors
/// A folder that cannot be written or holds a project; fewer samples than clusters.
pub fn make(root: &Path, samples: u32, seed: u64, events: Sink<'_>) -> Outcome<RunSummary> {
    if samples < 50 * CLUSTERS as u32 {
        return Err(usage(
            format!("{samples} samples are too few for {CLUSTERS} clusters."),
            format!("Ask for {} or more.", 50 * CLUSTERS),
        ));
    }
    let folder = Folder::create(root).map_err(Told::told)?;
    let numbers = Numbers::new(seed, samples);
    write_pool(&folder.root().join(POOL), &numbers)?;
    let text = recipe_text(&numbers);
    Recipe::parse(&text, &folder.recipe()).map_err(Told::told)?;
    write_durably(&folder.recipe(), text.as_bytes()).map_err(Told::told)?;
    let session = Session::open(root)?;
    let never = AtomicBool::new(false);
    session.run(Stage::Import, &RunOptions::default(), events, &never)?;
    if session.samples()?.len() != samples as usize {
        return Err(failed("Two of the made-up samples are the same.", "Please report this."));
    }
    write_artefacts(&session, &numbers)?;
    session.reload()?;
    session.run(Stage::Select, &RunOptions::default(), events, &never)
}

/// The recipe, which says what the project is.
fn recipe_text(numbers: &Numbers) -> String {
    let mut recipe = Recipe::new();
    recipe.name = format!("Synthetic {}", numbers.samples);
    recipe.pool.path = POOL.to_owned();
    recipe.pool.hold_out = HoldOutRule::Share(HELD_OUT);
    recipe.models.dense = DENSE.to_owned();
    recipe.models.pruned = PRUNED.to_owned();
    recipe.vectors.dimensions = DIMENSIONS;
    recipe.manifold.clusters = ClusterRule::Fixed(CLUSTERS as u32);
    recipe.checks.near_duplicates = 0.0;
    recipe.selections = [(Strategy::Paser, "paser-10"), (Strategy::Random, "random-10")]
        .map(|(strategy, name)| NamedPlan {
            name: name.to_owned(),
            plan: SelectionPlan { strategy, budget: Budget::Percent(10.0), ..SelectionPlan::default() },
        })
        .to_vec();
    format!(
        "# Synthetic: {} samples from seed {}, made up by a program to measure this one. No text is of a person or of a\n\
         # model, no model was run, and the scores mean nothing. Licence: CC0-1.0.\n{}",
        numbers.samples,
        numbers.seed,
        recipe.render()
    )
}

fn write_pool(path: &Path, numbers: &Numbers) -> Outcome<()> {
    let mut file = std::io::BufWriter::new(fs_err::File::create(path).map_err(Told::told)?);
    for row in 0..numbers.samples {
        let (instruction, output) = texts::of(numbers, row);
        let line = serde_json::json!({ "id": format!("syn-{row:07}"), "instruction": instruction, "output": output });
        writeln!(file, "{line}").map_err(Told::told)?;
    }
    file.flush().map_err(Told::told)
}

fn write_artefacts(session: &Session, numbers: &Numbers) -> Outcome<()> {
    let samples = session.samples()?;
    let recipe = session.recipe().recipe.clone();
    let vectors = embed::inputs(&recipe.vectors, &samples, None);
    put(
        session,
        embed::STAGE,
        &vectors,
        &vector_arrays(numbers),
        json(&serde_json::json!({ "dimensions": DIMENSIONS })),
    )?;
    let clusters = manifold::inputs(&recipe, &samples, &vectors.key());
    let (arrays, facts) = manifold_arrays(numbers, recipe.manifold.dimensions);
    put(session, manifold::STAGE, &clusters, &arrays, json(&facts))?;
    let (dense, pruned) = (model(DENSE, 0.0), model(PRUNED, 0.5));
    for (name, facts) in [(DENSE, &dense), (PRUNED, &pruned)] {
        // A folder that is not there is known by what was read of it.
        let facts = serde_json::to_string(facts).map_err(|error| failed(error.to_string(), ""))?;
        lock(&session.catalogue).set_stamped(&format!("model {name}"), "synthetic", &facts).map_err(Told::told)?;
    }
    let (arrays, facts) = score_arrays(numbers, &samples);
    put(session, score::STAGE, &score::inputs(&recipe, &samples, &dense, &pruned), &arrays, json(&facts))
}

fn put(session: &Session, stage: &str, inputs: &Inputs, arrays: &Arrays, summary: serde_json::Value) -> Outcome<()> {
    let measured = Measured { seconds: 0.0, peak_memory_bytes: 0, summary };
    let manifest = session.store.put(stage, inputs, arrays, measured).map_err(Told::told)?;
    let artefact = paser_project::Artefact { manifest, arrays: Arrays::new() };
    stages::record(session, stage, &artefact)
}

fn model(name: &str, zeros: f64) -> ModelFacts {
    ModelFacts {
        content: format!("no weights: {name}"),
        tokenizer: Some("no tokenizer: synthetic".to_owned()),
        chat: None,
        context: 2048,
        vocab: 32_000,
        vocabulary: 32_000,
        parameters: 1_000_000,
        layers: 4,
        zeros,
        pattern: None,
        family: "synthetic".to_owned(),
        dtype: "F32".to_owned(),
        note: None,
    }
}

fn vector_arrays(numbers: &Numbers) -> Arrays {
    let values: Vec<f32> = (0..numbers.samples).flat_map(|row| numbers.vector(row, DIMENSIONS)).collect();
    let mut arrays = Arrays::new();
    arrays.insert("vectors", Array::matrix(numbers.samples as usize, DIMENSIONS, values));
    arrays
}

fn manifold_arrays(numbers: &Numbers, dimensions: usize) -> (Arrays, ManifoldFacts) {
    let rows = numbers.samples as usize;
    let clusters: Vec<u32> = (0..numbers.samples).map(|row| numbers.cluster(row)).collect();
    let mut sizes = vec![0; CLUSTERS];
    for cluster in &clusters {
        sizes[*cluster as usize] += 1;
    }
    let map: Vec<f32> = (0..numbers.samples).flat_map(|row| numbers.place(row)).collect();
    let membership: Vec<f32> = (0..numbers.samples).flat_map(|row| numbers.membership(row)).collect();
    let coordinates: Vec<f32> = (0..numbers.samples).flat_map(|row| numbers.vector(row, dimensions)).collect();
    let mut arrays = Arrays::new();
    arrays
        .insert("labels", Array::column(clusters.clone()))
        .insert("clusters", Array::column(clusters))
        .insert("membership", Array::matrix(rows, CLUSTERS, membership))
        .insert("coordinates", Array::matrix(rows, dimensions, coordinates))
        .insert("map", Array::matrix(rows, 2, map))
        .insert("placement", Array::column(vec![0_u8; rows]))
        .insert("far", Array::column(vec![0_u8; rows]));
    let quality = Quality {
        graph_rows: rows,
        recall: 1.0,
        recall_rows: 0,
        components: 1,
        linked_components: 0,
        link_edges: 0,
        left_out_components: 0,
        left_out_rows: 0,
        edges: 0,
        floor_share: 0.0,
        residuals: Vec::new(),
        orthogonality: 0.0,
        products: 0,
        nmf_steps: 0,
        nmf_error: 0.0,
        start_agreement: 1.0,
        sizes_before_merge: sizes.clone(),
        sizes,
    };
    let facts = ManifoldFacts {
        vectors: "synthetic".to_owned(),
        vector_dimensions: DIMENSIONS,
        count: CLUSTERS,
        count_before_merge: CLUSTERS,
        cluster_of_label: (0..CLUSTERS as u32).collect(),
        eigenvalues: (0..=dimensions).map(|at| 0.97_f64.powi(at as i32)).collect(),
        merges: Vec::new(),
        quality,
        curve: None,
        timings: Vec::new(),
        rule: format!("fixed at {CLUSTERS}"),
    };
    (arrays, facts)
}

fn score_arrays(numbers: &Numbers, samples: &Samples) -> (Arrays, ScoreFacts) {
    let rows = samples.len();
    let scores: Vec<numbers::Made> = (0..numbers.samples).map(|row| numbers.score(row)).collect();
    let mut arrays = Arrays::new();
    for (name, _, _) in SCORE_COLUMNS {
        let column: Vec<f32> = scores.iter().map(|score| score.column(name)).collect();
        arrays.insert(name, Array::column(column));
    }
    let of = |count: fn(&numbers::Made) -> u32| Array::column(scores.iter().map(count).collect::<Vec<u32>>());
    arrays
        .insert("sample_tokens", of(|score| score.instruction_tokens))
        .insert("prompt_tokens", of(|score| score.prompt_tokens))
        .insert("response_tokens", of(|score| score.response_tokens))
        .insert("trained_tokens", of(|score| score.prompt_tokens + score.response_tokens))
        .insert("state", Array::column(vec![SCORED; rows]))
        .insert("cut", Array::column(vec![0_u8; rows]));
    let facts = ScoreFacts {
        tokens: scores.iter().map(|score| u64::from(score.prompt_tokens + score.response_tokens)).sum(),
        response_tokens: scores.iter().map(|score| u64::from(score.response_tokens)).sum(),
        unscorable: 0,
        cut: 0,
        max_tokens: 2048,
        rate: 1.0,
        reasons: Vec::new(),
    };
    (arrays, facts)
}
