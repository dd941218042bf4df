//! Recovery training: a selection, a pruned model and settings become an adapter and its curve (`method.md` 5). Also what
//! other trainers are given, and what they leave.

pub mod foreign;
pub mod hand_out;
