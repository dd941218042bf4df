//! Trained numbers side by side in one row of f32: gradients, moments and checkpoints have the same layout, so that
//! optimiser and files know nothing of models.

use std::{collections::BTreeMap, ops::Range};

use crate::infer::{EMBEDDING, FINAL_NORM, HEAD, bias_name, layer_part};
use crate::{Block, Checkpoint, ModelError, ModelSpec, Projection, projection_name};

/// One trained tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// A of a low-rank addition, [rank, inputs].
    A(usize, Projection),
    /// B of it, [outputs, rank].
    B(usize, Projection),
    /// A projection's own weight, [outputs, inputs].
    Weight(usize, Projection),
    Bias(usize, Projection),
    InputNorm(usize),
    FeedNorm(usize),
    QueryNorm(usize),
    KeyNorm(usize),
    /// [vocab, hidden]; the head as well where the two are tied.
    Embedding,
    FinalNorm,
    /// [vocab, hidden].
    Head,
}

impl Slot {
    /// Name of the tensor in a checkpoint; of low-rank parts what PEFT calls them.
    pub fn name(self) -> String {
        match self {
            Self::A(layer, projection) => format!("model.layers.{layer}.{}.lora_A.weight", projection.module()),
            Self::B(layer, projection) => format!("model.layers.{layer}.{}.lora_B.weight", projection.module()),
            Self::Weight(layer, projection) => projection_name(layer, projection),
            Self::Bias(layer, projection) => bias_name(layer, projection),
            Self::InputNorm(layer) => layer_part(layer, "input_layernorm.weight"),
            Self::FeedNorm(layer) => layer_part(layer, "post_attention_layernorm.weight"),
            Self::QueryNorm(layer) => layer_part(layer, "self_attn.q_norm.weight"),
            Self::KeyNorm(layer) => layer_part(layer, "self_attn.k_norm.weight"),
            Self::Embedding => EMBEDDING.to_owned(),
            Self::FinalNorm => FINAL_NORM.to_owned(),
            Self::Head => HEAD.to_owned(),
        }
    }

    /// The layer it belongs to.
    pub fn layer(self) -> Option<usize> {
        match self {
            Self::A(layer, _)
            | Self::B(layer, _)
            | Self::Weight(layer, _)
            | Self::Bias(layer, _)
            | Self::InputNorm(layer)
            | Self::FeedNorm(layer)
            | Self::QueryNorm(layer)
            | Self::KeyNorm(layer) => Some(layer),
            Self::Embedding | Self::FinalNorm | Self::Head => None,
        }
    }

    /// A norm or a bias: usual trainers leave them out of the weight decay.
    pub fn is_vector(self) -> bool {
        !matches!(self, Self::A(..) | Self::B(..) | Self::Weight(..) | Self::Embedding | Self::Head)
    }
}

/// Where each trained tensor stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    parts: Vec<(Slot, Range<usize>)>,
    by_slot: BTreeMap<Slot, Range<usize>>,
    len: usize,
}

impl Layout {
    fn of(sizes: impl IntoIterator<Item = (Slot, usize)>) -> Self {
        let mut layout = Self { parts: Vec::new(), by_slot: BTreeMap::new(), len: 0 };
        for (slot, size) in sizes {
            let range = layout.len..layout.len + size;
            layout.len = range.end;
            layout.by_slot.insert(slot, range.clone());
            layout.parts.push((slot, range));
        }
        layout
    }

    /// Low-rank additions to these projections of every layer.
    pub fn low_rank(spec: &ModelSpec, rank: usize, projections: &[Projection]) -> Self {
        let layers = spec.layers.iter().enumerate();
        Self::of(layers.flat_map(|(layer, sizes)| {
            projections.iter().flat_map(move |&projection| {
                let (outputs, inputs) = sizes.shape(projection, spec.hidden);
                [(Slot::A(layer, projection), rank * inputs), (Slot::B(layer, projection), outputs * rank)]
            })
        }))
    }

    /// The model's own weights: of all layers with the embedding, or of the last ones with final norm and head.
    pub fn weights(spec: &ModelSpec, last_layers: Option<usize>) -> Self {
        let first = last_layers.map_or(0, |count| spec.layers.len().saturating_sub(count));
        let table = spec.vocab * spec.hidden;
        let mut sizes = Vec::new();
        // A tied embedding is the head.
        if last_layers.is_none() || spec.tied {
            sizes.push((Slot::Embedding, table));
        }
        for (layer, of) in spec.layers.iter().enumerate().skip(first) {
            sizes.push((Slot::InputNorm(layer), spec.hidden));
            for projection in Projection::ALL {
                let (outputs, inputs) = of.shape(projection, spec.hidden);
                sizes.push((Slot::Weight(layer, projection), outputs * inputs));
                if of.bias(projection) {
                    sizes.push((Slot::Bias(layer, projection), outputs));
                }
            }
            if of.qk_norm {
                sizes.extend([(Slot::QueryNorm(layer), of.head_dim), (Slot::KeyNorm(layer), of.head_dim)]);
            }
            sizes.push((Slot::FeedNorm(layer), spec.hidden));
        }
        sizes.push((Slot::FinalNorm, spec.hidden));
        if !spec.tied {
            sizes.push((Slot::Head, table));
        }
        Self::of(sizes)
    }

    /// Numbers of all tensors together.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Every tensor and its place, in order.
    pub fn parts(&self) -> impl Iterator<Item = (Slot, Range<usize>)> {
        self.parts.iter().cloned()
    }

    /// Where a tensor stands; none where it is not trained.
    pub fn place(&self, slot: Slot) -> Option<Range<usize>> {
        self.by_slot.get(&slot).cloned()
    }

    /// The first layer in which something is trained; below it no gradient is needed.
    pub(super) fn first_layer(&self) -> Option<usize> {
        self.parts.iter().filter_map(|(slot, _)| slot.layer()).min()
    }

    /// The checkpoint's values of the model's own weights, in this layout.
    ///
    /// # Errors
    /// As [`Checkpoint::values`].
    pub fn read(&self, checkpoint: &Checkpoint) -> Result<Vec<f32>, ModelError> {
        let mut values = Vec::with_capacity(self.len);
        for (slot, _) in &self.parts {
            values.extend(checkpoint.values(&slot.name())?);
        }
        Ok(values)
    }
}

/// Gives a block the values of its own trained weights.
pub(super) fn set_block(block: &mut Block, layer: usize, layout: &Layout, values: &[f32]) {
    for (slot, range) in layout.parts().filter(|(slot, _)| slot.layer() == Some(layer)) {
        let values = &values[range];
        match slot {
            Slot::Weight(_, projection) => block.weight_mut(projection).copy_from_slice(values),
            Slot::Bias(_, projection) => block.bias_mut(projection).copy_from_slice(values),
            Slot::InputNorm(_) => block.input_norm.copy_from_slice(values),
            Slot::FeedNorm(_) => block.feed_norm.copy_from_slice(values),
            Slot::QueryNorm(_) => {
                if let Some((query, _)) = &mut block.head_norms {
                    query.copy_from_slice(values);
                }
            }
            Slot::KeyNorm(_) => {
                if let Some((_, key)) = &mut block.head_norms {
                    key.copy_from_slice(values);
                }
            }
            Slot::A(..) | Slot::B(..) | Slot::Embedding | Slot::FinalNorm | Slot::Head => {}
        }
    }
}
