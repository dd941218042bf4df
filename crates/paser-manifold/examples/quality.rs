//! Clusters the shared pool and prints how well the clusters meet its known capabilities and sources, the time of
//! each step and the peak memory (`method.md` section 6).
//!
//!     cargo run -p paser-manifold --example quality -- nomap 8 seed=1 8 automatic
//!     cargo run -p paser-manifold --example quality -- rows=4000 5 8 12
//!     cargo run -p paser-manifold --example quality -- tfidf=pool.jsonl 9 12
//!
//! MiniLM takes minutes for the whole pool; PASER_VECTORS=benches/scratch/vectors.f32 reads what a benchmark left.

#[path = "../tests/common/mix.rs"]
mod mix;

use paser_manifold::{
    ClusterCount, Manifold, ManifoldError, ManifoldParams, Rows, TfidfParams, adjusted_rand_index,
    normalized_mutual_information, run, tfidf_vectors,
};
use paser_protocol::Silent;

fn main() -> Result<(), String> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
    let number = |text: &str| text.parse::<usize>().map_err(|_| format!("`{text}` is not a number"));
    let mix = match value("tfidf=") {
        Some(path) => tfidf(path)?,
        None => mix::load(value("rows=").map(number).transpose()?)?,
    };
    let mut seed = 0;
    let mut map = true;
    let mut counts = Vec::new();
    for word in words.iter().filter(|word| !word.starts_with("tfidf=") && !word.starts_with("rows=")) {
        match word.as_str() {
            "automatic" => counts.push((ClusterCount::Automatic, seed)),
            "nomap" => map = false,
            _ => match word.strip_prefix("seed=") {
                Some(value) => seed = number(value)? as u64,
                None => counts.push((ClusterCount::Fixed(number(word)?), seed)),
            },
        }
    }
    let mut first: Option<Vec<u32>> = None;
    for (clusters, seed) in counts {
        let params = ManifoldParams { clusters, seed, map, ..ManifoldParams::default() };
        let start = std::time::Instant::now();
        let found = cluster(&mix, params).map_err(|error| error.to_string())?;
        print(&mix, &found, start.elapsed().as_secs_f64());
        let first = first.get_or_insert_with(|| found.labels_before_merge.clone());
        println!(
            "agreement with the first run before merging {:.3}\n",
            adjusted_rand_index(first, &found.labels_before_merge)
        );
    }
    println!("peak memory {}", peak_memory());
    Ok(())
}

/// The pool of a file with TF-IDF vectors.
fn tfidf(path: &str) -> Result<mix::Mix, String> {
    let mut mix = mix::read(path.as_ref())?;
    let start = std::time::Instant::now();
    let found = tfidf_vectors(&mix.texts, &vec![false; mix.texts.len()], &TfidfParams::default(), &Silent)
        .map_err(|error| error.to_string())?;
    println!(
        "{} texts, {} terms, {} dimensions, {} texts without terms: {:.2} s",
        mix.texts.len(),
        found.terms,
        found.dimensions,
        found.without_terms.len(),
        start.elapsed().as_secs_f64()
    );
    (mix.vectors, mix.dimensions) = (found.vectors, found.dimensions);
    Ok(mix)
}

fn cluster(mix: &mix::Mix, params: ManifoldParams) -> Result<Manifold, ManifoldError> {
    let held_out = vec![false; mix.order.len()];
    let rows = Rows { vectors: &mix.vectors, dimensions: mix.dimensions, order: &mix.order, held_out: &held_out };
    run(&rows, &params.check()?, &Silent)
}

fn print(mix: &mix::Mix, found: &Manifold, seconds: f64) {
    for (when, count, labels) in
        [("before", found.count_before_merge, &found.labels_before_merge), ("after ", found.count, &found.clusters)]
    {
        println!(
            "{when} merging: K {count:3}  NMI {:.3}  ARI {:.3}  ARI of sources {:.3}",
            normalized_mutual_information(labels, &mix.capability),
            adjusted_rand_index(labels, &mix.capability),
            adjusted_rand_index(labels, &mix.source),
        );
    }
    println!("sizes {:?}", found.quality.sizes);
    let quality = &found.quality;
    println!(
        "recall {:.4}  components {} (linked {}, left out {})  edges {}  at the floor {:.4}  largest residual {:.1e}  \
         products {}  NMF steps {} error {:.4}  agreement with its start {:.3}",
        quality.recall,
        quality.components,
        quality.linked_components,
        quality.left_out_components,
        quality.edges,
        quality.floor_share,
        quality.residuals.iter().copied().fold(0.0, f64::max),
        quality.products,
        quality.nmf_steps,
        quality.nmf_error,
        quality.start_agreement,
    );
    if let Some(curve) = &found.curve {
        println!(
            "chosen {} coarse {} fine {:?} unclear {:?} elbow {:?}",
            curve.chosen, curve.coarse, curve.fine, curve.unclear, curve.elbow
        );
        for (i, count) in curve.clusters.iter().enumerate() {
            println!(
                "  K {count:3}  score {:.3}  prediction strength {:.3}  NMF error {:.4}",
                curve.score[i], curve.prediction_strength[i], curve.nmf_error[i]
            );
        }
    }
    for timing in &found.timings {
        println!("  {:16} {:7.2} s", timing.step, timing.seconds);
    }
    println!("  {:16} {seconds:7.2} s", "all");
}

fn peak_memory() -> String {
    fs_err::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            status.lines().find_map(|line| line.strip_prefix("VmHWM:").map(|rest| rest.trim().to_owned()))
        })
        .unwrap_or_else(|| "unknown".into())
}
