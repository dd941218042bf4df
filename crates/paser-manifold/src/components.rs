//! Connected components of the neighbour graph: which rows take part in the solve, and the edges that link the
//! larger islands to the main land (`method.md` section 1, item 4).

use crate::error::ManifoldError;
use crate::neighbours::nearest;
use crate::progress::Progress;

/// Edges by which an island is linked to the largest component.
const LINKS: usize = 15;

/// Which rows the graph keeps, and how it was made whole.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Components {
    /// Components found.
    pub(crate) count: usize,
    /// Rows that take part, rising.
    pub(crate) kept: Vec<u32>,
    /// Rows of components that are too small, rising.
    pub(crate) left_out: Vec<u32>,
    /// Components that are too small.
    pub(crate) left_out_components: usize,
    /// Kept components beside the largest.
    pub(crate) linked: usize,
    /// Linking edges `(i, j, distance)` between kept rows.
    pub(crate) links: Vec<(u32, u32, f64)>,
}

/// The component of each row, numbered by their first rows.
fn label(rows: usize, edges: &[(u32, u32, f64)]) -> (Vec<u32>, usize) {
    let mut parents: Vec<u32> = (0..rows as u32).collect();
    fn root(parents: &mut [u32], mut row: u32) -> u32 {
        while parents[row as usize] != row {
            parents[row as usize] = parents[parents[row as usize] as usize];
            row = parents[row as usize];
        }
        row
    }
    for &(i, j, _) in edges {
        let (a, b) = (root(&mut parents, i), root(&mut parents, j));
        // The lower row stays root, so that a component's root is its first row.
        parents[a.max(b) as usize] = a.min(b);
    }
    let mut numbers = vec![u32::MAX; rows];
    let mut count = 0;
    let labels = (0..rows as u32)
        .map(|row| {
            let root = root(&mut parents, row) as usize;
            if numbers[root] == u32::MAX {
                numbers[root] = count;
                count += 1;
            }
            numbers[root]
        })
        .collect();
    (labels, count as usize)
}

/// Splits the rows of a graph into kept and left out, and links the kept components to the largest.
pub(crate) fn connect(
    vectors: &[f32],
    dimensions: usize,
    edges: &[(u32, u32, f64)],
    progress: &Progress,
) -> Result<Components, ManifoldError> {
    let rows = vectors.len() / dimensions;
    let (labels, count) = label(rows, edges);
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); count];
    for (row, &label) in labels.iter().enumerate() {
        members[label as usize].push(row as u32);
    }
    let least = 30.0f64.max(0.002 * rows as f64);
    let mut largest = 0;
    for (label, list) in members.iter().enumerate() {
        if list.len() > members[largest].len() {
            largest = label;
        }
    }
    let keeps: Vec<bool> = (0..count).map(|label| label == largest || members[label].len() as f64 >= least).collect();
    let (kept, left_out) = (0..rows as u32).partition(|&row| keeps[labels[row as usize] as usize]);
    let islands: Vec<usize> = (0..count).filter(|&label| keeps[label] && label != largest).collect();
    let mut links = Vec::new();
    if !islands.is_empty() {
        let land = gather(vectors, dimensions, &members[largest]);
        for (index, &island) in islands.iter().enumerate() {
            let found = nearest(&gather(vectors, dimensions, &members[island]), &land, dimensions, LINKS, progress)?;
            let mut best: Vec<(f64, u32, u32)> = Vec::new();
            for (query, &row) in members[island].iter().enumerate() {
                let (rows, distances) = found.of(query);
                for (&other, &distance) in rows.iter().zip(distances) {
                    best.push((distance, row, members[largest][other as usize]));
                }
            }
            best.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
            links.extend(best.iter().take(LINKS).map(|&(distance, i, j)| (i, j, distance)));
            progress.step(index + 1, islands.len())?;
        }
    }
    let left_out_components = keeps.iter().filter(|&&keeps| !keeps).count();
    Ok(Components { count, kept, left_out, left_out_components, linked: islands.len(), links })
}

/// The vectors of some rows, in their order.
pub(crate) fn gather(vectors: &[f32], dimensions: usize, rows: &[u32]) -> Vec<f32> {
    let mut out = Vec::with_capacity(rows.len() * dimensions);
    for &row in rows {
        out.extend_from_slice(&vectors[row as usize * dimensions..(row as usize + 1) * dimensions]);
    }
    out
}
