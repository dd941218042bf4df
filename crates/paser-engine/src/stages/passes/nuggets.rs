//! `nuggets` (arXiv 2312.10302): the golden score of a sample is the share of m anchor tasks whose summed response loss
//! falls when the sample stands before them as a one-shot example. The sample's keys and values are computed once for all
//! of them. Both are written in the project's template; behind the sample a task has no begin token of its own.
//!
//! Anchors: k-means with m clusters on the vectors of the pool (or of the hold-out) and of each the sample nearest to its
//! centre, as in the reference, but by sentence vectors rather than hidden states; only samples of at most half the context
//! may be one. A sample that is an anchor is not measured on itself. What does not fit before the longest anchor has no
//! value. Scores are multiples of 1 / m: equal ones fall by the mean gain in nats.

use paser_data::{Encoded, Encoding, Tokenizer};
use paser_manifold::{Rows, kmeans_labels};
use paser_project::Inputs;
use paser_protocol::AnchorSource;
use paser_score::{Span, losses, losses_behind};

use super::{Made, Measured, Pass};
use crate::{
    job::Shards,
    loaded::Samples,
    stages::{
        embed::{EmbedPlan, Vectors},
        score,
    },
    trouble::{Outcome, Told, failed, usage},
};

pub(super) fn run(pass: &Pass<'_>, inputs: &Inputs, kept: &mut Option<Shards>) -> Outcome<Made> {
    let (bench, settings) = (pass.bench, &pass.recipe.strategies);
    let session = bench.session;
    let samples = session.samples()?;
    let scores = session.loaded().scores.ok_or_else(|| failed("the scores are gone", "Run the project."))?;
    let embed = EmbedPlan::check(bench)?;
    if inputs.get("vectors") != Some(embed.inputs.key().as_str()) {
        return Err(usage("The clusters are not those of the vectors of now.", "Run the project first."));
    }
    let source = pass.model(settings.nuggets_model)?;
    let read = score::read_pool(bench, scores.facts.max_tokens)?;
    let encoded = |row: u32| match &read.encodings[row as usize] {
        Encoding::Scorable(encoded) => Some(encoded),
        Encoding::Unscorable(_) => None,
    };
    let context = source.facts.context;
    let short = |row: u32| encoded(row).is_some_and(|encoded| encoded.ids.len() <= context / 2);
    let wanted = settings.nuggets_anchors as usize;
    let anchors = choose(pass, &samples, embed.vectors(bench)?, short, wanted, settings.nuggets_from)?;

    let tasks: Vec<(u32, &Encoded)> = anchors.iter().filter_map(|&row| encoded(row).map(|task| (row, task))).collect();
    let begin: Vec<usize> = tasks.iter().map(|(_, task)| begin_tokens(&read.tokenizer, &task.ids)).collect();
    let alone = |(row, task): &(u32, &'_ Encoded)| (*row, task.prompt_tokens as usize);
    let spans: Vec<Span<'_>> = (tasks.iter().map(alone).zip(&tasks))
        .map(|((row, from), (_, task))| Span { row, ids: &task.ids, from })
        .collect();
    let behind: Vec<Span<'_>> = (spans.iter().zip(&begin))
        .map(|(span, begin)| Span { row: span.row, ids: &span.ids[*begin..], from: span.from - begin })
        .collect();
    let model = score::load(source.path()?)?;
    let params = pass.score_params(read.tokenizer.vocabulary());
    let name = settings.nuggets_model.name();
    let told = |error| score::told_by_id(error, &samples, &source.reference);
    let without = bench
        .work("nuggets: anchor tasks alone", "tokens", |monitor| losses(&model, name, &spans, &params, monitor))
        .map_err(told)?;

    let longest = behind.iter().map(|span| span.ids.len()).max().unwrap_or(0);
    let fits = |row: &u32| encoded(*row).is_some_and(|encoded| encoded.ids.len() + longest <= context);
    let order: Vec<u32> =
        samples.order.iter().copied().filter(|row| !samples.held_out[*row as usize] && fits(row)).collect();
    let of_tasks: usize = behind.iter().map(|span| span.ids.len()).sum();
    let cost = |row: u32| encoded(row).map_or(0, |encoded| (encoded.ids.len() + of_tasks) as u64);
    let columns = pass.in_shards(
        "nuggets: samples before anchor tasks",
        &order,
        source.facts.parameters,
        cost,
        |rows, part| {
            let examples: Vec<&[u32]> =
                (rows.iter()).filter_map(|row| encoded(*row).map(|encoded| encoded.ids.as_slice())).collect();
            let with = losses_behind(&model, name, &examples, &behind, &params, part).map_err(told)?;
            Ok((rows.iter().zip(with)).map(|(row, with)| golden(*row, &anchors, &without, &with)).collect())
        },
        kept,
    )?;
    Ok(columns.made(format!("golden score, {} anchors", anchors.len()), anchors))
}

/// Begin tokens in front of a text.
fn begin_tokens(tokenizer: &Tokenizer, ids: &[u32]) -> usize {
    let prefix = tokenizer.prefix();
    if !prefix.is_empty() && ids.starts_with(prefix) {
        prefix.len()
    } else {
        usize::from(tokenizer.bos_id().is_some_and(|begin| ids.first() == Some(&begin)))
    }
}

/// Share of the anchors other than the sample itself whose loss falls, and the mean of what it falls by.
fn golden(row: u32, anchors: &[u32], without: &[f64], with: &[f64]) -> Measured {
    let gains = anchors.iter().zip(without.iter().zip(with)).filter(|(anchor, _)| **anchor != row);
    let gains: Vec<f64> = gains.map(|(_, (without, with))| without - with).collect();
    if gains.is_empty() {
        return (f32::NAN, f32::NAN);
    }
    let better = gains.iter().filter(|gain| **gain > 0.0).count();
    let count = gains.len() as f64;
    ((better as f64 / count) as f32, (gains.iter().sum::<f64>() / count) as f32)
}

/// The anchors, in content-hash order.
fn choose(
    pass: &Pass<'_>,
    samples: &Samples,
    vectors: Vectors,
    short: impl Fn(u32) -> bool,
    wanted: usize,
    from: AnchorSource,
) -> Outcome<Vec<u32>> {
    let held_out = from == AnchorSource::Holdout;
    let out: Vec<bool> =
        (0..samples.len() as u32).map(|row| samples.held_out[row as usize] != held_out || !short(row)).collect();
    let there = out.iter().filter(|out| !**out).count();
    if there < wanted {
        return Err(usage(
            format!("nuggets asks for {wanted} anchors of the {from}, which holds {there} samples that can be one."),
            "Lower nuggets_anchors in [strategies] of recipe.toml, or change nuggets_from or pool.holdout.",
        ));
    }
    let rows = Rows { vectors: &vectors.values, dimensions: vectors.dimensions, order: &samples.order, held_out: &out };
    let seed = pass.recipe.manifold.seed;
    let labels = pass
        .bench
        .work("nuggets: k-means for the anchors", "steps", |monitor| kmeans_labels(&rows, wanted, seed, monitor))
        .map_err(Told::told)?;
    Ok(nearest_to_centres(&rows, &labels, wanted))
}

/// Of each label the row nearest to the mean of its rows, the first in processing order where several are. Ordered as
/// the rows are.
fn nearest_to_centres(rows: &Rows<'_>, labels: &[u32], count: usize) -> Vec<u32> {
    let width = rows.dimensions;
    let vector = |row: u32| &rows.vectors[row as usize * width..][..width];
    let inside: Vec<u32> = rows.order.iter().copied().filter(|row| !rows.held_out[*row as usize]).collect();
    let (mut sums, mut sizes) = (vec![0.0; count * width], vec![0.0_f64; count]);
    for &row in &inside {
        let label = labels[row as usize] as usize;
        sizes[label] += 1.0;
        for (sum, value) in sums[label * width..][..width].iter_mut().zip(vector(row)) {
            *sum += f64::from(*value);
        }
    }
    let mut best: Vec<Option<(f64, usize)>> = vec![None; count];
    for (place, &row) in inside.iter().enumerate() {
        let label = labels[row as usize] as usize;
        let centre = sums[label * width..][..width].iter().map(|sum| sum / sizes[label]);
        let distance: f64 = vector(row).iter().zip(centre).map(|(x, c)| (f64::from(*x) - c).powi(2)).sum();
        if best[label].is_none_or(|(least, _)| distance < least) {
            best[label] = Some((distance, place));
        }
    }
    let mut places: Vec<usize> = best.into_iter().flatten().map(|(_, place)| place).collect();
    places.sort_unstable();
    places.into_iter().map(|place| inside[place]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_score_counts_the_tasks_that_get_easier() {
        let (anchors, without) = ([4, 9, 2, 7], [3.0, 2.0, 5.0, 1.0]);
        // Better, worse, equal, better: 2 of 4; the mean gain is (1 - 0.5 + 0 + 0.5) / 4.
        assert_eq!(golden(1, &anchors, &without, &[2.0, 2.5, 5.0, 0.5]), (0.5, 0.25));
        // Itself does not count: worse, equal, better.
        assert_eq!(golden(4, &anchors, &without, &[2.0, 2.5, 5.0, 0.5]), (1.0 / 3.0, 0.0));
        assert!(golden(4, &[4], &[1.0], &[0.5]).0.is_nan());
    }

    #[test]
    fn anchors_are_nearest_to_their_centres_in_processing_order() {
        let vectors = [0.0_f32, 1.0, 2.0, 10.0, 12.0, 50.0];
        let held_out = [false, false, false, false, false, true];
        let rows = Rows { vectors: &vectors, dimensions: 1, order: &[4, 3, 5, 2, 1, 0], held_out: &held_out };
        // 11 lies in the middle of 12 and 10: the first in the order; row 1 is the centre of the others.
        assert_eq!(nearest_to_centres(&rows, &[0, 0, 0, 1, 1, 1], 2), [4, 1]);
    }
}
