//! LLM-Pruner's `post_training.py`: fixed schedule and precision, whole epochs, a pickled model, a validation set taken from
//! the data. Arguments as of its repository (horseee/LLM-Pruner, `post_training.py`).

use paser_protocol::Decay;
use serde_json::json;

use super::{HandOut, HandOutError, HandOutFile, HandOutFolder, PROJECTIONS};

/// Its newer versions look for this word in the path to know the columns.
const DATA: &str = "alpaca-selected";
/// Its own constants.
const WARMUP: u32 = 100;
const MOST_VALIDATION: usize = 2_000;

/// Packs a model folder as LLM-Pruner saves models.
const PACK: &str = r#"import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder, out = sys.argv[1:]
model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float16)
torch.save({"model": model, "tokenizer": AutoTokenizer.from_pretrained(folder)}, out)
"#;

pub(super) fn folder(order: &HandOut<'_>) -> Result<HandOutFolder, HandOutError> {
    let settings = order.settings;
    if order.rows.len() < 2 {
        return Err(HandOutError::TooFew { least: 2 });
    }
    if !order.lora() {
        return Err(order.unable("it trains low-rank additions only."));
    }
    if order.template != "alpaca" {
        return Err(order.unable(&format!("it has the template alpaca only, and the recipe says {}.", order.template)));
    }
    let validation = (order.rows.len() / 20).clamp(1, MOST_VALIDATION);
    let trained = (order.rows.len() - validation) as f64;
    let exact = f64::from(order.steps) * f64::from(settings.batch) / trained;
    let epochs = exact.round().max(1.0) as u64;
    let mut notes = vec![
        format!("{validation} of the samples become its validation set; it keeps the checkpoint that is best on them."),
        format!("It counts whole epochs: {epochs} instead of {exact:.2} ({} steps).", order.steps),
        "It trains in F16, which can diverge; a loss of NaN is a sign of that.".to_owned(),
    ];
    if order.warmup() != WARMUP {
        notes.push(format!("It warms up over {WARMUP} steps, not {}.", order.warmup()));
    }
    if settings.decay != Decay::Linear {
        notes.push(format!("Its learning rate falls linearly, not {}.", settings.decay));
    }
    if settings.weight_decay != 0.0 {
        notes.push(format!("It has no weight decay; the recipe says {}.", settings.weight_decay));
    }
    if settings.clip != 1.0 {
        notes.push(format!("It clips gradients at 1, not {}.", settings.clip));
    }
    let rows =
        order.rows.iter().map(|row| json!({"instruction": row.instruction, "input": row.input, "output": row.output}));
    let mut files = vec![HandOutFile::json_array(&format!("{DATA}/train.json"), rows)];
    let (once, _) = order.batches();
    let pickled = order.base.ends_with(".bin");
    let model = if pickled { quoted(order.base) } else { "pruned.bin".to_owned() };
    let mut command = String::from(
        ": \"${LLM_PRUNER:?set LLM_PRUNER to a checkout of LLM-Pruner}\"\n\
         # Its models are pickles, which torch 2.6 and later read only when told so.\n\
         export TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1\n\
         export PYTHONPATH=\"$LLM_PRUNER\"\n",
    );
    if !pickled {
        files.push(HandOutFile::text("pack.py", PACK));
        command.push_str(&format!("python pack.py {} pruned.bin\n", quoted(order.base)));
    }
    command.push_str(&format!(
        "python \"$LLM_PRUNER/post_training.py\" --prune_model {model} --data_path {DATA} --output_dir out \\\n  \
         --lora_r {} --lora_alpha {} --lora_dropout {} --lora_target_modules {} \\\n  \
         --batch_size {} --micro_batch_size {once} --num_epochs {epochs} --learning_rate {} \\\n  \
         --cutoff_len {} --val_set_size {validation} --prompt_template_name alpaca --wandb_project paser",
        settings.rank,
        order.alpha()?,
        settings.dropout,
        PROJECTIONS.join(","),
        settings.batch,
        settings.learning_rate,
        settings.length,
    ));
    Ok(order.assemble(files, &command, notes))
}

/// For a shell: nothing inside of single quotes means anything, except a single quote.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
