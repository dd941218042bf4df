//! An opened model folder: its configuration, its memory-mapped safetensors, and the [`ModelSpec`] inferred from both.
//! Everything else reads weights through this.

mod hash;
mod shards;

use std::path::{Path, PathBuf};

use paser_protocol::{Monitor, Silent};

use crate::config::Config;
use crate::infer::infer;
use crate::{ModelError, ModelSpec};

pub(crate) use hash::tensors_hash;
pub(crate) use shards::Shards;
pub use shards::TensorInfo;

/// A decoder's folder, opened: `config.json`, one or many safetensors files, perhaps a tokenizer.
#[derive(Debug)]
pub struct Checkpoint {
    dir: PathBuf,
    spec: ModelSpec,
    shards: Shards,
}

impl Checkpoint {
    /// Opens a folder, infers the model from its tensors and checks the configuration against them. Reads headers
    /// only; weights stay on disk until asked for.
    ///
    /// # Errors
    /// Missing files or shards, damaged safetensors, unsupported families, quantised weights, and a configuration
    /// that contradicts the tensors (every field listed).
    pub fn open(dir: &Path) -> Result<Self, ModelError> {
        if !dir.is_dir() {
            return Err(ModelError::MissingFile {
                dir: dir.to_owned(),
                file: "folder".to_owned(),
                advice: "Give the path of a model folder.".to_owned(),
            });
        }
        let config = Config::read(dir)?;
        let shards = Shards::open(dir)?;
        let spec = infer(&config, &shards)?;
        Ok(Self { dir: dir.to_owned(), spec, shards })
    }

    /// The model this checkpoint holds.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// `tokenizer.json` of the folder, if it has one.
    pub fn tokenizer_path(&self) -> Option<PathBuf> {
        let path = self.dir.join("tokenizer.json");
        path.is_file().then_some(path)
    }

    /// SHA-256 over the model's description and over name, dtype, shape and bytes of every tensor in name order, in
    /// hexadecimal. Equal for both configuration styles and for any split into shards. Reads every byte.
    ///
    /// # Errors
    /// None today beyond what reading mapped files can give; kept fallible for sources that stream.
    pub fn content_hash(&self) -> Result<String, ModelError> {
        self.content_hash_watched(&Silent)
    }

    /// The same for weights that take a while. `monitor` counts bytes.
    ///
    /// # Errors
    /// [`ModelError::Cancelled`].
    pub fn content_hash_watched(&self, monitor: &dyn Monitor) -> Result<String, ModelError> {
        hash::content_hash(&self.spec, &self.shards, monitor)
    }

    /// Names of all tensors, sorted.
    pub fn tensor_names(&self) -> impl Iterator<Item = &str> {
        self.shards.names()
    }

    /// Type and shape of a tensor.
    pub fn tensor_info(&self, name: &str) -> Option<&TensorInfo> {
        self.shards.info(name)
    }

    /// The safetensors files of the checkpoint.
    pub fn weight_files(&self) -> impl Iterator<Item = &Path> {
        self.shards.files()
    }

    /// The file that holds a tensor.
    ///
    /// # Errors
    /// [`ModelError::MissingTensor`].
    pub fn file_of(&self, name: &str) -> Result<&Path, ModelError> {
        Ok(self.shards.path_of(self.shards.require(name)?))
    }

    /// Raw bytes of a tensor as stored (little endian, row major).
    ///
    /// # Errors
    /// [`ModelError::MissingTensor`].
    pub fn tensor_bytes(&self, name: &str) -> Result<&[u8], ModelError> {
        self.shards.bytes(name)
    }

    /// A tensor's values as f32, row major, every one finite.
    ///
    /// # Errors
    /// Missing tensor, a dtype that is not F32, F16 or BF16, a value that is NaN or infinite.
    pub fn values(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        self.shards.values(name)
    }
}
