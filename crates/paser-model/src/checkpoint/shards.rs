//! Memory-mapped safetensors of one folder: a single file or the shards that an index names. Knows bytes, dtypes and
//! shapes, nothing of models. Hostile or cut files end in an error, never in a panic.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde_json::Value;

use crate::ModelError;
use crate::config::read_object;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// The safetensors format's own limit.
const MAX_HEADER: u64 = 100_000_000;

/// Where and what a tensor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    shard: usize,
    start: usize,
    end: usize,
}

impl TensorInfo {
    /// Bytes that the tensor occupies in its file, counted from the file's start.
    pub fn byte_range(&self) -> std::ops::Range<usize> {
        self.start..self.end
    }
}

#[derive(Debug)]
struct Shard {
    path: PathBuf,
    map: Mmap,
}

/// All tensors of a folder by name.
#[derive(Debug)]
pub(crate) struct Shards {
    dir: PathBuf,
    shards: Vec<Shard>,
    tensors: BTreeMap<String, TensorInfo>,
    /// What the files' headers note beside their tensors.
    notes: BTreeMap<String, String>,
}

impl Shards {
    pub(crate) fn open(dir: &Path) -> Result<Self, ModelError> {
        let single = dir.join(SINGLE);
        let mut opened = Self::empty(dir);
        if single.is_file() {
            opened.add(single)?;
        } else if dir.join(INDEX).is_file() {
            opened.open_index(dir)?;
        } else {
            let pickle = dir.join("pytorch_model.bin").is_file() || dir.join("pytorch_model.bin.index.json").is_file();
            let advice = if pickle {
                "There is a pytorch_model.bin: convert it with save_pretrained(..., safe_serialization=True)."
            } else {
                "Weights are read from safetensors; put model.safetensors or its shards with their index into the folder."
            };
            return Err(ModelError::MissingFile {
                dir: dir.to_owned(),
                file: SINGLE.to_owned(),
                advice: advice.to_owned(),
            });
        }
        Ok(opened)
    }

    /// A single safetensors file of any name.
    pub(crate) fn open_file(path: PathBuf) -> Result<Self, ModelError> {
        let mut opened = Self::empty(path.parent().unwrap_or(Path::new("")));
        opened.add(path)?;
        Ok(opened)
    }

    fn empty(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), shards: Vec::new(), tensors: BTreeMap::new(), notes: BTreeMap::new() }
    }

    fn open_index(&mut self, dir: &Path) -> Result<(), ModelError> {
        let path = dir.join(INDEX);
        let broken = |reason: String| ModelError::Config { path: path.clone(), reason };
        let map = read_object(dir, INDEX, "")?;
        let weights = map
            .get("weight_map")
            .and_then(Value::as_object)
            .ok_or_else(|| broken("weight_map is absent or not an object".to_owned()))?;
        // File name -> tensors that should be in it, in name order.
        let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (tensor, file) in weights {
            let file =
                file.as_str().ok_or_else(|| broken(format!("{tensor} is mapped to {file}, not to a file name")))?;
            if Path::new(file).file_name().and_then(|name| name.to_str()) != Some(file) {
                return Err(broken(format!("{file:?} is not a plain file name")));
            }
            files.entry(file).or_default().push(tensor);
        }
        if files.is_empty() {
            return Err(broken("weight_map is empty".to_owned()));
        }
        for (file, tensors) in files {
            let shard = dir.join(file);
            if !shard.is_file() {
                return Err(ModelError::MissingShard { index: path.clone(), shard: file.to_owned() });
            }
            self.add(shard.clone())?;
            let number = self.shards.len() - 1;
            for tensor in tensors {
                if self.tensors.get(tensor).is_none_or(|info| info.shard != number) {
                    return Err(ModelError::MissingTensor { path: shard, tensor: tensor.to_owned() });
                }
            }
        }
        Ok(())
    }

    /// Maps one file and enters its tensors.
    fn add(&mut self, path: PathBuf) -> Result<(), ModelError> {
        let broken = |reason: String| ModelError::Safetensors { path: path.clone(), reason };
        let file = fs_err::File::open(&path).map_err(ModelError::io(&path))?;
        #[expect(unsafe_code, reason = "memory-mapping needs it; weights are far larger than what should be copied")]
        // SAFETY: the map is read-only and private to this value. Somebody else writing to or cutting the file while
        // it is mapped is outside of what any program here does: checkpoints are written to a new folder and renamed.
        let map = unsafe { Mmap::map(file.file()) }
            .map_err(|error| broken(format!("it cannot be mapped into memory: {error}")))?;
        let length = map
            .first_chunk::<8>()
            .map(|bytes| u64::from_le_bytes(*bytes))
            .ok_or_else(|| broken(format!("it has {} bytes, fewer than a header", map.len())))?;
        if length > MAX_HEADER {
            return Err(broken(format!("its header claims {length} bytes")));
        }
        let begin = usize::try_from(length).ok().and_then(|length| length.checked_add(8));
        let (begin, header) =
            begin.and_then(|begin| map.get(8..begin).map(|header| (begin, header))).ok_or_else(|| {
                broken(format!("its header of {length} bytes does not fit into its {} bytes: it is cut off", map.len()))
            })?;
        let metadata: Metadata =
            serde_json::from_slice(header).map_err(|error| broken(format!("its header is invalid: {error}")))?;
        let data = map.len() - begin;
        if metadata.data_len() != data {
            return Err(broken(format!(
                "its header describes {} bytes of tensors, the file holds {data}",
                metadata.data_len()
            )));
        }
        self.notes.extend(metadata.metadata().iter().flatten().map(|(key, note)| (key.clone(), note.clone())));
        let number = self.shards.len();
        for name in metadata.offset_keys() {
            let Some(info) = metadata.info(&name) else { continue };
            let entry = TensorInfo {
                dtype: info.dtype,
                shape: info.shape.clone(),
                shard: number,
                start: begin + info.data_offsets.0,
                end: begin + info.data_offsets.1,
            };
            if let Some(earlier) = self.tensors.insert(name.clone(), entry) {
                let other =
                    self.shards.get(earlier.shard).map(|shard| shard.path.display().to_string()).unwrap_or_default();
                return Err(broken(format!("the tensor {name} is also in {other}")));
            }
        }
        self.shards.push(Shard { path, map });
        Ok(())
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &TensorInfo)> {
        self.tensors.iter().map(|(name, info)| (name.as_str(), info))
    }

    /// A note of the headers' `__metadata__`.
    pub(crate) fn note(&self, key: &str) -> Option<&str> {
        self.notes.get(key).map(String::as_str)
    }

    pub(crate) fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }

    pub(crate) fn require(&self, name: &str) -> Result<&TensorInfo, ModelError> {
        self.info(name).ok_or_else(|| ModelError::MissingTensor { path: self.dir.clone(), tensor: name.to_owned() })
    }

    /// All files, in the order in which they were opened.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.shards.iter().map(|shard| shard.path.as_path())
    }

    /// The file a tensor lies in.
    pub(crate) fn path_of(&self, info: &TensorInfo) -> &Path {
        self.shards.get(info.shard).map_or(&self.dir, |shard| &shard.path)
    }

    pub(crate) fn unsupported_dtype(&self, name: &str, info: &TensorInfo) -> ModelError {
        ModelError::Dtype {
            path: self.path_of(info).to_owned(),
            tensor: name.to_owned(),
            dtype: info.dtype.to_string(),
        }
    }

    pub(crate) fn bytes(&self, name: &str) -> Result<&[u8], ModelError> {
        let info = self.require(name)?;
        self.shards
            .get(info.shard)
            .and_then(|shard| shard.map.get(info.start..info.end))
            .ok_or_else(|| ModelError::MissingTensor { path: self.dir.clone(), tensor: name.to_owned() })
    }

    pub(crate) fn values(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        let info = self.require(name)?;
        let bytes = self.bytes(name)?;
        let values: Vec<f32> = match info.dtype {
            Dtype::F32 => bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
            Dtype::F16 => bytes.as_chunks().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect(),
            Dtype::BF16 => bytes.as_chunks().0.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f32()).collect(),
            _ => return Err(self.unsupported_dtype(name, info)),
        };
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(index) => Err(ModelError::NotFinite {
                path: self.path_of(info).to_owned(),
                tensor: name.to_owned(),
                index,
                value: values[index],
            }),
        }
    }
}
