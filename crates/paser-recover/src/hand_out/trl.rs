//! TRL's command line (`trl sft --config`): prompt and completion, loss on the completion. Keys as of trl 1.16
//! (`SFTConfig`, `ModelConfig`, `DatasetMixtureConfig`).

use serde_json::json;

use super::yaml::Yaml;
use super::{HandOut, HandOutError, HandOutFile, HandOutFolder, PROJECTIONS};

const DATA: &str = "data/train.jsonl";

pub(super) fn folder(order: &HandOut<'_>) -> Result<HandOutFolder, HandOutError> {
    let chat = order.template == "chat";
    let rows = order.rows.iter().map(|row| {
        if chat {
            let [question, answer] = HandOut::turns(row);
            json!({"prompt": [question], "completion": [answer]})
        } else {
            json!({"prompt": row.prompt, "completion": row.output})
        }
    });
    let data = HandOutFile::json_lines(DATA, rows);
    let settings = order.settings;
    let (once, times) = order.batches();
    let mut config = Yaml::default();
    config
        .value("model_name_or_path", order.base)
        .line("datasets", &format!("[{{\"path\": \"json\", \"data_files\": \"{DATA}\", \"split\": \"train\"}}]"))
        .value("completion_only_loss", true)
        .value("max_length", settings.length)
        .value("packing", false)
        .value("max_steps", order.steps)
        .value("per_device_train_batch_size", once)
        .value("gradient_accumulation_steps", times)
        .number("learning_rate", settings.learning_rate)
        .value("lr_scheduler_type", order.schedule())
        .value("warmup_steps", order.warmup())
        .number("weight_decay", settings.weight_decay)
        .number("max_grad_norm", settings.clip);
    if order.lora() {
        config
            .value("use_peft", true)
            .value("lora_r", settings.rank)
            .value("lora_alpha", order.alpha()?)
            .number("lora_dropout", settings.dropout)
            .value("lora_target_modules", PROJECTIONS.to_vec());
    }
    config
        .value("seed", order.seed)
        .value("logging_steps", order.log_every())
        .value("save_strategy", "steps")
        .value("save_steps", order.steps)
        .value("include_num_input_tokens_seen", true)
        .value("report_to", "tensorboard")
        .value("output_dir", "out");
    let files = vec![data, HandOutFile::text("config.yaml", config.text())];
    Ok(order.assemble(files, "trl sft --config config.yaml", Vec::new()))
}
