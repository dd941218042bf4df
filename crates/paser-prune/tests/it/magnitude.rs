//! Magnitude pruning on the demo's model, and against the shared model that was made with torch.

use std::path::PathBuf;

use paser_model::inspect::{ZeroPattern, inspect};
use paser_model::{Checkpoint, Projection, projection_name};
use paser_protocol::Silent;
use paser_prune::{Method, Pattern, PruneParams, prune};

fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PASER_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    let full = root.join(path);
    if full.exists() {
        return Some(full);
    }
    eprintln!("skipped: {} is absent (set PASER_SHARED)", full.display());
    None
}

#[test]
fn seventy_percent_is_reproduced_bit_for_bit() {
    let (Some(dense), Some(expected)) = (shared("models/mix-llama-5m"), shared("models/mix-llama-5m-magnitude70"))
    else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("pruned");
    let params = PruneParams { method: Method::Magnitude, pattern: Pattern::Unstructured(0.7) };
    let report = prune(&Checkpoint::open(&dense).unwrap(), &[], &params, &out, &Silent).unwrap();
    let (ours, theirs) = (Checkpoint::open(&out).unwrap(), Checkpoint::open(&expected).unwrap());
    for name in theirs.tensor_names() {
        assert!(ours.tensor_bytes(name).unwrap() == theirs.tensor_bytes(name).unwrap(), "{name}");
        assert_eq!(ours.tensor_info(name).unwrap().dtype, theirs.tensor_info(name).unwrap().dtype);
    }
    assert_eq!(ours.tensor_names().count(), theirs.tensor_names().count());
    let seen = inspect(&ours, &Silent).unwrap();
    assert_eq!((report.parameters, report.zeros), (seen.parameters, seen.zeros));
    assert_eq!(report.parameters, 5_401_856);
    assert_eq!(ours.content_hash().unwrap(), theirs.content_hash().unwrap());
}

fn demo() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../paser-demo/assets/dense"))
}

#[test]
fn the_smallest_weights_of_each_matrix_go_and_nothing_else_changes() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("pruned");
    let params = PruneParams { method: Method::Magnitude, pattern: Pattern::Unstructured(0.3) };
    let dense = Checkpoint::open(&demo()).unwrap();
    let report = prune(&dense, &[], &params, &out, &Silent).unwrap();
    let pruned = Checkpoint::open(&out).unwrap();
    let matrices: Vec<String> =
        (0..4).flat_map(|layer| Projection::ALL.map(|projection| projection_name(layer, projection))).collect();
    for name in dense.tensor_names() {
        let (before, after) = (dense.values(name).unwrap(), pruned.values(name).unwrap());
        if !matrices.iter().any(|matrix| matrix == name) {
            assert_eq!(dense.tensor_bytes(name).unwrap(), pruned.tensor_bytes(name).unwrap(), "{name}");
            continue;
        }
        let mut sizes: Vec<f32> = before.iter().map(|weight| weight.abs()).collect();
        sizes.sort_by(f32::total_cmp);
        // k = floor(share n); everything as small as the k-th goes.
        let threshold = sizes[(0.3 * before.len() as f64).floor() as usize - 1];
        let expected: Vec<f32> =
            before.iter().map(|&weight| if weight.abs() <= threshold { 0.0 } else { weight }).collect();
        assert!(after == expected, "{name}");
    }
    let seen = inspect(&pruned, &Silent).unwrap();
    assert_eq!((report.parameters, report.zeros), (seen.parameters, seen.zeros));
    assert_eq!(report.calibration_hash, None);
}

#[test]
fn patterns_are_seen_by_inspection() {
    let dense = demo();
    let dir = tempfile::tempdir().unwrap();
    for (kept, group) in [(2, 4), (4, 8)] {
        let out = dir.path().join(format!("{kept}-{group}"));
        let params = PruneParams { method: Method::Magnitude, pattern: Pattern::NofM(kept, group) };
        prune(&Checkpoint::open(&dense).unwrap(), &[], &params, &out, &Silent).unwrap();
        let report = inspect(&Checkpoint::open(&out).unwrap(), &Silent).unwrap();
        assert_eq!(report.pattern, Some(ZeroPattern { kept, group }));
        let matrix = &report.layers[3].projections[0];
        assert_eq!(matrix.zeros as usize, matrix.rows * matrix.columns / 2);
    }
}
