//! Two checkpoints side by side: the fields, layers and tensors in which the second differs from the first.

use std::collections::BTreeSet;

use paser_protocol::Monitor;
use serde::{Deserialize, Serialize};

use super::{Report, ZeroPattern, inspect};
use crate::spec::LayerSpec;
use crate::{Checkpoint, ModelError, ModelSpec};

/// Both reports and what differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    pub first: Report,
    pub second: Report,
    /// Model-wide fields that differ.
    pub fields: Vec<FieldDifference>,
    /// Layers whose sizes, zeros or patterns differ.
    pub layers: Vec<LayerDifference>,
    pub tensors: TensorDifferences,
}

/// A field with two values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldDifference {
    pub field: String,
    pub first: String,
    pub second: String,
}

/// What differs in one layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerDifference {
    pub layer: usize,
    pub differences: Vec<FieldDifference>,
}

/// Tensors by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorDifferences {
    /// Same dtype, shape and bytes.
    pub equal: usize,
    /// In both, but not equal.
    pub changed: Vec<String>,
    pub only_first: Vec<String>,
    pub only_second: Vec<String>,
}

/// One model's progress as a part of both.
struct OfBoth<'a> {
    monitor: &'a dyn Monitor,
    from: u64,
    total: u64,
}

impl Monitor for OfBoth<'_> {
    fn progress(&self, done: u64, _total: u64) {
        self.monitor.progress(self.from + done, self.total);
    }

    fn cancelled(&self) -> bool {
        self.monitor.cancelled()
    }
}

/// Inspects both and compares. Progress counts the parameters of both.
///
/// # Errors
/// As [`inspect`].
pub fn compare(first: &Checkpoint, second: &Checkpoint, monitor: &dyn Monitor) -> Result<Comparison, ModelError> {
    let before = first.spec().parameters();
    let total = before + second.spec().parameters();
    let left = inspect(first, &OfBoth { monitor, from: 0, total })?;
    let right = inspect(second, &OfBoth { monitor, from: before, total })?;
    Ok(Comparison {
        fields: fields(first.spec(), second.spec()),
        layers: layers(&left, &right, first.spec(), second.spec()),
        tensors: tensors(first, second, monitor)?,
        first: left,
        second: right,
    })
}

/// Collects the pairs that are not equal.
#[derive(Default)]
struct Differences(Vec<FieldDifference>);

impl Differences {
    fn note<T: PartialEq + std::fmt::Debug>(&mut self, field: &str, first: &T, second: &T) {
        if first != second {
            self.0.push(FieldDifference {
                field: field.to_owned(),
                first: format!("{first:?}"),
                second: format!("{second:?}"),
            });
        }
    }
}

fn fields(first: &ModelSpec, second: &ModelSpec) -> Vec<FieldDifference> {
    let mut found = Differences::default();
    found.note("family", &first.family, &second.family);
    found.note("layers", &first.layers.len(), &second.layers.len());
    found.note("hidden", &first.hidden, &second.hidden);
    found.note("vocabulary", &first.vocab, &second.vocab);
    found.note("context", &first.context, &second.context);
    found.note("norm epsilon", &first.norm_eps, &second.norm_eps);
    found.note("rope", &first.rope, &second.rope);
    found.note("tied head", &first.tied, &second.tied);
    found.note("end tokens", &first.eos_tokens, &second.eos_tokens);
    found.note("begin token", &first.bos_token, &second.bos_token);
    found.note("stored as", &first.weights_dtype, &second.weights_dtype);
    found.note("parameters", &first.parameters(), &second.parameters());
    found.0
}

fn layers(left: &Report, right: &Report, first: &ModelSpec, second: &ModelSpec) -> Vec<LayerDifference> {
    let pairs = left.layers.iter().zip(&right.layers).zip(first.layers.iter().zip(&second.layers));
    pairs
        .filter_map(|((left, right), (first, second))| {
            let mut found = Differences::default();
            sizes(&mut found, first, second);
            found.note("zeros", &left.zeros, &right.zeros);
            for (a, b) in left.projections.iter().zip(&right.projections) {
                if a.pattern != b.pattern {
                    let text = |pattern: Option<ZeroPattern>| {
                        pattern.map_or("none".to_owned(), |p| format!("{}:{}", p.kept, p.group))
                    };
                    found.0.push(FieldDifference {
                        field: format!("pattern of {}", a.projection.module()),
                        first: text(a.pattern),
                        second: text(b.pattern),
                    });
                }
            }
            (!found.0.is_empty()).then_some(LayerDifference { layer: left.layer, differences: found.0 })
        })
        .collect()
}

fn sizes(found: &mut Differences, first: &LayerSpec, second: &LayerSpec) {
    found.note("heads", &first.heads, &second.heads);
    found.note("key/value heads", &first.kv_heads, &second.kv_heads);
    found.note("head width", &first.head_dim, &second.head_dim);
    found.note("feed-forward width", &first.ffn, &second.ffn);
    found.note("window", &first.window, &second.window);
    found.note("q, k, v biases", &first.qkv_bias, &second.qkv_bias);
    found.note("o bias", &first.o_bias, &second.o_bias);
    found.note("feed-forward biases", &first.ffn_bias, &second.ffn_bias);
}

fn tensors(first: &Checkpoint, second: &Checkpoint, monitor: &dyn Monitor) -> Result<TensorDifferences, ModelError> {
    let mut found =
        TensorDifferences { equal: 0, changed: Vec::new(), only_first: Vec::new(), only_second: Vec::new() };
    let names: BTreeSet<&str> = first.tensor_names().chain(second.tensor_names()).collect();
    for name in names {
        if monitor.cancelled() {
            return Err(ModelError::Cancelled);
        }
        match (first.tensor_info(name), second.tensor_info(name)) {
            (Some(a), Some(b)) => {
                let same = a.dtype == b.dtype
                    && a.shape == b.shape
                    && first.tensor_bytes(name)? == second.tensor_bytes(name)?;
                if same {
                    found.equal += 1;
                } else {
                    found.changed.push(name.to_owned());
                }
            }
            (Some(_), None) => found.only_first.push(name.to_owned()),
            (None, _) => found.only_second.push(name.to_owned()),
        }
    }
    Ok(found)
}
