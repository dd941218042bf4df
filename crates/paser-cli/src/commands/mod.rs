//! One file a command: its arguments and what it does.

pub mod caches;
pub mod check;
pub mod cluster;
pub mod compare;
pub mod curate;
pub mod demo;
pub mod encode;
pub mod eval;
pub mod export;
pub mod inspect;
pub mod later;
pub mod new;
pub mod pool;
pub mod prune;
pub mod pruned;
pub mod recover;
pub mod run;
pub mod score;
pub mod select;
pub mod sensitivity;
pub mod serve;
pub mod status;
pub mod table;
pub mod verdict;
pub mod worker;
