//! Wanda's masks are those of the slow reference, weight by weight, and do not depend on the number of threads.

use std::path::Path;

use paser_model::Checkpoint;
use paser_protocol::Silent;
use paser_prune::{Method, Pattern, PruneError, PruneParams, PruneReport, calibration_hash, prune};

use crate::reference;
use crate::tiny::{LAYERS, PROJECTIONS, sequences, tensors, weight, write};

fn run(dense: &Path, out: &Path, pattern: Pattern) -> PruneReport {
    let params = PruneParams { method: Method::Wanda, pattern };
    prune(&Checkpoint::open(dense).unwrap(), &sequences(), &params, out, &Silent).unwrap()
}

/// Indices of the `count` lowest, equal ones by index.
fn lowest(scores: &[f64], first: usize, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(a.cmp(&b)));
    order[..count].iter().map(|column| first + column).collect()
}

#[test]
fn masks_match_the_slow_reference() {
    let dir = tempfile::tempdir().unwrap();
    let dense = write(dir.path());
    for (number, pattern) in
        [Pattern::Unstructured(0.45), Pattern::NofM(2, 4), Pattern::NofM(4, 8)].into_iter().enumerate()
    {
        let out = dir.path().join(format!("pruned-{number}"));
        let report = run(&dense, &out, pattern);
        let mut expected = tensors();
        reference::wanda(&mut expected, &sequences(), |scores| match pattern {
            Pattern::Unstructured(share) => lowest(scores, 0, (share * scores.len() as f64) as usize),
            Pattern::NofM(kept, group) => scores
                .chunks(group)
                .enumerate()
                .flat_map(|(g, scores)| lowest(scores, g * group, group - kept))
                .collect(),
        });
        let pruned = Checkpoint::open(&out).unwrap();
        for (name, (_, values)) in &expected {
            assert_eq!(&pruned.values(name).unwrap(), values, "{pattern}, {name}");
        }
        let zeros = expected.values().flat_map(|(_, values)| values).filter(|value| **value == 0.0).count() as u64;
        assert_eq!(report.zeros, zeros);
        assert_eq!(report.calibration_hash, Some(calibration_hash(&sequences())));
        assert_eq!(report.layers.len(), LAYERS);
        assert_eq!(report.layers[1].matrices.len(), PROJECTIONS.len());
    }
}

#[test]
fn calibration_text_decides() {
    let dir = tempfile::tempdir().unwrap();
    let dense = write(dir.path());
    let checkpoint = Checkpoint::open(&dense).unwrap();
    let params = PruneParams { method: Method::Wanda, pattern: Pattern::Unstructured(0.5) };
    prune(&checkpoint, &[vec![1, 2, 3]], &params, &dir.path().join("a"), &Silent).unwrap();
    prune(&checkpoint, &[vec![20, 19, 5, 9]], &params, &dir.path().join("b"), &Silent).unwrap();
    let values =
        |out: &str| Checkpoint::open(&dir.path().join(out)).unwrap().values(&weight(0, "mlp.down_proj")).unwrap();
    assert_ne!(values("a"), values("b"));
    for nothing in [vec![], vec![vec![], vec![]]] {
        let error = prune(&checkpoint, &nothing, &params, &dir.path().join("c"), &Silent).unwrap_err();
        assert!(matches!(error, PruneError::NoCalibration));
    }
    let error = prune(&checkpoint, &[vec![1, 99]], &params, &dir.path().join("c"), &Silent).unwrap_err();
    assert!(error.to_string().contains("token id 99"), "{error}");
    assert!(!dir.path().join("c").exists());
}

#[test]
fn one_and_two_threads_write_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let dense = write(dir.path());
    // Long enough for several pieces of work.
    let sequences: Vec<Vec<u32>> = (0..80_u32).map(|s| (0..40).map(|t| (s * 5 + t * t) % 24).collect()).collect();
    let params = PruneParams { method: Method::Wanda, pattern: Pattern::NofM(2, 4) };
    let files = [1, 2].map(|threads| {
        let out = dir.path().join(format!("on-{threads}"));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| prune(&Checkpoint::open(&dense).unwrap(), &sequences, &params, &out, &Silent).unwrap());
        ["one.safetensors", "two.safetensors"].map(|file| fs_err::read(out.join(file)).unwrap())
    });
    assert!(files[0] == files[1]);
}
