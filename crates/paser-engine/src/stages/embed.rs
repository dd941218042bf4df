//! Embed: every sample becomes a vector of unit length, by a sentence encoder in shards that survive a kill, or by
//! TF-IDF + SVD (method.md 1, items 1 and 2).

use std::{
    cell::OnceCell,
    cmp::Reverse,
    path::{Path, PathBuf},
    time::Instant,
};

use paser_data::Sample;
use paser_manifold::{TfidfParams, tfidf_vectors};
use paser_model::SentenceEncoder;
use paser_project::{Array, Arrays, Artefact, Inputs, ShardPlan, recipe::VectorsRecipe};
use paser_protocol::Monitor;

use super::{Bench, Made, artefact, import, json, record};
use crate::{
    job::{self, Named, Shards},
    loaded::{Samples, f32s},
    progress::Part,
    session::lock,
    sources::{self, Kind},
    trouble::{Outcome, Told, failed},
};

const VERSION: u32 = 1;
pub(crate) const STAGE: &str = "embed";
/// Samples of a shard.
const SHARD: usize = 2000;

pub(crate) struct EmbedPlan {
    vectors: VectorsRecipe,
    encoder: Option<PathBuf>,
    pub inputs: Inputs,
}

/// Everything that decides the vectors. `encoder`: its content hash. TF-IDF learns its terms from what is not held out.
pub(crate) fn inputs(vectors: &VectorsRecipe, samples: &Samples, encoder: Option<&str>) -> Inputs {
    let inputs = Inputs::new()
        .with("program's vectors", VERSION)
        .with("samples", &samples.fingerprint)
        .with("text", &vectors.text);
    match encoder {
        Some(content) => inputs.with("encoder", content).with("shard", SHARD),
        None => {
            let inputs = inputs.with("encoder", "TF-IDF + SVD").with("dimensions", vectors.dimensions);
            if samples.held_out.contains(&true) {
                inputs.with("held-out samples", &samples.held_out_fingerprint)
            } else {
                inputs
            }
        }
    }
}

/// Vectors of all samples.
pub(crate) struct Vectors {
    pub values: Vec<f32>,
    pub dimensions: usize,
}

impl Vectors {
    /// The vectors of so many samples.
    pub(crate) fn read(artefact: &mut Artefact, rows: usize) -> Outcome<Self> {
        let values = f32s(artefact, "vectors")?;
        let dimensions = values.len() / rows.max(1);
        Ok(Self { values, dimensions })
    }
}

impl EmbedPlan {
    pub(crate) fn check(bench: &Bench<'_>) -> Outcome<Self> {
        let session = bench.session;
        let samples = session.samples()?;
        let vectors = bench.recipe.recipe.vectors.clone();
        if vectors.encoder.is_empty() {
            let inputs = inputs(&vectors, &samples, None);
            return Ok(Self { vectors, encoder: None, inputs });
        }
        let known = sources::known_encoder(&lock(&session.catalogue), &session.folder, &vectors.encoder);
        if let sources::Known::Gone(facts) = &known {
            let inputs = inputs(&vectors, &samples, Some(&facts.content));
            let path = session.folder.resolve(&vectors.encoder);
            return Ok(Self { vectors, encoder: Some(path), inputs });
        }
        if !matches!(known, sources::Known::Yes(_)) {
            bench.may_prepare()?;
        }
        let path = match sources::find_model(&session.folder, &vectors.encoder, Kind::Encoder) {
            Ok(path) => path,
            Err(_) => bench.work("fetching the encoder", "bytes", |monitor| {
                sources::obtain_model(&session.folder, &vectors.encoder, Kind::Encoder, monitor)
            })?,
        };
        let facts = sources::encoder_facts(&session.catalogue, &vectors.encoder, &path)?;
        let inputs = inputs(&vectors, &samples, Some(&facts.content));
        Ok(Self { vectors, encoder: Some(path), inputs })
    }

    /// Brings the vectors up to date. True: they were. Vectors that were made once and are only not at hand (a
    /// recorded project carries none) are made again when a stage needs them.
    pub(crate) fn bring_up(self, bench: &Bench<'_>) -> Outcome<bool> {
        let key = self.inputs.key();
        let recorded = lock(&bench.session.catalogue).stage(STAGE).map_err(Told::told)?;
        if recorded.is_some_and(|recorded| recorded.key == key) {
            return Ok(true);
        }
        let (found, cached) = self.make(bench)?;
        record(bench.session, STAGE, &found)?;
        bench.session.touch();
        Ok(cached)
    }

    /// The vectors, read or computed.
    pub(crate) fn vectors(self, bench: &Bench<'_>) -> Outcome<Vectors> {
        let rows = bench.session.samples()?.len();
        let (mut found, _) = self.make(bench)?;
        Vectors::read(&mut found, rows)
    }

    fn make(self, bench: &Bench<'_>) -> Outcome<(Artefact, bool)> {
        let mut shards = None;
        let found = artefact(bench, STAGE, &self.inputs, || match &self.encoder {
            None => self.tfidf(bench),
            Some(path) => self.encode(bench, path, &mut shards),
        })?;
        if let Some(shards) = shards {
            shards.clear()?;
        }
        Ok(found)
    }

    fn text(&self, sample: &Sample) -> String {
        if self.vectors.text == "instruction" { sample.instruction.clone() } else { sample.question().into_owned() }
    }

    fn tfidf(&self, bench: &Bench<'_>) -> Outcome<Made> {
        let pool = import::pool(bench.session, &*bench.session.samples()?)?;
        let texts: Vec<String> = pool.samples.iter().map(|sample| self.text(sample)).collect();
        let held_out = pool.held_out;
        drop(pool.samples);
        let params = TfidfParams { dimensions: self.vectors.dimensions, ..TfidfParams::default() };
        let found = bench
            .work("TF-IDF + SVD", "steps", |monitor| tfidf_vectors(&texts, &held_out, &params, monitor))
            .map_err(Told::told)?;
        let summary = json(&serde_json::json!({
            "terms": found.terms,
            "dimensions": found.dimensions,
            "samples_without_terms": found.without_terms.len(),
        }));
        Ok(made(found.vectors, found.dimensions, texts.len(), summary))
    }

    /// The part of a worker.
    pub(crate) fn compute(self, bench: &Bench<'_>) -> Outcome<()> {
        match &self.encoder {
            Some(path) => self.shards(bench, path).map(drop),
            None => bench.may_prepare(),
        }
    }

    /// The vectors in shards, and the texts' lengths.
    fn shards(&self, bench: &Bench<'_>, path: &Path) -> Outcome<(Shards, Vec<usize>)> {
        let samples = bench.session.samples()?;
        let pool = import::pool(bench.session, &samples)?;
        let texts: Vec<String> = pool.samples.iter().map(|sample| self.text(sample)).collect();
        drop(pool);
        let lengths: Vec<usize> = texts.iter().map(String::len).collect();
        // Equal lengths stay in content-hash order, so that shards do not depend on the pool's order.
        let mut order = samples.order.clone();
        order.sort_by_key(|&row| Reverse(lengths[row as usize]));
        let plan = ShardPlan::cut(STAGE, &self.inputs.key(), &order, SHARD);
        let length = |rows: &[u32]| rows.iter().map(|&row| lengths[row as usize] as u64).sum::<u64>();
        let loaded = OnceCell::new();
        let encode = |rows: &[u32], part: &Part<'_>| {
            let encoder = match loaded.get() {
                Some(encoder) => encoder,
                None => {
                    let encoder = SentenceEncoder::load(path).map_err(Told::told)?;
                    loaded.get_or_init(|| encoder)
                }
            };
            let texts: Vec<String> = rows.iter().map(|&row| texts[row as usize].clone()).collect();
            let scaled = Scaled { part, length: length(rows) };
            let vectors = encoder.encode(&texts, &scaled).map_err(Told::told)?;
            let mut arrays = Arrays::new();
            arrays.insert("vectors", Array::matrix(rows.len(), encoder.dimensions(), vectors));
            Ok(arrays)
        };
        let named = Named { what: "encoding", unit: "characters", details: None };
        Ok((job::run(bench, named, plan, length, encode, |_| {})?, lengths))
    }

    fn encode(&self, bench: &Bench<'_>, path: &Path, kept: &mut Option<Shards>) -> Outcome<Made> {
        let started = Instant::now();
        let (shards, lengths) = self.shards(bench, path)?;
        let lacking = || failed("a shard holds no vectors", "Run again.");
        let (mut vectors, mut width) = (Vec::new(), 0);
        for (rows, arrays) in shards.parts() {
            let values = arrays.f32("vectors").ok_or_else(lacking)?;
            if vectors.is_empty() {
                width = values.len() / rows.len().max(1);
                vectors.resize(lengths.len() * width, 0.0);
            }
            if values.len() != rows.len() * width {
                return Err(lacking());
            }
            for (&row, vector) in rows.iter().zip(values.chunks_exact(width.max(1))) {
                vectors[row as usize * width..][..width].copy_from_slice(vector);
            }
        }
        let characters: usize = lengths.iter().sum();
        if shards.computed == shards.total {
            let rate = characters as f64 / started.elapsed().as_secs_f64().max(1e-3);
            lock(&bench.session.catalogue).set_rate("encode", rate).map_err(Told::told)?;
        }
        let summary = json(&serde_json::json!({"dimensions": width, "characters": characters}));
        let made = made(vectors, width, lengths.len(), summary);
        *kept = Some(shards);
        Ok(made)
    }
}

/// Progress of an encoder, which counts its own tokens, in the characters of the shard.
struct Scaled<'a> {
    part: &'a Part<'a>,
    length: u64,
}

impl Monitor for Scaled<'_> {
    fn progress(&self, done: u64, total: u64) {
        self.part.progress((done as f64 / total.max(1) as f64 * self.length as f64) as u64, self.length);
    }

    fn cancelled(&self) -> bool {
        self.part.cancelled()
    }
}

fn made(vectors: Vec<f32>, dimensions: usize, rows: usize, summary: serde_json::Value) -> Made {
    let mut arrays = Arrays::new();
    arrays.insert("vectors", Array::matrix(rows, dimensions, vectors));
    Made { arrays, summary }
}

/// What the vectors are called on screen.
pub(crate) fn label(encoder: &str) -> String {
    if encoder.is_empty() {
        return "TF-IDF + SVD".to_owned();
    }
    let mut parts = encoder.split('@').next().unwrap_or(encoder).rsplit(['/', '\\']).filter(|part| !part.is_empty());
    let name = match (parts.next(), parts.next()) {
        // A folder that says nothing is named by the one above it.
        (Some("model" | "encoder"), Some(above)) => above,
        (Some(name), _) => name,
        _ => encoder,
    };
    name.strip_prefix("all-").unwrap_or(name).to_owned()
}
