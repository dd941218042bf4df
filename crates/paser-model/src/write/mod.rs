//! Weights that leave the program: merged checkpoints, GGUF, and the folders and files that they stand in. Everything is
//! built under a temporary name and renamed when it is complete and on disk (method.md 5).

mod folder;
mod gguf;
mod merged;
mod temporary;
pub(crate) mod tensors;

pub use folder::NewFolder;
pub use gguf::{GgufFile, GgufType, write_gguf};
pub use merged::{MergedFolder, WeightsType, write_merged};
pub use temporary::{Temporary, parent_of, sweep_unfinished};
