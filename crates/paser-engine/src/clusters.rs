//! What a view tells that follows from the artefacts alone (clusters with damage, histogram and name, columns), kept
//! until one of them changes; a person's marks are counted in anew for every view.

use std::{collections::BTreeMap, sync::Arc};

use paser_protocol::{ClusterView, ColumnInfo};
use paser_select::{Cds, cluster_damage, cluster_names};

use crate::{
    cluster_edits::Clusters,
    columns, schemes,
    session::{Loaded, Session, lock},
};

/// Bins of a cluster's histogram.
const BINS: usize = 24;

pub(crate) struct Parts {
    /// [`Loaded::key`] of what they tell of.
    key: String,
    pub columns: Vec<ColumnInfo>,
    /// As no pin, exclusion, quota or emphasis changes them: [`marked`] adds those.
    pub clusters: Vec<ClusterView>,
    /// Damage by the other pruned models, by cluster.
    pub others: BTreeMap<String, Vec<Option<Cds>>>,
    pub damage_scale: f64,
}

impl Session {
    pub(crate) fn parts(&self, loaded: &Loaded) -> Arc<Parts> {
        let key = loaded.key();
        if let Some(parts) = lock(&self.parts).as_ref().filter(|parts| parts.key == key) {
            return parts.clone();
        }
        let mut clusters = cluster_views(loaded);
        let others = schemes::damages(loaded);
        let of_others = others.values().flatten().flatten().map(|cds| cds.mean);
        let damage_scale = damage_scale(clusters.iter().filter_map(|cluster| cluster.cds).chain(of_others));
        fill_histograms(&mut clusters, loaded, damage_scale);
        let parts = Arc::new(Parts { key, columns: columns::infos(loaded), clusters, others, damage_scale });
        *lock(&self.parts) = Some(parts.clone());
        parts
    }
}

/// Names the manifold's clusters by their concepts, where both are there.
pub(crate) fn name_clusters(loaded: &mut Loaded) {
    loaded.base_names = match (&loaded.samples, &loaded.manifold, &loaded.concepts) {
        (Some(samples), Some(manifold), Some(concepts)) => {
            let table = &concepts.table;
            let count = manifold.facts.count;
            Some(Arc::new(cluster_names(&manifold.clusters, count, &table.samples, &table.names, &samples.held_out)))
        }
        _ => None,
    };
}

/// The largest cluster damage, by any pruned model, rounded up to 1, 2 or 5 x 10^n.
fn damage_scale(damages: impl Iterator<Item = f64>) -> f64 {
    let largest = damages.fold(0.0, f64::max);
    if largest <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(largest.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|step| step * power)
        .find(|top| *top >= largest * (1.0 - 1e-12))
        .unwrap_or(10.0 * power)
}

/// Damage of every cluster, from the columns that a selection would see.
fn damages(loaded: &Loaded) -> Vec<Option<Cds>> {
    let (Some(samples), Some(clusters), Some(scores)) = (&loaded.samples, loaded.clusters(), loaded.scored_rows())
    else {
        return vec![None; loaded.clusters().map_or(0, Clusters::count)];
    };
    cluster_damage(&samples.order, &clusters.labels, clusters.count(), scores, &samples.held_out)
}

/// The clusters as no pin and no exclusion changes them.
fn cluster_views(loaded: &Loaded) -> Vec<ClusterView> {
    let (Some(samples), Some(manifold), Some(clusters)) = (&loaded.samples, &loaded.manifold, loaded.clusters()) else {
        return Vec::new();
    };
    let name_of = |names: &Option<Vec<String>>, cluster: usize| {
        names.as_ref().map(|names| names[cluster].clone()).unwrap_or_default()
    };
    let mut places: Vec<(Vec<f32>, Vec<f32>)> = vec![Default::default(); clusters.count()];
    let mut views: Vec<ClusterView> = damages(loaded)
        .into_iter()
        .enumerate()
        .map(|(cluster, cds)| ClusterView {
            cluster: cluster as u32,
            colour: clusters.colours[cluster],
            concepts: name_of(&clusters.made_names, cluster).split(", ").map(str::to_owned).collect(),
            name: name_of(&clusters.names, cluster),
            samples: 0,
            tokens: 0,
            cds: cds.map(|cds| cds.mean),
            cds_low: cds.and_then(|cds| cds.low),
            cds_high: cds.and_then(|cds| cds.high),
            cds_rest: cds.and_then(|cds| cds.rest),
            scored: cds.map_or(0, |cds| cds.n),
            eligible: 0,
            eligible_tokens: 0,
            pinned: 0,
            pinned_tokens: 0,
            quota: None,
            emphasis: 1.0,
            centre: [0.0; 2],
            histogram: Vec::new(),
        })
        .collect();
    for (row, &cluster) in clusters.labels.iter().enumerate() {
        let view = &mut views[cluster as usize];
        let place = &mut places[cluster as usize];
        place.0.extend(manifold.map.get(2 * row));
        place.1.extend(manifold.map.get(2 * row + 1));
        if samples.held_out[row] {
            continue;
        }
        view.samples += 1;
        let Some(scores) = &loaded.scores else { continue };
        if let Some(score) = &scores.rows[row] {
            view.tokens += u64::from(score.response_tokens);
            view.eligible += 1;
            view.eligible_tokens += u64::from(scores.trained_tokens[row]);
        }
    }
    for (view, (x, y)) in views.iter_mut().zip(&mut places) {
        view.centre = [median(x), median(y)];
    }
    views
}

/// The same clusters with what a person decided: what is pinned, what is left to be chosen, quotas and emphasis.
pub(crate) fn marked(clusters: &[ClusterView], loaded: &Loaded) -> Vec<ClusterView> {
    let mut views = clusters.to_vec();
    let marks = &loaded.curated.marks;
    let (Some(samples), Some(edited)) = (&loaded.samples, loaded.clusters()) else { return views };
    let tokens = |row: usize| loaded.scores.as_ref().map_or(0, |scores| u64::from(scores.trained_tokens[row]));
    let scored = |row: usize| loaded.scores.as_ref().is_some_and(|scores| scores.rows[row].is_some());
    for ((view, quota), emphasis) in views.iter_mut().zip(&edited.quotas).zip(&edited.emphasis) {
        (view.quota, view.emphasis) = (*quota, *emphasis);
    }
    for row in marks.excluded.iter().map(|row| *row as usize) {
        if scored(row) && !samples.held_out[row] {
            let view = &mut views[edited.labels[row] as usize];
            view.eligible -= 1;
            view.eligible_tokens -= tokens(row);
        }
    }
    for row in marks.pinned.iter().map(|row| *row as usize) {
        let view = &mut views[edited.labels[row] as usize];
        view.pinned += 1;
        view.pinned_tokens += tokens(row);
    }
    views
}

fn median(values: &mut [f32]) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

fn fill_histograms(clusters: &mut [ClusterView], loaded: &Loaded, scale: f64) {
    let (Some(samples), Some(edited), Some(scores)) = (&loaded.samples, loaded.clusters(), loaded.scored_rows()) else {
        return;
    };
    for cluster in clusters.iter_mut() {
        cluster.histogram = vec![0; BINS];
    }
    for (row, score) in scores.iter().enumerate() {
        if let Some(score) = score.filter(|_| !samples.held_out[row]) {
            let bin = ((score.jsd / scale * BINS as f64) as usize).min(BINS - 1);
            clusters[edited.labels[row] as usize].histogram[bin] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::AtomicBool;

    use paser_protocol::{ProjectDraft, Stage};

    use super::*;
    use crate::RunOptions;

    #[test]
    fn the_scale_is_a_round_number_above_the_largest_damage() {
        let of = |cds: f64| damage_scale([0.0, cds].into_iter());
        assert!((of(0.13) - 0.2).abs() < 1e-12);
        assert!((of(0.051) - 0.1).abs() < 1e-12);
        assert!((of(0.05) - 0.05).abs() < 1e-12);
        assert!((of(0.0021) - 0.005).abs() < 1e-12);
        assert!((damage_scale(std::iter::empty()) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_a_view_tells_is_kept_until_an_artefact_changes() {
        let place = tempfile::tempdir().unwrap();
        let pool = place.path().join("pool.jsonl");
        let write = |weight: u32| {
            let row = format!("{{\"instruction\": \"a\", \"output\": \"b\", \"weight\": {weight}}}\n");
            fs_err::write(&pool, row).unwrap();
        };
        write(1);
        let text = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
        let draft =
            ProjectDraft { folder: text(place.path().join("p")), pool: text(pool.clone()), ..ProjectDraft::default() };
        let session = Session::create(&draft).unwrap();
        let import = || session.run(Stage::Import, &RunOptions::default(), &|_| {}, &AtomicBool::new(false)).unwrap();
        import();
        let first = session.parts(&session.loaded());
        assert!(Arc::ptr_eq(&first, &session.parts(&session.loaded())));
        write(2);
        import();
        let second = session.parts(&session.loaded());
        assert!(!Arc::ptr_eq(&first, &second));
        assert_ne!(first.columns, second.columns);
    }
}
