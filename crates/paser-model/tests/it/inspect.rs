//! Inspection of one checkpoint and comparison of two.

use paser_model::inspect::{ZeroPattern, compare, inspect};
use paser_model::{Checkpoint, Projection};
use paser_protocol::Silent;

use crate::support::demo;
use crate::tiny::Tiny;

#[test]
fn zeros_and_patterns_are_found_where_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let mut tiny = Tiny::llama();
    for group in tiny.tensors.get_mut("model.layers.1.mlp.up_proj.weight").unwrap().1.chunks_mut(4) {
        group[1] = 0.0;
        group[2] = 0.0;
    }
    tiny.write(dir.path());
    let report = inspect(&Checkpoint::open(dir.path()).unwrap(), &Silent).unwrap();
    assert_eq!(report.zeros, 192);
    assert_eq!((report.layers[0].zeros, report.layers[1].zeros), (0, 192));
    let up = report.layers[1].projections.iter().find(|matrix| matrix.projection == Projection::Up).unwrap();
    assert_eq!(up.pattern, Some(ZeroPattern { kept: 2, group: 4 }));
    assert_eq!(report.pattern, None, "one matrix is not the model");
    let counted: usize = tiny.tensors.values().map(|(_, values)| values.len()).sum();
    assert_eq!(report.parameters, counted as u64);
}

#[test]
fn a_pruned_model_differs_in_its_projections_only() {
    let [dense, pruned] = ["dense", "pruned"].map(|part| Checkpoint::open(&demo(part)).unwrap());
    let comparison = compare(&dense, &pruned, &Silent).unwrap();
    assert!(comparison.fields.is_empty());
    assert_eq!((comparison.layers.len(), comparison.tensors.changed.len()), (4, 4 * 7));
    assert!(comparison.tensors.changed.iter().all(|name| name.contains("_proj")));
    assert_eq!((comparison.tensors.only_first.len(), comparison.tensors.only_second.len()), (0, 0));
    for layer in &comparison.second.layers {
        for matrix in &layer.projections {
            // Wanda, 0.6 of every row.
            let gone = matrix.rows * (0.6 * matrix.columns as f64).floor() as usize;
            assert!(matrix.zeros as usize >= gone && (matrix.zeros as usize) < gone + matrix.rows, "{matrix:?}");
        }
    }
}
