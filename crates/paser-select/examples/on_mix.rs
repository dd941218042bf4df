//! Times every step on the real pool and prints what the concept graph accepts: `cargo run -p paser-select --example on_mix`.
//! Scores are drawn from content hashes, clusters are the sources of the file: stand-ins that need no model.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::Instant;

use paser_protocol::{Budget, Refill, Silent, Strategy, Weight};
use paser_select::{
    ClusterWeight, ConceptTable, Concepts, Curation, PassColumn, PerSample, PoolColumns, Score, SelectParams, Vectors,
    cluster_names, intern_concepts, quotas, sample_concepts, select,
};
use sha2::{Digest, Sha256};

struct Text {
    id: String,
    parts: [String; 3],
    source: String,
}

fn main() {
    let shared = std::env::var_os("PASER_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    let path = shared.join("data/recovery_mix.jsonl");
    let Ok(file) = fs_err::read_to_string(&path) else {
        eprintln!("skipped: {} is not there, set PASER_SHARED", path.display());
        return;
    };
    let mix: Vec<Text> = file.lines().map(text).collect();
    let alpaca: Vec<Text> = file.lines().map(text).filter(|text| text.source.starts_with("alpaca")).collect();
    for (name, texts) in [("alpaca-random-9k", alpaca), ("recovery_mix", mix)] {
        println!("{name}: {} samples", texts.len());
        let best = timed("concepts, best 5", || concepts_of(&texts, PerSample::Best(5)));
        let all = timed("concepts, all", || concepts_of(&texts, PerSample::All));
        for (label, table) in [("best 5", &best), ("all", &all)] {
            let uses: usize = table.samples.iter().map(Vec::len).sum();
            println!("  {label}: {} concepts, {:.1} a sample", table.names.len(), uses as f64 / texts.len() as f64);
        }
        for (label, table) in [("best 5", &best), ("all", &all)] {
            one_cluster_acceptance(&texts, label, table);
        }
        let pool = columns(&texts, &best, false);
        for strategy in Strategy::ALL {
            let params = SelectParams { strategy, ..SelectParams::default() };
            let selection = timed(strategy.name(), || select(&pool, &Curation::default(), &params, &Silent).unwrap());
            if strategy == Strategy::Paser {
                println!("  acceptance {:.3}, selected {}", selection.acceptance_rate.unwrap(), selection.selected);
                for row in &selection.ledger {
                    println!(
                        "    {:>5} of {:>5}, {:>4} rejected, {:>4} refilled: {}",
                        row.quota, row.cap, row.rejected, row.refilled, row.name
                    );
                }
            }
        }
        let literal = columns(&texts, &all, false);
        timed("paser, all concepts", || {
            select(&literal, &Curation::default(), &SelectParams::default(), &Silent).unwrap()
        });
        let tokens = SelectParams { budget: Budget::Tokens(1_000_000), ..SelectParams::default() };
        timed("paser, tokens", || select(&pool, &Curation::default(), &tokens, &Silent).unwrap());
        live_quotas();
    }
}

fn text(line: &str) -> Text {
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    let field = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    Text {
        id: value["id"].to_string(),
        parts: [field("instruction"), field("input"), field("output")],
        source: field("source"),
    }
}

fn timed<T>(label: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("  {label}: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    result
}

fn concepts_of(texts: &[Text], per_sample: PerSample) -> ConceptTable {
    let concepts = Concepts { per_sample, ..Concepts::default() };
    let parts = |text: &Text| sample_concepts(&text.parts.each_ref().map(String::as_str), &concepts);
    intern_concepts(texts.iter().map(parts).collect())
}

/// The share the graph accepts when the whole pool is shown to it in random order, with no refill.
fn one_cluster_acceptance(texts: &[Text], label: &str, table: &ConceptTable) {
    let pool = columns(texts, table, true);
    for seed in 0..3 {
        let params = SelectParams {
            strategy: Strategy::PaserNoCdais,
            budget: Budget::Percent(100.0),
            refill: Refill::None,
            seed,
            ..SelectParams::default()
        };
        let start = Instant::now();
        let selection = select(&pool, &Curation::default(), &params, &Silent).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "  random order, {label}, seed {seed}: {:.3} accepted, {seconds:.2} s",
            selection.acceptance_rate.unwrap()
        );
    }
}

fn columns(texts: &[Text], table: &ConceptTable, one_cluster: bool) -> PoolColumns {
    let mut sources: Vec<&str> = texts.iter().map(|text| text.source.as_str()).collect();
    sources.sort_unstable();
    sources.dedup();
    let number =
        |text: &Text| if one_cluster { 0 } else { sources.binary_search(&text.source.as_str()).unwrap() as u32 };
    let clusters: Vec<u32> = texts.iter().map(number).collect();
    let count = if one_cluster { 1 } else { sources.len() };
    let hashes: Vec<[u8; 32]> = texts.iter().map(|text| Sha256::digest(text.parts.join("\0")).into()).collect();
    let scores: Vec<Option<Score>> = texts
        .iter()
        .zip(&hashes)
        .map(|(text, hash)| {
            let noise = f64::from(u16::from_be_bytes([hash[0], hash[1]])) / 65536.0;
            let words = |text: &str| text.split_whitespace().count() as u32;
            let (prompt, response) = (words(&text.parts[0]) + words(&text.parts[1]), words(&text.parts[2]) + 1);
            let jsd = 0.05 + 0.3 * noise;
            Some(Score {
                jsd,
                jsd_rest: (response > 1).then_some(jsd),
                ies: jsd / (2.0 * f64::from((prompt + response).max(2)).ln()),
                loss_dense: 1.0 + noise,
                loss_pruned: 2.0 + noise,
                sample_tokens: prompt + response,
                prompt_tokens: prompt + 40,
                response_tokens: response,
            })
        })
        .collect();
    PoolColumns {
        ids: texts.iter().map(|text| text.id.clone()).collect(),
        trained_tokens: scores
            .iter()
            .map(|score| score.map_or(0, |score| score.prompt_tokens + score.response_tokens))
            .collect(),
        cluster_names: cluster_names(&clusters, count, &table.samples, &table.names, &vec![false; texts.len()]),
        alternative_clusters: Some(hashes.iter().map(|hash| u32::from(hash[5]) % count as u32).collect()),
        vectors: Some(Vectors {
            values: hashes.iter().flat_map(|hash| hash[8..16].iter().map(|byte| f32::from(*byte))).collect(),
            dimensions: 8,
        }),
        neighbour_distances: Some(hashes.iter().map(|hash| f32::from(hash[6]) / 255.0).collect()),
        pass: Some(PassColumn {
            values: hashes.iter().map(|hash| f32::from(hash[7]) / 200.0).collect(),
            ties: vec![f32::NAN; hashes.len()],
        }),
        held_out: vec![false; texts.len()].into(),
        concepts: table.samples.clone().into(),
        concept_names: table.names.clone().into(),
        hashes: hashes.into(),
        clusters: clusters.into(),
        scores: scores.into(),
    }
}

fn live_quotas() {
    let forty: Vec<ClusterWeight> = (1..=40)
        .map(|at| ClusterWeight {
            cds: Some(0.01 * at as f64),
            size: 250 * at,
            eligible: 250 * at,
            ..ClusterWeight::default()
        })
        .collect();
    let eligible: u64 = forty.iter().map(|weight| weight.eligible).sum();
    let start = Instant::now();
    let rounds = 2000;
    let sum: u64 = (0..rounds).map(|round| quotas(&forty, Weight::Cds, eligible * round / rounds).unwrap().total).sum();
    let each = start.elapsed().as_secs_f64() * 1e6 / rounds as f64;
    println!("  quotas of 40 clusters: {each:.1} microseconds (mean total {})", sum / rounds);
}
