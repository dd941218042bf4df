//! A selection for another trainer: a folder with data, configuration and a command that the trainer runs as it is
//! (method.md 5). Pure: rows and settings in, files out; nothing is executed. What a trainer does differently is told.

mod axolotl;
mod llama_factory;
mod llm_pruner;
mod trl;
mod yaml;

use std::path::Path;

use paser_model::ModelError;
use paser_model::write::NewFolder;
use paser_protocol::{Decay, Method, RecoverSettings, Trainer};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A sample as the trainer gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub instruction: String,
    /// Empty where there is none.
    pub input: String,
    pub output: String,
    /// Everything up to the first character of the response, by the recipe's template.
    pub prompt: String,
}

/// What is handed out.
#[derive(Debug, Clone, Copy)]
pub struct HandOut<'a> {
    pub trainer: Trainer,
    pub rows: &'a [Row],
    pub settings: &'a RecoverSettings,
    /// Folder or hub name of the pruned model, as the trainer shall find it. LLM-Pruner also takes its own `.bin`.
    pub base: &'a str,
    /// `alpaca`, `plain` or `chat`, as in the recipe.
    pub template: &'a str,
    pub steps: u32,
    pub seed: u64,
}

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOutFile {
    /// Relative, with `/`.
    pub path: String,
    pub bytes: Vec<u8>,
}

/// A folder before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOutFolder {
    pub files: Vec<HandOutFile>,
    /// Where this trainer departs from the recipe; also in its README.
    pub notes: Vec<String>,
}

/// Why a trainer cannot do what the recipe says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandOutError {
    #[error("there is no sample to train on: choose a selection with at least {least}")]
    TooFew { least: usize },
    #[error("{trainer} cannot train this: {reason}")]
    Unable { trainer: Trainer, reason: String },
}

/// The seven projections by their short names, in forward order.
const PROJECTIONS: [&str; 7] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
/// Samples that a GPU takes at a time, at most; LLM-Pruner's number.
const MOST_AT_ONCE: u32 = 4;

/// The files for a trainer.
///
/// # Errors
/// No samples, and settings or templates that the trainer has no way to express.
pub fn folder(order: &HandOut<'_>) -> Result<HandOutFolder, HandOutError> {
    if order.rows.is_empty() {
        return Err(HandOutError::TooFew { least: 1 });
    }
    if order.steps == 0 || order.settings.batch == 0 {
        return Err(order.unable("steps and batch must be at least 1."));
    }
    if order.settings.method == Method::LastLayers {
        return Err(order.unable(
            "only low-rank additions and full training are handed out. Train the last layers in this program.",
        ));
    }
    match order.trainer {
        Trainer::Axolotl => axolotl::folder(order),
        Trainer::LlamaFactory => llama_factory::folder(order),
        Trainer::Trl => trl::folder(order),
        Trainer::LlmPruner => llm_pruner::folder(order),
    }
}

impl HandOutFolder {
    /// Writes the folder to `out`, which must not exist or be empty.
    ///
    /// # Errors
    /// A folder with content, a full disk. Nothing is left behind.
    pub fn write(&self, out: &Path) -> Result<(), ModelError> {
        let folder = NewFolder::new(out)?;
        for file in &self.files {
            folder.write(&file.path, &file.bytes)?;
        }
        folder.finish()
    }
}

impl HandOut<'_> {
    fn unable(&self, reason: &str) -> HandOutError {
        HandOutError::Unable { trainer: self.trainer, reason: reason.to_owned() }
    }

    fn lora(&self) -> bool {
        self.settings.method == Method::Lora
    }

    /// The trainers' alpha is a whole number.
    fn alpha(&self) -> Result<u64, HandOutError> {
        let alpha = self.settings.alpha;
        if alpha.fract() == 0.0 && (1.0..1e9).contains(&alpha) {
            Ok(alpha as u64)
        } else {
            Err(self.unable(&format!("alpha is {alpha}, and it takes whole numbers only.")))
        }
    }

    /// Samples at a time and how many times before a step; their product is the batch.
    fn batches(&self) -> (u32, u32) {
        let batch = self.settings.batch;
        let once = (1..=MOST_AT_ONCE).rev().find(|once| batch.is_multiple_of(*once)).unwrap_or(1);
        (once, batch / once)
    }

    /// Never more than a tenth of the run.
    fn warmup(&self) -> u32 {
        self.settings.warmup.min(self.steps / 10)
    }

    /// Hugging Face's name; its plain `constant` has no warm-up.
    fn schedule(&self) -> &'static str {
        match self.settings.decay {
            Decay::Linear => "linear",
            Decay::Cosine => "cosine",
            Decay::Constant if self.warmup() == 0 => "constant",
            Decay::Constant => "constant_with_warmup",
        }
    }

    /// Steps between two lines of the log: some fifty in a run.
    fn log_every(&self) -> u32 {
        (self.steps / 50).max(1)
    }

    /// A question and an answer, for trainers that apply the model's own chat template.
    fn turns(row: &Row) -> [Value; 2] {
        let question = match (row.instruction.is_empty(), row.input.is_empty()) {
            (_, true) => row.instruction.clone(),
            (true, false) => row.input.clone(),
            (false, false) => [&row.instruction, "\n", &row.input].concat(),
        };
        [json!({"role": "user", "content": question}), json!({"role": "assistant", "content": row.output})]
    }

    /// Data, configuration, command and README together.
    fn assemble(&self, data: Vec<HandOutFile>, command: &str, notes: Vec<String>) -> HandOutFolder {
        let mut files = data;
        files.push(HandOutFile::text("run.sh", &format!("#!/bin/sh\nset -e\ncd \"$(dirname \"$0\")\"\n{command}\n")));
        let departures = match notes.as_slice() {
            [] => String::new(),
            notes => format!("\nWhere it departs from the recipe:\n\n- {}\n", notes.join("\n- ")),
        };
        let (once, times) = self.batches();
        let readme = format!(
            "# Recovery with {}\n\n\
             {} samples, {} steps of {} ({once} at a time, {times} times before a step, on one GPU; with several divide \
             the accumulation by their number).\n\
             Base model: `{}`. Template: {}.\n\n\
             Run it with\n\n    sh run.sh\n\n\
             It leaves its result in `out/`, whose curve and adapter can be opened here again.\n{departures}",
            self.trainer,
            self.rows.len(),
            self.steps,
            self.settings.batch,
            self.base,
            self.template,
        );
        files.push(HandOutFile::text("README.md", &readme));
        HandOutFolder { files, notes }
    }
}

impl HandOutFile {
    fn text(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), bytes: text.as_bytes().to_vec() }
    }

    fn json_lines(path: &str, rows: impl Iterator<Item = Value>) -> Self {
        let text: String = rows.map(|row| format!("{row}\n")).collect();
        Self::text(path, &text)
    }

    fn json_array(path: &str, rows: impl Iterator<Item = Value>) -> Self {
        let rows: Vec<String> = rows.map(|row| row.to_string()).collect();
        Self::text(path, &format!("[\n{}\n]\n", rows.join(",\n")))
    }
}
