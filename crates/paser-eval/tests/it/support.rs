//! Where shared data and the demo's models lie, and models ready to be evaluated.

use std::path::{Path, PathBuf};

use paser_eval::{EvalParams, EvalTokenizer, Subject};
use paser_model::{Checkpoint, Decoder};
use serde_json::Value;
use tokenizers::Tokenizer;

/// A path below the shared folder, or `None` with a word on stderr where it is absent.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PASER_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    let full = root.join(path);
    if full.exists() {
        return Some(full);
    }
    eprintln!("skipped: {} is absent (set PASER_SHARED)", full.display());
    None
}

/// A decoder with its tokenizer.
pub struct Loaded {
    pub decoder: Decoder,
    pub tokenizer: EvalTokenizer,
    pub raw: Tokenizer,
}

impl Loaded {
    pub fn subject(&self) -> Subject<'_> {
        Subject { decoder: &self.decoder, tokenizer: &self.tokenizer }
    }
}

fn load(folder: &Path) -> Loaded {
    let raw = Tokenizer::from_file(folder.join("tokenizer.json")).unwrap();
    let (begin, end) = (raw.token_to_id("<s>"), raw.token_to_id("</s>").unwrap());
    Loaded {
        decoder: Decoder::load(&Checkpoint::open(folder).unwrap()).unwrap(),
        tokenizer: EvalTokenizer::new(raw.clone(), begin, vec![end]).unwrap(),
        raw,
    }
}

/// The dense model of the demo, which every checkout has: context 128.
pub fn demo() -> Loaded {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../paser-demo/assets/dense"))
}

/// The real model of the golden values: context 512.
pub fn mix() -> Option<Loaded> {
    Some(load(&shared("models/mix-llama-5m")?))
}

/// Objects of a file with one in each line.
pub fn lines(path: &Path) -> Vec<Value> {
    let text = fs_err::read_to_string(path).unwrap();
    text.split('\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn text(object: &Value, key: &str) -> String {
    object[key].as_str().unwrap().to_owned()
}

pub fn params(threads: usize, tokens_per_batch: usize) -> EvalParams {
    EvalParams { tokens_per_batch, head_chunk: 64, threads }
}
