//! axolotl (`axolotl train`): its Alpaca wording is Stanford's, others are given by their format. Keys as of axolotl 0.19
//! (`axolotl/utils/schemas`).

use serde_json::json;

use super::yaml::Yaml;
use super::{HandOut, HandOutError, HandOutFile, HandOutFolder, PROJECTIONS};

const DATA: &str = "data/train.jsonl";

pub(super) fn folder(order: &HandOut<'_>) -> Result<HandOutFolder, HandOutError> {
    let kind = match order.template {
        "alpaca" => json!({"path": DATA, "ds_type": "json", "type": "alpaca"}),
        "plain" => json!({"path": DATA, "ds_type": "json", "type": {
            "system_prompt": "", "field_instruction": "instruction", "field_input": "input", "field_output": "output",
            "format": "{instruction}\n{input}\n", "no_input_format": "{instruction}\n",
        }}),
        "chat" => json!({"path": DATA, "ds_type": "json", "type": "chat_template", "field_messages": "messages"}),
        other => return Err(order.unable(&format!("the template {other} is none of alpaca, plain and chat."))),
    };
    let chat = order.template == "chat";
    let rows = order.rows.iter().map(|row| {
        if chat {
            json!({"messages": HandOut::turns(row)})
        } else {
            json!({"instruction": row.instruction, "input": row.input, "output": row.output})
        }
    });
    let data = HandOutFile::json_lines(DATA, rows);
    let settings = order.settings;
    let (once, times) = order.batches();
    let mut config = Yaml::default();
    config.value("base_model", order.base).line("datasets", &json!([kind]).to_string());
    if chat {
        config.value("chat_template", "tokenizer_default");
    }
    config
        .value("train_on_inputs", false)
        .value("val_set_size", 0)
        .value("sequence_len", settings.length)
        .value("excess_length_strategy", "truncate")
        .value("sample_packing", false)
        .value("max_steps", order.steps)
        .value("micro_batch_size", once)
        .value("gradient_accumulation_steps", times)
        .value("optimizer", "adamw_torch")
        .number("learning_rate", settings.learning_rate)
        .value("lr_scheduler", order.schedule())
        .value("warmup_steps", order.warmup())
        .number("weight_decay", settings.weight_decay)
        .number("max_grad_norm", settings.clip);
    if order.lora() {
        config
            .value("adapter", "lora")
            .value("lora_r", settings.rank)
            .value("lora_alpha", order.alpha()?)
            .number("lora_dropout", settings.dropout)
            .value("lora_target_modules", PROJECTIONS.to_vec());
    }
    config
        .value("bf16", "auto")
        .value("seed", order.seed)
        .value("logging_steps", order.log_every())
        .value("save_strategy", "steps")
        .value("save_steps", order.steps)
        .value("use_tensorboard", true)
        .value("output_dir", "out");
    let files = vec![data, HandOutFile::text("config.yaml", config.text())];
    Ok(order.assemble(files, "axolotl train config.yaml", Vec::new()))
}
