//! Checkpoints of the Llama-shaped families become one [`ModelSpec`] and one [`Decoder`]; BERT-type encoders become
//! sentence vectors; [`inspect`] tells what a checkpoint holds. Owns all reading of model weights (method.md 1 and 2).

pub mod adapter;
pub mod inspect;
pub mod write;

mod checkpoint;
mod config;
mod decoder;
mod encoder;
mod error;
mod infer;
mod kernels;
mod spec;

pub use adapter::{Adapter, LowRank, MatrixMerge, MergeReport, Zeros};
pub use checkpoint::{Checkpoint, TensorInfo};
pub use decoder::{Batch, Block, Decoder, Observer, Past, Site, embedded_rows};
pub use encoder::SentenceEncoder;
pub use error::{Contradiction, ModelError};
pub use spec::{Assumption, Family, LayerSpec, ModelSpec, Projection, Rope, RopeScaling, projection_name};
