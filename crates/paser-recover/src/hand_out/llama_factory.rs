//! LLaMA-Factory (`llamafactory-cli train`): its Alpaca template knows no input, so that wording travels as each row's
//! system text. Keys as of llamafactory 0.9.5 (`llamafactory/hparams`, `data/template.py`).

use serde_json::json;

use super::yaml::Yaml;
use super::{HandOut, HandOutError, HandOutFile, HandOutFolder, PROJECTIONS, Row};

const NAME: &str = "selected";

pub(super) fn folder(order: &HandOut<'_>) -> Result<HandOutFolder, HandOutError> {
    let alpaca = match order.template {
        "alpaca" => true,
        "chat" => false,
        "plain" => {
            return Err(order.unable(
                "none of its templates is the bare text with an end token. Choose the template alpaca or chat, or another trainer.",
            ));
        }
        other => return Err(order.unable(&format!("the template {other} is none of alpaca, plain and chat."))),
    };
    let rows = if alpaca {
        order.rows.iter().map(|row| split(row, order)).collect::<Result<Vec<_>, _>>()?
    } else {
        let plain = |row: &Row| json!({"instruction": row.instruction, "input": row.input, "output": row.output});
        order.rows.iter().map(plain).collect()
    };
    let data = HandOutFile::json_array("data/train.json", rows.into_iter());
    let columns = if alpaca {
        json!({"prompt": "instruction", "response": "output", "system": "system"})
    } else {
        json!({"prompt": "instruction", "query": "input", "response": "output"})
    };
    let info = json!({NAME: {"file_name": "train.json", "formatting": "alpaca", "columns": columns}});
    let settings = order.settings;
    let (once, times) = order.batches();
    let mut config = Yaml::default();
    config
        .value("model_name_or_path", order.base)
        .value("stage", "sft")
        .value("do_train", true)
        .value("finetuning_type", if order.lora() { "lora" } else { "full" });
    if order.lora() {
        config
            .value("lora_rank", settings.rank)
            .value("lora_alpha", order.alpha()?)
            .number("lora_dropout", settings.dropout)
            .value("lora_target", PROJECTIONS.join(","));
    }
    config.value("dataset", NAME).value("dataset_dir", "data");
    if alpaca {
        config.value("template", "alpaca");
    }
    config
        .value("cutoff_len", settings.length)
        .value("train_on_prompt", false)
        .value("max_steps", order.steps)
        .value("per_device_train_batch_size", once)
        .value("gradient_accumulation_steps", times)
        .number("learning_rate", settings.learning_rate)
        .value("lr_scheduler_type", order.schedule())
        .value("warmup_steps", order.warmup())
        .number("weight_decay", settings.weight_decay)
        .number("max_grad_norm", settings.clip)
        .value("seed", order.seed)
        .value("logging_steps", order.log_every())
        .value("save_strategy", "steps")
        .value("save_steps", order.steps)
        .value("report_to", "tensorboard")
        .value("output_dir", "out");
    let notes = if alpaca {
        vec![
            "Its Alpaca template puts no begin token before the prompt, and two newlines behind the end token count as response."
                .to_owned(),
        ]
    } else {
        Vec::new()
    };
    let files = vec![
        data,
        HandOutFile::text("data/dataset_info.json", &format!("{info:#}\n")),
        HandOutFile::text("config.yaml", config.text()),
    ];
    Ok(order.assemble(files, "llamafactory-cli train config.yaml", notes))
}

/// What its template puts around the question is taken off the prompt: `### Instruction:`, the question with its input,
/// `### Response:`; what stands before is the system text.
fn split(row: &Row, order: &HandOut<'_>) -> Result<serde_json::Value, HandOutError> {
    let parts = row
        .prompt
        .split_once("### Instruction:\n")
        .and_then(|(system, rest)| Some((system, rest.strip_suffix("\n\n### Response:\n")?)));
    let (system, question) =
        parts.ok_or_else(|| order.unable("a prompt is not in the wording of the template alpaca."))?;
    Ok(json!({"instruction": question, "output": row.output, "system": system}))
}
