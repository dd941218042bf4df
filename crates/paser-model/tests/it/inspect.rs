//! Inspection of one checkpoint and comparison of two.

use paser_model::inspect::{ZeroPattern, compare, inspect, tokenizer_agreement};
use paser_model::{Checkpoint, Projection};
use paser_protocol::Silent;

use crate::support::shared;
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
    let (Some(dense), Some(pruned)) = (shared("models/mix-llama-5m"), shared("models/mix-llama-5m-magnitude70")) else {
        return;
    };
    let (dense, pruned) = (Checkpoint::open(&dense).unwrap(), Checkpoint::open(&pruned).unwrap());
    let comparison = compare(&dense, &pruned, &Silent).unwrap();
    assert!(comparison.fields.is_empty());
    assert_eq!(comparison.layers.len(), 6);
    assert_eq!(comparison.tensors.changed.len(), 42);
    assert!(comparison.tensors.changed.iter().all(|name| name.contains("_proj")));
    assert!(comparison.tokenizers.agree && comparison.tokenizers.same_file);
    assert_eq!(comparison.tokenizers.entries, (4096, 4096));
    for layer in &comparison.second.layers {
        for matrix in &layer.projections {
            let share = matrix.zeros as f64 / (matrix.rows * matrix.columns) as f64;
            assert!((0.699..0.703).contains(&share), "{share}");
        }
    }
}

#[test]
fn tokenizers_of_other_models_do_not_agree() {
    let (Some(one), Some(other)) =
        (shared("models/mix-llama-5m/tokenizer.json"), shared("models/demo-candidate/tokenizer.json"))
    else {
        return;
    };
    let agreement = tokenizer_agreement(Some(&one), Some(&other)).unwrap();
    assert!(!agreement.agree && !agreement.same_vocabulary && !agreement.same_ids && agreement.difference.is_some());
    let absent = tokenizer_agreement(Some(&one), None).unwrap();
    assert!(!absent.agree && absent.difference.unwrap().contains("second model has no tokenizer.json"));
}
