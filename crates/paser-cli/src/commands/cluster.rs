//! `paser cluster`: from vectors to clusters, coordinates and map.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use paser_manifold::{ClusterCount, ManifoldParams, Rows, order_of_vectors};
use paser_protocol::Report;
use serde_json::json;

use crate::arrays::{self, Array};
use crate::exit::OrTell;
use crate::output::{Output, Table, duration, thousands};
use crate::progress::Progress;

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  paser cluster --vectors vectors.safetensors --k 12 --out clusters.safetensors")]
pub struct ClusterArgs {
    /// Vectors of unit length, as `paser encode` writes them.
    #[arg(long, value_name = "FILE.safetensors")]
    vectors: PathBuf,
    /// Number of clusters before merging; without it the stability curve decides.
    #[arg(long, value_name = "N")]
    k: Option<usize>,
    /// Keep small clusters instead of merging them.
    #[arg(long)]
    no_merge: bool,
    /// Leave the two-dimensional map out.
    #[arg(long)]
    no_map: bool,
    /// Seed of every random choice.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// File for `labels`, `clusters`, `coordinates`, `map` and `eigenvalues`.
    #[arg(long, value_name = "FILE.safetensors")]
    out: PathBuf,
}

pub fn run(args: &ClusterArgs, output: Output) -> Result<(), Report> {
    let started = Instant::now();
    let (vectors, rows, dimensions) = arrays::read_matrix(&args.vectors, "vectors")?;
    let params = ManifoldParams {
        clusters: args.k.map_or(ClusterCount::Automatic, ClusterCount::Fixed),
        merge: !args.no_merge,
        map: !args.no_map,
        seed: args.seed,
        ..ManifoldParams::default()
    };
    let checked = params.check().or_tell()?;
    let order = order_of_vectors(&vectors, dimensions);
    let held_out = vec![false; rows];
    let manifold = {
        let progress = Progress::new("clustering", "thousandths");
        let rows = Rows { vectors: &vectors, dimensions, order: &order, held_out: &held_out };
        paser_manifold::run(&rows, &checked, &progress).or_tell()?
    };
    let labels = |labels: &[u32]| labels.iter().map(|label| *label as i32).collect::<Vec<_>>();
    let mut written = vec![
        Array::i32("labels", vec![rows], labels(&manifold.labels_before_merge)),
        Array::i32("clusters", vec![rows], labels(&manifold.clusters)),
        Array::f32("coordinates", vec![rows, manifold.dimensions], manifold.coordinates.iter().copied()),
        Array::f64("eigenvalues", vec![manifold.eigenvalues.len()], manifold.eigenvalues.iter().copied()),
    ];
    if !manifold.map.is_empty() {
        written.push(Array::f32("map", vec![rows, 2], manifold.map.iter().flatten().copied()));
    }
    arrays::write(&args.out, &written)?;

    let seconds = started.elapsed().as_secs_f64();
    let quality = &manifold.quality;
    output.say(format!(
        "{} rows, K = {}, {} clusters after {} merge{}, in {}; neighbour recall {:.4}, {} component{}",
        thousands(rows as u64),
        manifold.count_before_merge,
        manifold.count,
        manifold.merges.len(),
        plural(manifold.merges.len()),
        duration(seconds),
        quality.recall,
        quality.components,
        plural(quality.components),
    ));
    if let Some(curve) = &manifold.curve {
        let fine = curve.fine.map_or_else(|| "none".to_owned(), |fine| fine.to_string());
        output.say(match curve.unclear {
            _ if curve.joined => {
                format!("the number that stability speaks for would leave one large cluster; {} is used", curve.chosen)
            }
            Some((low, high)) => {
                format!("no clear number: {low} to {high} are equally stable; coarse {} is used", curve.chosen)
            }
            None => format!(
                "number of clusters by stability: fine {fine}, coarse {}; {} is used",
                curve.coarse, curve.chosen
            ),
        });
    }
    let mut table = Table::new(&["cluster", "rows"]);
    for (cluster, size) in quality.sizes.iter().enumerate() {
        table.row([cluster.to_string(), thousands(*size as u64)]);
    }
    output.table(&table);
    output.say(args.out.display().to_string());
    output.line(&json!({
        "out": args.out,
        "rows": rows,
        "k": manifold.count_before_merge,
        "clusters": manifold.count,
        "sizes_before_merge": quality.sizes_before_merge,
        "sizes": quality.sizes,
        "merges": manifold.merges,
        "curve": manifold.curve,
        "quality": quality,
        "timings": manifold.timings,
        "seconds": seconds,
    }));
    Ok(())
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
