//! A checkpoint folder with an adapter merged into its weights: configuration and tokenizer travel, weights keep their
//! type (or become f32) and their shards. Streams, so that one matrix at a time is in memory.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use paser_protocol::Monitor;
use safetensors::Dtype;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::NewFolder;
use super::tensors::{CHUNK, Entry, header, write_values};
use crate::adapter::{Adapter, MergeReport, Zeros};
use crate::config::read_object;
use crate::spec::{LayerSpec, ModelSpec, Projection, projection_name};
use crate::{Checkpoint, ModelError};

const INDEX: &str = "model.safetensors.index.json";
/// The note that says how the weights were made.
const NOTE: &str = "paser-merged.json";
/// What travels along with the weights: tokenizer, chat template, licence.
const EXTENSIONS: [&str; 4] = ["json", "jinja", "model", "txt"];
const PREFIXES: [&str; 2] = ["LICENSE", "NOTICE"];

/// The type that weights are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightsType {
    /// Each tensor's own in the base; halves round to even.
    AsBase,
    F32,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedFolder {
    pub out: PathBuf,
    pub merge: MergeReport,
    /// Parameters of the written model, a tied head once.
    pub parameters: u64,
    /// What somebody who opens the folder elsewhere must know.
    pub notes: Vec<String>,
}

/// Writes `checkpoint` with `adapter` merged into it to the folder `out`, which must not exist or be empty. Tensors that the
/// adapter does not touch keep their bytes unless `kind` is another type. `monitor` counts bytes of the base.
///
/// # Errors
/// An adapter that does not fit, weights that cannot be read or do not fit their type, a folder with content, a full disk,
/// [`ModelError::Cancelled`]. Nothing is left behind.
pub fn write_merged(
    checkpoint: &Checkpoint,
    adapter: &Adapter,
    zeros: Zeros,
    kind: WeightsType,
    out: &Path,
    monitor: &dyn Monitor,
) -> Result<MergedFolder, ModelError> {
    let spec = checkpoint.spec();
    adapter.check(spec, checkpoint.dir())?;
    let mut job = Job {
        checkpoint,
        adapter,
        zeros,
        kind,
        places: projections(spec),
        folder: NewFolder::new(out)?,
        merge: MergeReport::default(),
        monitor,
        done: 0,
        total: 0,
    };
    let files = job.files()?;
    for (file, tensors) in &files {
        job.write_file(file, tensors)?;
    }
    let notes = notes(spec);
    job.merge.matrices.sort_by_key(|matrix| (matrix.layer, matrix.projection));
    job.write_beside(&files, &notes)?;
    let Job { folder, merge, .. } = job;
    folder.finish()?;
    Ok(MergedFolder { out: out.to_owned(), merge, parameters: spec.parameters(), notes })
}

struct Job<'a> {
    checkpoint: &'a Checkpoint,
    adapter: &'a Adapter,
    zeros: Zeros,
    kind: WeightsType,
    places: BTreeMap<String, (usize, Projection)>,
    folder: NewFolder,
    merge: MergeReport,
    monitor: &'a dyn Monitor,
    done: u64,
    total: u64,
}

impl Job<'_> {
    /// Tensors by the file that they stand in, in its order.
    fn files(&mut self) -> Result<BTreeMap<PathBuf, Vec<Entry>>, ModelError> {
        let mut files: BTreeMap<PathBuf, Vec<(usize, Entry)>> = BTreeMap::new();
        for name in self.checkpoint.tensor_names() {
            let Some(info) = self.checkpoint.tensor_info(name) else { continue };
            let number = matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16);
            let dtype = if self.kind == WeightsType::F32 && number { Dtype::F32 } else { info.dtype };
            let entry = Entry { name: name.to_owned(), dtype, shape: info.shape.clone() };
            self.total += info.byte_range().len() as u64;
            files.entry(self.checkpoint.file_of(name)?.to_owned()).or_default().push((info.byte_range().start, entry));
        }
        let ordered = files.into_iter().map(|(file, mut tensors)| {
            tensors.sort_by_key(|(start, _)| *start);
            (file, tensors.into_iter().map(|(_, entry)| entry).collect())
        });
        Ok(ordered.collect())
    }

    fn write_file(&mut self, file: &Path, tensors: &[Entry]) -> Result<(), ModelError> {
        let mut out = BufWriter::new(self.folder.create(&name_of(file))?);
        let begun = header(tensors, &[("format", "pt")]).and_then(|header| out.write_all(&header));
        begun.map_err(|error| self.folder.told(&error))?;
        for entry in tensors {
            self.write_tensor(&mut out, entry)?;
        }
        let ended = out.into_inner().map_err(std::io::IntoInnerError::into_error).and_then(|file| file.sync_all());
        ended.map_err(|error| self.folder.told(&error))
    }

    fn write_tensor(&mut self, out: &mut impl Write, entry: &Entry) -> Result<(), ModelError> {
        let bytes = self.checkpoint.tensor_bytes(&entry.name)?;
        let stored = self.checkpoint.tensor_info(&entry.name).map(|info| info.dtype);
        let place = self.places.get(&entry.name).copied().filter(|place| self.adapter.parts.contains_key(place));
        if place.is_none() && stored == Some(entry.dtype) {
            for part in bytes.chunks(4 * CHUNK) {
                self.pause()?;
                out.write_all(part).map_err(|error| self.folder.told(&error))?;
                self.advance(part.len());
            }
            return Ok(());
        }
        self.pause()?;
        let mut values = self.checkpoint.values(&entry.name)?;
        if let Some((layer, projection)) = place {
            self.merge.matrices.extend(self.adapter.merge_into(layer, projection, &mut values, self.zeros));
        }
        let share = bytes.len() / values.len().max(1);
        for (number, part) in values.chunks(CHUNK).enumerate() {
            self.pause()?;
            let large = write_values(out, part, entry.dtype).map_err(|error| self.folder.told(&error))?;
            if let Some(index) = large {
                return Err(ModelError::TooLarge {
                    path: self.checkpoint.dir().to_owned(),
                    tensor: entry.name.clone(),
                    value: values.get(number * CHUNK + index).copied().unwrap_or(f32::NAN),
                    dtype: entry.dtype.to_string(),
                });
            }
            self.advance(part.len() * share);
        }
        Ok(())
    }

    fn pause(&self) -> Result<(), ModelError> {
        if self.monitor.cancelled() { Err(ModelError::Cancelled) } else { Ok(()) }
    }

    fn advance(&mut self, bytes: usize) {
        self.done += bytes as u64;
        self.monitor.progress(self.done, self.total);
    }

    /// Index, configuration, what travels, and the note.
    fn write_beside(&self, files: &BTreeMap<PathBuf, Vec<Entry>>, notes: &[String]) -> Result<(), ModelError> {
        let dir = self.checkpoint.dir();
        for entry in fs_err::read_dir(dir).map_err(ModelError::io(dir))? {
            let path = entry.map_err(ModelError::io(dir))?.path();
            if path.is_file() && travels(&path) {
                self.folder.copy(&path)?;
            }
        }
        if dir.join(INDEX).is_file() && !files.keys().any(|file| name_of(file) == "model.safetensors") {
            let weights: Map<String, Value> = files
                .iter()
                .flat_map(|(file, tensors)| tensors.iter().map(|entry| (entry.name.clone(), name_of(file).into())))
                .collect();
            let size: usize = files.values().flatten().map(Entry::bytes).sum();
            self.write_json(INDEX, &json!({"metadata": {"total_size": size}, "weight_map": weights}))?;
        }
        let mut config = read_object(dir, "config.json", "")?;
        if self.kind == WeightsType::F32 {
            let key = if config.contains_key("torch_dtype") { "torch_dtype" } else { "dtype" };
            config.insert(key.to_owned(), "float32".into());
        }
        if let Some(layers) = per_layer(self.checkpoint.spec()) {
            config.insert("per_layer_config".to_owned(), layers);
        }
        self.write_json("config.json", &config.into())?;
        let (before, after) = self.merge.sparsity();
        self.write_json(
            NOTE,
            &json!({
                "rank": self.adapter.rank,
                "alpha": self.adapter.alpha,
                "zeros": self.zeros,
                "sparsity_before": before,
                "sparsity_after": after,
                "matrices": self.merge.matrices,
                "notes": notes,
                "version": env!("CARGO_PKG_VERSION"),
            }),
        )
    }

    fn write_json(&self, name: &str, value: &Value) -> Result<(), ModelError> {
        let text = serde_json::to_vec_pretty(value).map_err(|error| self.folder.told(&error.into()))?;
        self.folder.write(name, &[text.as_slice(), b"\n"].concat())
    }
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn projections(spec: &ModelSpec) -> BTreeMap<String, (usize, Projection)> {
    let places = |layer| Projection::ALL.map(|projection| (projection_name(layer, projection), (layer, projection)));
    (0..spec.layers.len()).flat_map(places).collect()
}

/// Configuration, index and notes are written anew; notes of earlier steps speak of other weights.
fn travels(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let name = name_of(path);
    let anew = name == "config.json" || name == INDEX || name.starts_with("paser-");
    !anew && (EXTENSIONS.contains(&extension) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

/// Whether layers differ in what a configuration states once for all.
pub(super) fn is_uniform(spec: &ModelSpec) -> bool {
    let sizes = |layer: &LayerSpec| (layer.heads, layer.kv_heads, layer.head_dim, layer.ffn);
    spec.layers.windows(2).all(|pair| sizes(&pair[0]) == sizes(&pair[1]))
}

/// Every layer's sizes by its number, under transformers' key for models whose layers differ.
fn per_layer(spec: &ModelSpec) -> Option<Value> {
    if is_uniform(spec) {
        return None;
    }
    let layers = spec.layers.iter().enumerate().map(|(number, layer)| {
        let sizes = json!({
            "num_attention_heads": layer.heads,
            "num_key_value_heads": layer.kv_heads,
            "head_dim": layer.head_dim,
            "intermediate_size": layer.ffn,
        });
        (number.to_string(), sizes)
    });
    Some(Value::Object(layers.collect()))
}

fn notes(spec: &ModelSpec) -> Vec<String> {
    if is_uniform(spec) {
        return Vec::new();
    }
    vec![
        "The layers differ in heads or width (per_layer_config in config.json): stock transformers cannot load this folder. \
         This program opens it; for llama.cpp write it as GGUF."
            .to_owned(),
    ]
}
