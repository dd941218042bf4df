//! The embedded demo: a generator of its pool and tests, its tokenizer, the program that trains its dense
//! model, and the material that ships with the program. The program itself reads [`assets`] alone; all else serves the
//! three binaries that make them, and reports with `anyhow` as they do.
//!
//! # The form of a sample
//!
//! The model sees `<s>` + instruction [+ line break + space + input] + `<|assistant|>` + answer + `</s>`.
//! The tokenizer itself puts a space before the first word of every piece between special tokens
//! (`add_prefix_space`), so no piece starts with a written space, and
//!
//! ```text
//! encode(rendered prompt) ++ encode(answer, no special tokens) ++ [</s>]  =  the training ids
//! ```
//!
//! where the rendered prompt is what `tokenizer_config.json`'s chat template gives for one user turn
//! (instruction, line break, input) with a generation prompt. It starts with `<s>`; the tokenizer's
//! post-processor adds `<s>` too, so encode it without special tokens, or drop one of the two.

pub mod assets;
pub mod card;
pub mod damage;
pub mod draw;
pub mod evaluate;
pub mod model;
pub mod pool;
pub mod split;
pub mod tasks;
pub mod tokens;
pub mod train;
pub mod world;
