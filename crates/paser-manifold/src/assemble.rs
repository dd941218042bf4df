//! Puts the results of the graph rows at the caller's rows and places all rows outside the graph (`method.md`
//! section 1, items 4 and 8, section 5).

use crate::components::gather;
use crate::error::ManifoldError;
use crate::neighbours::nearest;
use crate::params::ManifoldParams;
use crate::pipeline::{Clustering, Embedding, Rows};
use crate::placement::{extend, far_bar, vote, weighted, weights};
use crate::progress::Progress;
use crate::result::{Manifold, Placement, Quality, StabilityCurve};

/// Nearest graph rows that place a held-out row.
const VOTERS: usize = 15;

/// The caller's rows and the part of them that was searched.
pub(crate) struct Pool<'a> {
    pub(crate) rows: &'a Rows<'a>,
    pub(crate) inside: &'a [u32],
    pub(crate) held_out: &'a [u32],
    pub(crate) vectors: &'a [f32],
}

/// Puts the results of the graph rows at the caller's rows and places all others.
pub(crate) fn assemble(
    pool: &Pool,
    embedding: &Embedding,
    clustering: Clustering,
    map: &[[f32; 2]],
    curve: Option<StabilityCurve>,
    params: &ManifoldParams,
    progress: &Progress,
) -> Result<Manifold, ManifoldError> {
    let n = pool.rows.order.len();
    let (width, count, before) = (embedding.dimensions, clustering.count, clustering.count_before);
    let components = &embedding.graph.components;
    let mut out = Manifold {
        labels_before_merge: vec![0; n],
        clusters: vec![0; n],
        count_before_merge: before,
        count,
        cluster_of_label: clustering.cluster_of_label,
        membership_before_merge: vec![0.0; n * before],
        membership: vec![0.0; n * count],
        dimensions: width,
        coordinates: vec![0.0; n * width],
        map: if params.map { vec![[0.0; 2]; n] } else { Vec::new() },
        placement: vec![Placement::Graph; n],
        far: vec![false; n],
        eigenvalues: embedding.pairs.values.clone(),
        merges: clustering.merges,
        quality: Quality {
            graph_rows: components.kept.len(),
            recall: 1.0,
            recall_rows: 0,
            components: components.count,
            linked_components: components.linked,
            link_edges: components.links.len(),
            left_out_components: components.left_out_components,
            left_out_rows: components.left_out.len(),
            edges: embedding.graph.weights.columns.len() / 2,
            floor_share: embedding.graph.floor_share,
            residuals: embedding.pairs.residuals.clone(),
            orthogonality: embedding.pairs.orthogonality,
            products: embedding.pairs.products,
            nmf_steps: clustering.steps,
            nmf_error: clustering.error,
            start_agreement: clustering.start_agreement,
            sizes_before_merge: vec![0; before],
            sizes: vec![0; count],
        },
        curve,
        timings: Vec::new(),
    };
    let put = |out: &mut Manifold, row: u32, label: u32, membership: &[f64], z: &[f64], place: Option<[f32; 2]>| {
        let row = row as usize;
        let cluster = out.cluster_of_label[label as usize];
        out.labels_before_merge[row] = label;
        out.clusters[row] = cluster;
        out.quality.sizes_before_merge[label as usize] += 1;
        out.quality.sizes[cluster as usize] += 1;
        let mut merged = vec![0.0; count];
        for (label, &share) in membership.iter().enumerate() {
            out.membership_before_merge[row * before + label] = share as f32;
            merged[out.cluster_of_label[label] as usize] += share;
        }
        for (column, share) in merged.iter().enumerate() {
            out.membership[row * count + column] = *share as f32;
        }
        for (column, value) in z.iter().enumerate() {
            out.coordinates[row * width + column] = *value as f32;
        }
        if let Some(place) = place {
            out.map[row] = place;
        }
    };
    for (vertex, &position) in components.kept.iter().enumerate() {
        put(
            &mut out,
            pool.inside[position as usize],
            clustering.labels[vertex],
            &clustering.membership[vertex * before..(vertex + 1) * before],
            &embedding.coordinates[vertex * width..(vertex + 1) * width],
            map.get(vertex).copied(),
        );
    }

    let outside: Vec<(u32, Placement)> = components
        .left_out
        .iter()
        .map(|&position| (pool.inside[position as usize], Placement::SmallComponent))
        .chain(pool.held_out.iter().map(|&row| (row, Placement::HeldOut)))
        .collect();
    if outside.is_empty() {
        return Ok(out);
    }
    let queries: Vec<u32> = outside.iter().map(|entry| entry.0).collect();
    let base = gather(pool.vectors, pool.rows.dimensions, &components.kept);
    let found = nearest(
        &gather(pool.rows.vectors, pool.rows.dimensions, &queries),
        &base,
        pool.rows.dimensions,
        VOTERS,
        progress,
    )?;
    let weights = weights(&found, &embedding.graph.bandwidths, &embedding.graph.densities, params.bandwidth_neighbour);
    let eigenvalues = &embedding.pairs.values[1..=width];
    let placed = extend(&found, &weights, &embedding.coordinates, width, eigenvalues);
    let flat: Vec<f64> = map.iter().flatten().map(|&x| f64::from(x)).collect();
    let places = if params.map { weighted(&found, &weights, &flat, 2) } else { Vec::new() };
    let own: Vec<f64> = components
        .kept
        .iter()
        .filter(|_| embedding.neighbours.count > 0)
        .map(|&position| embedding.neighbours.of(position as usize).1[0])
        .collect();
    let bar = far_bar(&own);
    for (query, &(row, placement)) in outside.iter().enumerate() {
        let (rows, distances) = found.of(query);
        let voters = if placement == Placement::HeldOut { VOTERS } else { 1 };
        let (label, _) = vote(rows, &clustering.labels, &out.cluster_of_label, voters);
        let voters = &rows[..voters.min(rows.len())];
        let mut membership = vec![0.0; before];
        for &voter in voters {
            membership[clustering.labels[voter as usize] as usize] += 1.0 / voters.len() as f64;
        }
        let place = places.get(query * 2..query * 2 + 2).map(|place| [place[0] as f32, place[1] as f32]);
        put(&mut out, row, label, &membership, &placed[query * width..(query + 1) * width], place);
        out.placement[row as usize] = placement;
        out.far[row as usize] = distances[0] > bar;
    }
    Ok(out)
}
