//! Weights for llama.cpp: one GGUF file, architecture `llama` (LLaMA, Mistral), `qwen2`, `qwen3`, or `deci` where layers
//! differ in size. Names, keys and the turned rows of q and k are those of llama.cpp's converter (ggml-org/llama.cpp,
//! `convert_hf_to_gguf.py` and `gguf-py/gguf/constants.py` as of gguf 0.19).

mod format;
mod vocabulary;

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use paser_protocol::Monitor;
use safetensors::Dtype;
use serde::{Deserialize, Serialize};

use super::merged::is_uniform;
use super::temporary::{Temporary, parent_of, sync_folder};
use super::tensors::{CHUNK, write_values};
use crate::adapter::{Adapter, MergeReport, Zeros};
use crate::infer::{EMBEDDING, FINAL_NORM, HEAD, bias_name, layer_part};
use crate::spec::{Family, LayerSpec, ModelSpec, Projection, RopeScaling, projection_name};
use crate::{Checkpoint, ModelError};

use format::{ALIGNMENT, Header, TensorType, Value};

/// The type of matrices; norms and biases are always F32, as llama.cpp wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GgufType {
    F32,
    F16,
    Bf16,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GgufFile {
    pub out: PathBuf,
    /// llama.cpp's name of the architecture.
    pub architecture: String,
    pub merge: MergeReport,
    /// Where llama.cpp computes something else than this program.
    pub notes: Vec<String>,
}

/// A tensor of the file and what it is made from.
struct Item {
    name: String,
    source: Source,
    /// Rows first; GGUF itself counts from the last dimension.
    shape: Vec<usize>,
    kind: TensorType,
    /// Heads whose rows are turned.
    heads: Option<usize>,
}

enum Source {
    Tensor(String),
    Projection(usize, Projection),
    Values(Vec<f32>),
}

/// Writes `checkpoint`, with an adapter merged into it where one is given, to the file `out`, which must not exist.
/// `monitor` counts bytes of the file.
///
/// # Errors
/// Models and tokenizers that llama.cpp does not run the same way (with the reason), weights that do not fit their type, a
/// file that exists, a full disk, [`ModelError::Cancelled`]. Nothing is left behind.
pub fn write_gguf(
    checkpoint: &Checkpoint,
    adapter: Option<(&Adapter, Zeros)>,
    kind: GgufType,
    out: &Path,
    monitor: &dyn Monitor,
) -> Result<GgufFile, ModelError> {
    let spec = checkpoint.spec();
    if let Some((adapter, _)) = adapter {
        adapter.check(spec, checkpoint.dir())?;
    }
    if out.exists() {
        return Err(ModelError::OutputTaken(out.to_owned()));
    }
    let name = out.file_name().ok_or_else(|| ModelError::Unsupported {
        path: out.to_owned(),
        reason: "this is no name for a file.".to_owned(),
    })?;
    let architecture = architecture(checkpoint)?;
    let mut header = Header::default();
    describe(&mut header, checkpoint, architecture, kind);
    vocabulary::describe(&mut header, checkpoint)?;
    let items = items(spec, architecture, kind);
    let parent = parent_of(out);
    fs_err::create_dir_all(parent).map_err(ModelError::io(parent))?;
    let temporary = Temporary::new(parent, &name.to_string_lossy()).map_err(ModelError::io(out))?;
    let path = temporary.path().join(name);
    let file = fs_err::File::create_new(&path).map_err(ModelError::io(out))?;
    let mut job = Job { checkpoint, adapter, out, merge: MergeReport::default(), monitor, done: 0, total: 0 };
    job.total = items.iter().map(Item::bytes).sum();
    let file = job.write(file, header, &items)?;
    file.sync_all().map_err(|error| job.told(&error))?;
    drop(file);
    if out.exists() {
        return Err(ModelError::OutputTaken(out.to_owned()));
    }
    fs_err::rename(&path, out).and_then(|()| sync_folder(parent)).map_err(ModelError::io(out))?;
    let Job { merge, .. } = job;
    Ok(GgufFile { out: out.to_owned(), architecture: architecture.to_owned(), merge, notes: notes(spec) })
}

/// llama.cpp's architecture for a model, or why there is none.
fn architecture(checkpoint: &Checkpoint) -> Result<&'static str, ModelError> {
    let spec = checkpoint.spec();
    let unable = |reason: &str| {
        Err(ModelError::Unsupported {
            path: checkpoint.dir().to_owned(),
            reason: format!("{reason} Write it as safetensors."),
        })
    };
    let any = |of: fn(&LayerSpec) -> bool| spec.layers.iter().any(of);
    if !is_uniform(spec) {
        return match spec.family {
            Family::Llama | Family::Mistral if !any(|layer| layer.qkv_bias) => Ok("deci"),
            Family::Llama | Family::Mistral => {
                unable("its layers differ in size and have biases on q, k and v, which llama.cpp's `deci` does not.")
            }
            Family::Qwen2 | Family::Qwen3 => unable("llama.cpp runs Qwen models only where all layers have one size."),
        };
    }
    match spec.family {
        Family::Llama | Family::Mistral => Ok("llama"),
        Family::Qwen2 => Ok("qwen2"),
        Family::Qwen3 if any(|layer| layer.qkv_bias || layer.o_bias) => {
            unable("llama.cpp's `qwen3` has no attention biases.")
        }
        Family::Qwen3 => Ok("qwen3"),
    }
}

fn describe(header: &mut Header, checkpoint: &Checkpoint, architecture: &str, kind: GgufType) {
    let spec = checkpoint.spec();
    let number = |number: usize| Value::U32(u32::try_from(number).unwrap_or(u32::MAX));
    let own = |key: &str| format!("{architecture}.{key}");
    let name = checkpoint.dir().file_name().unwrap_or_default().to_string_lossy().into_owned();
    // llama.cpp's `LlamaFileType`.
    let file_type = match kind {
        GgufType::F32 => 0,
        GgufType::F16 => 1,
        GgufType::Bf16 => 32,
    };
    header.add("general.architecture", Value::Text(architecture.to_owned()));
    header.add("general.type", Value::Text("model".to_owned()));
    header.add("general.name", Value::Text(name));
    header.add("general.alignment", Value::U32(ALIGNMENT as u32));
    header.add("general.file_type", Value::U32(file_type));
    header.add("general.quantization_version", Value::U32(2));
    header.add(&own("block_count"), number(spec.layers.len()));
    header.add(&own("context_length"), number(spec.context));
    header.add(&own("embedding_length"), number(spec.hidden));
    header.add(&own("vocab_size"), number(spec.vocab));
    let mut sizes = |key: &str, of: fn(&LayerSpec) -> usize| {
        let mut values = spec.layers.iter().map(of);
        let value = if architecture == "deci" {
            Value::I32s(values.map(|value| i32::try_from(value).unwrap_or(i32::MAX)).collect())
        } else {
            number(values.next().unwrap_or_default())
        };
        header.add(&own(key), value);
    };
    sizes("feed_forward_length", |layer| layer.ffn);
    sizes("attention.head_count", |layer| layer.heads);
    sizes("attention.head_count_kv", |layer| layer.kv_heads);
    let width = spec.layers.first().map_or(0, |layer| layer.head_dim);
    header.add(&own("attention.key_length"), number(width));
    header.add(&own("attention.value_length"), number(width));
    header.add(&own("attention.layer_norm_rms_epsilon"), Value::F32(spec.norm_eps as f32));
    header.add(&own("rope.dimension_count"), number(width));
    header.add(&own("rope.freq_base"), Value::F32(spec.rope.base as f32));
    if let RopeScaling::Linear { factor } = spec.rope.scaling {
        header.add(&own("rope.scaling.type"), Value::Text("linear".to_owned()));
        header.add(&own("rope.scaling.factor"), Value::F32(factor as f32));
    }
}

/// All tensors in the file's order.
fn items(spec: &ModelSpec, architecture: &str, kind: GgufType) -> Vec<Item> {
    let matrix = match kind {
        GgufType::F32 => TensorType::F32,
        GgufType::F16 => TensorType::F16,
        GgufType::Bf16 => TensorType::Bf16,
    };
    let turned = matches!(architecture, "llama" | "deci");
    let plain = |name: String, tensor: String, shape: Vec<usize>| {
        let kind = if shape.len() == 1 { TensorType::F32 } else { matrix };
        Item { name, source: Source::Tensor(tensor), shape, kind, heads: None }
    };
    let mut items = vec![plain("token_embd.weight".to_owned(), EMBEDDING.to_owned(), vec![spec.vocab, spec.hidden])];
    if let Some(factors) = rope_factors(spec) {
        items.push(Item {
            name: "rope_freqs.weight".to_owned(),
            shape: vec![factors.len()],
            source: Source::Values(factors),
            kind: TensorType::F32,
            heads: None,
        });
    }
    for (number, layer) in spec.layers.iter().enumerate() {
        let name = |part: &str| format!("blk.{number}.{part}");
        let vector = |part: &str, tensor: &str, length: usize| {
            plain(name(&format!("{part}.weight")), layer_part(number, &format!("{tensor}.weight")), vec![length])
        };
        items.push(vector("attn_norm", "input_layernorm", spec.hidden));
        items.push(vector("ffn_norm", "post_attention_layernorm", spec.hidden));
        if layer.qk_norm {
            items.push(vector("attn_q_norm", "self_attn.q_norm", layer.head_dim));
            items.push(vector("attn_k_norm", "self_attn.k_norm", layer.head_dim));
        }
        for projection in Projection::ALL {
            let (part, heads) = match projection {
                Projection::Q => ("attn_q", Some(layer.heads)),
                Projection::K => ("attn_k", Some(layer.kv_heads)),
                Projection::V => ("attn_v", None),
                Projection::O => ("attn_output", None),
                Projection::Gate => ("ffn_gate", None),
                Projection::Up => ("ffn_up", None),
                Projection::Down => ("ffn_down", None),
            };
            let (rows, columns) = layer.shape(projection, spec.hidden);
            let heads = heads.filter(|_| turned);
            let source = Source::Projection(number, projection);
            let shape = vec![rows, columns];
            items.push(Item { name: name(&format!("{part}.weight")), source, shape, kind: matrix, heads });
            if layer.bias(projection) {
                let bias = plain(name(&format!("{part}.bias")), bias_name(number, projection), vec![rows]);
                items.push(Item { heads, ..bias });
            }
        }
    }
    items.push(plain("output_norm.weight".to_owned(), FINAL_NORM.to_owned(), vec![spec.hidden]));
    if !spec.tied {
        items.push(plain("output.weight".to_owned(), HEAD.to_owned(), vec![spec.vocab, spec.hidden]));
    }
    items
}

/// What LLaMA 3.1's scaling divides each frequency by; llama.cpp reads it from a tensor.
fn rope_factors(spec: &ModelSpec) -> Option<Vec<f32>> {
    let RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } = spec.rope.scaling else {
        return None;
    };
    let width = spec.layers.first()?.head_dim;
    let divisor = |pair: usize| {
        let turns =
            original_context as f64 / (std::f64::consts::TAU * spec.rope.base.powf(2.0 * pair as f64 / width as f64));
        if turns > high_freq_factor {
            1.0
        } else if turns < low_freq_factor {
            factor
        } else {
            let smooth = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor);
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    };
    Some((0..width / 2).map(|pair| divisor(pair) as f32).collect())
}

fn notes(spec: &ModelSpec) -> Vec<String> {
    let window = spec.layers.iter().filter_map(|layer| layer.window).min().filter(|window| *window < spec.context);
    window
        .map(|window| {
            format!(
                "Positions attend to the last {window} only; llama.cpp attends to all of them in this architecture. \
                 Texts of up to {window} tokens are computed alike."
            )
        })
        .into_iter()
        .collect()
}

impl Item {
    fn bytes(&self) -> u64 {
        self.shape.iter().product::<usize>() as u64 * self.kind.width()
    }
}

struct Job<'a> {
    checkpoint: &'a Checkpoint,
    adapter: Option<(&'a Adapter, Zeros)>,
    out: &'a Path,
    merge: MergeReport,
    monitor: &'a dyn Monitor,
    done: u64,
    total: u64,
}

impl Job<'_> {
    fn write(&mut self, file: fs_err::File, mut header: Header, items: &[Item]) -> Result<fs_err::File, ModelError> {
        for item in items {
            header.tensor(&item.name, &item.shape, item.kind);
        }
        let mut out = BufWriter::new(file);
        out.write_all(&header.bytes()).map_err(|error| self.told(&error))?;
        for item in items {
            self.write_item(&mut out, item)?;
            let gap = item.bytes().next_multiple_of(ALIGNMENT) - item.bytes();
            out.write_all(&[0; ALIGNMENT as usize][..gap as usize]).map_err(|error| self.told(&error))?;
        }
        out.into_inner().map_err(|error| self.told(error.error()))
    }

    fn write_item(&mut self, out: &mut impl Write, item: &Item) -> Result<(), ModelError> {
        self.pause()?;
        let mut values = match &item.source {
            Source::Tensor(name) => self.checkpoint.values(name)?,
            Source::Projection(layer, projection) => {
                let mut values = self.checkpoint.values(&projection_name(*layer, *projection))?;
                if let Some((adapter, zeros)) = self.adapter {
                    self.merge.matrices.extend(adapter.merge_into(*layer, *projection, &mut values, zeros));
                }
                values
            }
            Source::Values(values) => values.clone(),
        };
        if let Some(heads) = item.heads {
            values = turn_rows(&values, heads, item.shape[0]);
        }
        let dtype = match item.kind {
            TensorType::F32 => Dtype::F32,
            TensorType::F16 => Dtype::F16,
            TensorType::Bf16 => Dtype::BF16,
        };
        for part in values.chunks(CHUNK) {
            self.pause()?;
            if let Some(index) = write_values(out, part, dtype).map_err(|error| self.told(&error))? {
                return Err(ModelError::TooLarge {
                    path: self.checkpoint.dir().to_owned(),
                    tensor: item.name.clone(),
                    value: part.get(index).copied().unwrap_or(f32::NAN),
                    dtype: dtype.to_string(),
                });
            }
            self.done += part.len() as u64 * item.kind.width();
            self.monitor.progress(self.done, self.total);
        }
        Ok(())
    }

    fn pause(&self) -> Result<(), ModelError> {
        if self.monitor.cancelled() { Err(ModelError::Cancelled) } else { Ok(()) }
    }

    /// Names the file by its own name, not by the temporary one.
    fn told(&self, error: &std::io::Error) -> ModelError {
        let text = format!("{}: {}", self.out.display(), std::io::Error::from(error.kind()));
        ModelError::Io { path: self.out.to_owned(), source: std::io::Error::new(error.kind(), text) }
    }
}

/// Rows of each head in the order of llama.cpp's rotation, which turns neighbours (0, 1), (2, 3), ..., where transformers
/// turns the halves (0, d/2), (1, d/2 + 1), ...: row 2 i + j comes from row j d/2 + i. `rows` is heads times d.
fn turn_rows(values: &[f32], heads: usize, rows: usize) -> Vec<f32> {
    let columns = values.len() / rows.max(1);
    let half = rows / heads.max(1) / 2;
    let mut turned = Vec::with_capacity(values.len());
    for head in 0..heads {
        for row in 0..2 * half {
            let from = head * 2 * half + row % 2 * half + row / 2;
            turned.extend_from_slice(&values[from * columns..(from + 1) * columns]);
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_head_are_interleaved() {
        let rows: Vec<f32> = (0..8).flat_map(|row| [row as f32, row as f32 + 0.5]).collect();
        let turned = turn_rows(&rows, 2, 8);
        let first: Vec<f32> = turned.chunks(2).map(|row| row[0]).collect();
        assert_eq!(first, [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
    }
}
