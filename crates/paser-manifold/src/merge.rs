//! Small clusters join the one that holds them best (`method.md` section 1, item 7).

use crate::result::Merge;
use crate::sparse::SparseRows;

/// What merging decided: the final cluster of each label and how it came to be.
pub(crate) struct Merged {
    /// `[count before]` the label that each label ended in.
    pub(crate) target: Vec<u32>,
    pub(crate) merges: Vec<Merge>,
}

/// Joins clusters under max(30, 0.2 % of the rows, rows / (5 K)), smallest first, to the b with the largest
/// `S(a, b) / vol_S(b)`; without an edge to the nearest centroid in `points[n, width]`. At least one cluster stays.
pub(crate) fn merge_small(
    labels: &[u32],
    count: usize,
    affinity: &SparseRows,
    degrees: &[f64],
    points: &[f64],
    width: usize,
) -> Merged {
    let n = labels.len();
    let least = 30.0f64.max(0.002 * n as f64).max(n as f64 / (5.0 * count as f64));
    let mut sizes = vec![0usize; count];
    let mut volumes = vec![0.0; count];
    let mut sums = vec![0.0; count * width];
    let mut between = vec![0.0; count * count];
    for (i, &label) in labels.iter().enumerate() {
        let a = label as usize;
        sizes[a] += 1;
        volumes[a] += degrees[i];
        for (sum, value) in sums[a * width..(a + 1) * width].iter_mut().zip(&points[i * width..(i + 1) * width]) {
            *sum += value;
        }
        let (columns, values) = affinity.row(i);
        for (&j, value) in columns.iter().zip(values) {
            between[a * count + labels[j as usize] as usize] += value;
        }
    }
    let mut target: Vec<u32> = (0..count as u32).collect();
    let mut alive = vec![true; count];
    let mut merges = Vec::new();
    // Labels that no row took have nothing to move: they end without being listed.
    for label in 0..count {
        if sizes[label] == 0 {
            alive[label] = false;
        }
    }
    loop {
        let living: Vec<usize> = (0..count).filter(|&label| alive[label]).collect();
        let smallest = living.iter().copied().min_by_key(|&label| (sizes[label], label));
        let Some(from) = smallest.filter(|&label| living.len() > 1 && (sizes[label] as f64) < least) else { break };
        let mut into = None;
        let mut strongest = 0.0;
        for &other in living.iter().filter(|&&other| other != from) {
            let strength = between[from * count + other] / volumes[other].max(f64::MIN_POSITIVE);
            if strength > strongest {
                (into, strongest) = (Some(other), strength);
            }
        }
        let into = into.unwrap_or_else(|| nearest_centroid(from, &living, &sums, &sizes, width));
        merges.push(Merge { from: from as u32, into: into as u32, rows: sizes[from], affinity: strongest });
        alive[from] = false;
        sizes[into] += sizes[from];
        volumes[into] += volumes[from];
        for column in 0..width {
            sums[into * width + column] += sums[from * width + column];
        }
        for other in 0..count {
            between[into * count + other] += between[from * count + other];
        }
        for other in 0..count {
            between[other * count + into] += between[other * count + from];
        }
        for label in &mut target {
            if *label == from as u32 {
                *label = into as u32;
            }
        }
    }
    // Empty labels follow the largest cluster: their column of H is noise, but it has to go somewhere.
    if let Some(largest) = (0..count).filter(|&label| alive[label]).min_by_key(|&label| (n - sizes[label], label)) {
        for label in &mut target {
            if !alive[*label as usize] {
                *label = largest as u32;
            }
        }
    }
    Merged { target, merges }
}

fn nearest_centroid(from: usize, living: &[usize], sums: &[f64], sizes: &[usize], width: usize) -> usize {
    let centroid = |label: usize, column: usize| sums[label * width + column] / sizes[label] as f64;
    let distance =
        |other: usize| (0..width).map(|column| (centroid(from, column) - centroid(other, column)).powi(2)).sum::<f64>();
    living
        .iter()
        .copied()
        .filter(|&other| other != from)
        .min_by(|&a, &b| distance(a).total_cmp(&distance(b)).then(a.cmp(&b)))
        .unwrap_or(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 + 80 + 5 rows in chains; the five hang on the middle chain.
    fn chain() -> (Vec<u32>, SparseRows) {
        let labels: Vec<u32> = (0..185)
            .map(|row| {
                if row < 100 {
                    0
                } else if row < 180 {
                    1
                } else {
                    2
                }
            })
            .collect();
        let mut edges: Vec<(u32, u32, f64)> = (1..185).map(|row| (row - 1, row, 1.0)).collect();
        edges.push((0, 184, 0.1));
        (labels, SparseRows::from_edges(185, &edges))
    }

    #[test]
    fn a_small_cluster_joins_where_its_edges_lead() {
        let (labels, affinity) = chain();
        let points = vec![0.0; 185];
        let merged = merge_small(&labels, 3, &affinity, &affinity.row_sums(), &points, 1);
        assert_eq!(merged.target, [0, 1, 1]);
        assert_eq!(merged.merges.len(), 1);
        assert_eq!((merged.merges[0].from, merged.merges[0].into, merged.merges[0].rows), (2, 1, 5));
    }

    #[test]
    fn without_edges_the_nearest_centroid_decides_and_one_cluster_always_stays() {
        let labels = [vec![0; 6], vec![1; 5], vec![2; 2]].concat();
        let affinity = SparseRows::from_edges(13, &[]);
        let points: Vec<f64> = labels.iter().map(|&label| [0.0, 9.0, 8.0][label as usize]).collect();
        let merged = merge_small(&labels, 3, &affinity, &[1.0; 13], &points, 1);
        assert_eq!(merged.merges[0].into, 1);
        assert_eq!(merged.merges.len(), 2);
        assert!(merged.target.iter().all(|&label| label == merged.target[0]));
    }
}
