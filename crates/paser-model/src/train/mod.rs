//! The training path of a decoder on the processor: one step's loss and gradients, written out by hand on the kernels of
//! the scoring path (method.md 5). No graph is recorded, so nothing can be cut out of one: every operation here has its
//! reverse beside it, tests hold it against differences in f64, and every trained tensor has to get a gradient.
//!
//! Sequences are packed without padding. The forward pass keeps what the reverse needs where that fits into the memory
//! that is allowed, else each layer's input alone, and a layer is computed once more when its reverse comes.
//!
//! Floor, with P parameters in the layers, T tokens, R of them counted, H hidden, V vocabulary: 2 P T forward, 2 P T for the
//! gradients of inputs (frozen weights have none of their own), 2 P T more where layers are computed again, and 4 R H V for
//! the head. Training every weight adds 2 P T + 2 R H V.

mod block;
mod dropout;
mod head;
mod layout;
mod low_rank;
mod step;

pub use dropout::Dropout;
pub use layout::{Layout, Slot};
pub use step::{Example, Gradients, Trainee};
