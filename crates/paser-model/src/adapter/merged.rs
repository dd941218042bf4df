//! Weights with their additions merged, as the files of a checkpoint: in f32, stored as the base stores them. Where the base
//! is sparse, what was zero stays zero, so that its pattern survives.

use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView};

use super::Adapter;
use crate::{Checkpoint, ModelError, Projection, projection_name};

/// Zeros of the projections, before and after.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sparsity {
    pub weights: u64,
    pub zeros_before: u64,
    pub zeros_after: u64,
}

/// A file's name and bytes.
pub type NamedBytes = (String, Vec<u8>);

/// Share of zeros from which a base counts as sparse: dense weights hold hardly any.
const SPARSE: f64 = 0.01;

/// Every weight file of the checkpoint by its name, with the additions in it.
///
/// # Errors
/// As [`Checkpoint::values`]; additions of other shapes.
pub fn merged_files(checkpoint: &Checkpoint, adapter: &Adapter) -> Result<(Vec<NamedBytes>, Sparsity), ModelError> {
    let spec = checkpoint.spec();
    let mut sparsity = Sparsity::default();
    let mut changed = std::collections::BTreeMap::new();
    for (layer, sizes) in spec.layers.iter().enumerate() {
        for projection in Projection::ALL {
            let name = projection_name(layer, projection);
            let mut weight = checkpoint.values(&name)?;
            let zeros = weight.iter().filter(|value| **value == 0.0).count();
            sparsity.weights += weight.len() as u64;
            sparsity.zeros_before += zeros as u64;
            if let Some(part) = adapter.parts.get(&(layer, projection)) {
                let (outputs, inputs) = sizes.shape(projection, spec.hidden);
                if part.a.len() != adapter.rank * inputs || part.b.len() != outputs * adapter.rank {
                    return Err(ModelError::Shape {
                        path: checkpoint.dir().to_owned(),
                        tensor: name,
                        found: vec![part.b.len() / adapter.rank.max(1), part.a.len() / adapter.rank.max(1)],
                        expected: format!("[{outputs}, {inputs}]"),
                    });
                }
                let keep = zeros as f64 >= SPARSE * weight.len() as f64;
                let scale = adapter.scale();
                for (row, weight) in weight.chunks_exact_mut(inputs).enumerate() {
                    let b = &part.b[row * adapter.rank..][..adapter.rank];
                    for (column, value) in weight.iter_mut().enumerate() {
                        if keep && *value == 0.0 {
                            continue;
                        }
                        let sum: f32 = b.iter().enumerate().map(|(at, b)| b * part.a[at * inputs + column]).sum();
                        *value += scale * sum;
                    }
                }
            }
            sparsity.zeros_after += weight.iter().filter(|value| **value == 0.0).count() as u64;
            changed.insert(name, weight);
        }
    }
    let mut files = Vec::new();
    for file in checkpoint.weight_files() {
        let mut tensors: Vec<(&str, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
        for name in checkpoint.tensor_names() {
            if checkpoint.file_of(name)? != file {
                continue;
            }
            let Some(info) = checkpoint.tensor_info(name) else { continue };
            let bytes = match changed.get(name) {
                Some(values) => stored(values, info.dtype),
                None => checkpoint.tensor_bytes(name)?.to_vec(),
            };
            tensors.push((name, info.dtype, info.shape.clone(), bytes));
        }
        let told = |reason: String| ModelError::Safetensors { path: file.to_owned(), reason };
        let views = tensors
            .iter()
            .map(|(name, dtype, shape, bytes)| {
                Ok((*name, TensorView::new(*dtype, shape.clone(), bytes).map_err(|error| told(error.to_string()))?))
            })
            .collect::<Result<Vec<_>, ModelError>>()?;
        let format = std::collections::HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let bytes = safetensors::serialize(views, Some(format)).map_err(|error| told(error.to_string()))?;
        files.push((file.file_name().unwrap_or_default().to_string_lossy().into_owned(), bytes));
    }
    Ok((files, sparsity))
}

/// Rounded to the nearest, ties to even.
fn stored(values: &[f32], dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::BF16 => values.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes()).collect(),
        Dtype::F16 => values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}
