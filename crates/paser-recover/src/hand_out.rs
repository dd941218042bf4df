//! What another trainer needs for an arm: its data, a configuration and a command line, with the names of keys as the
//! trainer's own documentation has them. The folder is used as it is; nothing in it is executed here.

use paser_protocol::{Decay, Method, RecoverSettings, Trainer};
use serde_json::json;

/// Samples that a processor of usual size takes at once; the rest of a batch is accumulated.
const MICRO_BATCH: u32 = 4;
const MODULES: [&str; 7] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/// One sample as trainers read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub instruction: String,
    pub input: String,
    pub output: String,
}

/// An arm to be handed out.
#[derive(Debug, Clone, Copy)]
pub struct HandOut<'a> {
    pub rows: &'a [Row],
    pub settings: &'a RecoverSettings,
    pub learning_rate: f64,
    pub steps: u32,
    pub seed: u64,
    /// The pruned model: a folder or a hub id.
    pub base: &'a str,
}

impl HandOut<'_> {
    /// Files by their place in the folder.
    pub fn files(&self, trainer: Trainer) -> Vec<(String, String)> {
        match trainer {
            Trainer::Axolotl => vec![
                ("data.jsonl".to_owned(), self.json_lines()),
                ("axolotl.yaml".to_owned(), self.axolotl()),
                readme("axolotl train axolotl.yaml", "axolotl 0.19"),
            ],
            Trainer::LlamaFactory => vec![
                ("data.json".to_owned(), self.json_array()),
                ("dataset_info.json".to_owned(), pretty(&json!({ "paser": { "file_name": "data.json" } }))),
                ("train.yaml".to_owned(), self.llama_factory()),
                readme("llamafactory-cli train train.yaml", "LLaMA-Factory 0.9"),
            ],
            Trainer::Trl => vec![
                ("data.jsonl".to_owned(), self.prompts()),
                ("train.py".to_owned(), self.trl()),
                readme("python train.py", "TRL 1.16"),
            ],
            Trainer::LlmPruner => vec![
                ("alpaca/data.json".to_owned(), self.json_array()),
                readme(&self.llm_pruner(), "LLM-Pruner's post_training.py, started in its own folder"),
            ],
        }
    }

    fn accumulated(&self) -> (u32, u32) {
        let micro = MICRO_BATCH.min(self.settings.batch);
        (micro, self.settings.batch.div_ceil(micro))
    }

    fn warmup(&self) -> u32 {
        self.settings.warmup.min(self.steps / 10)
    }

    fn decay(&self) -> &'static str {
        match self.settings.decay {
            Decay::Linear => "linear",
            Decay::Cosine => "cosine",
            Decay::Constant => "constant_with_warmup",
        }
    }

    fn records(&self) -> impl Iterator<Item = serde_json::Value> {
        self.rows.iter().map(|row| json!({ "instruction": row.instruction, "input": row.input, "output": row.output }))
    }

    fn json_lines(&self) -> String {
        self.records().map(|record| record.to_string() + "\n").collect()
    }

    fn json_array(&self) -> String {
        pretty(&serde_json::Value::Array(self.records().collect()))
    }

    /// Prompt and completion in the Alpaca wording, for trainers that know no templates of their own.
    fn prompts(&self) -> String {
        let prompt = |row: &Row| {
            if row.input.is_empty() {
                format!(
                    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\n{}\n\n### Response:\n",
                    row.instruction
                )
            } else {
                format!(
                    "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n### Instruction:\n{}\n\n### Input:\n{}\n\n### Response:\n",
                    row.instruction, row.input
                )
            }
        };
        let line = |row: &Row| json!({ "prompt": prompt(row), "completion": row.output }).to_string() + "\n";
        self.rows.iter().map(line).collect()
    }

    fn axolotl(&self) -> String {
        let (micro, accumulated) = self.accumulated();
        let RecoverSettings { rank, alpha, dropout, length, weight_decay, clip, .. } = self.settings;
        let lora = if self.settings.method == Method::Lora {
            let modules: String = MODULES.iter().map(|module| format!("  - {module}\n")).collect();
            format!(
                "adapter: lora\nlora_r: {rank}\nlora_alpha: {alpha}\nlora_dropout: {dropout}\nlora_target_modules:\n{modules}"
            )
        } else {
            String::new()
        };
        format!(
            "base_model: {}\ndatasets:\n  - path: data.jsonl\n    ds_type: json\n    type: alpaca\ntrain_on_inputs: false\n\
             val_set_size: 0\n{lora}sequence_len: {length}\nmicro_batch_size: {micro}\n\
             gradient_accumulation_steps: {accumulated}\nmax_steps: {}\noptimizer: adamw_torch\nlearning_rate: {:e}\n\
             lr_scheduler: {}\nwarmup_steps: {}\nweight_decay: {weight_decay}\nmax_grad_norm: {clip}\nseed: {}\n\
             logging_steps: 1\noutput_dir: ./out\n",
            yaml(self.base),
            self.steps,
            self.learning_rate,
            self.decay(),
            self.warmup(),
            self.seed,
        )
    }

    fn llama_factory(&self) -> String {
        let (micro, accumulated) = self.accumulated();
        let RecoverSettings { rank, alpha, dropout, length, weight_decay, clip, .. } = self.settings;
        let tuning = if self.settings.method == Method::Lora {
            format!(
                "finetuning_type: lora\nlora_rank: {rank}\nlora_alpha: {}\nlora_dropout: {dropout}\nlora_target: all\n",
                alpha.round() as u64
            )
        } else {
            "finetuning_type: full\n".to_owned()
        };
        format!(
            "model_name_or_path: {}\nstage: sft\ndo_train: true\n{tuning}dataset: paser\ndataset_dir: .\ntemplate: alpaca\n\
             cutoff_len: {length}\nper_device_train_batch_size: {micro}\ngradient_accumulation_steps: {accumulated}\n\
             max_steps: {}\nlearning_rate: {:e}\nlr_scheduler_type: {}\nwarmup_steps: {}\nweight_decay: {weight_decay}\n\
             max_grad_norm: {clip}\nseed: {}\nlogging_steps: 1\noutput_dir: ./out\n",
            yaml(self.base),
            self.steps,
            self.learning_rate,
            self.decay(),
            self.warmup(),
            self.seed,
        )
    }

    fn trl(&self) -> String {
        let (micro, accumulated) = self.accumulated();
        let RecoverSettings { rank, alpha, dropout, length, weight_decay, clip, .. } = self.settings;
        let peft = if self.settings.method == Method::Lora {
            format!(
                "LoraConfig(\n    r={rank}, lora_alpha={alpha}, lora_dropout={dropout}, task_type=\"CAUSAL_LM\",\n    target_modules={MODULES:?},\n)"
            )
        } else {
            "None".to_owned()
        };
        format!(
            "\"\"\"Trains an arm of PASER Studio with TRL.\"\"\"\nfrom datasets import load_dataset\nfrom peft import LoraConfig\n\
             from trl import SFTConfig, SFTTrainer\n\npeft = {peft}\nsettings = SFTConfig(\n    output_dir=\"out\", max_steps={}, \
             per_device_train_batch_size={micro}, gradient_accumulation_steps={accumulated},\n    learning_rate={:e}, \
             lr_scheduler_type=\"{}\", warmup_steps={}, weight_decay={weight_decay}, max_grad_norm={clip},\n    \
             max_length={length}, completion_only_loss=True, logging_steps=1, seed={},\n)\ntrainer = SFTTrainer(\n    model={}, \
             args=settings, peft_config=peft,\n    train_dataset=load_dataset(\"json\", data_files=\"data.jsonl\", split=\"train\"),\n)\n\
             trainer.train()\ntrainer.save_model(\"out\")\n",
            self.steps,
            self.learning_rate,
            self.decay(),
            self.warmup(),
            self.seed,
            json!(self.base),
        )
    }

    fn llm_pruner(&self) -> String {
        let (micro, _) = self.accumulated();
        let RecoverSettings { rank, alpha, dropout, length, batch, .. } = self.settings;
        let drawn = f64::from(self.steps) * f64::from(*batch);
        let epochs = (drawn / self.rows.len().max(1) as f64).ceil().max(1.0);
        format!(
            "python post_training.py --prune_model PRUNED/pytorch_model.bin --data_path THIS_FOLDER/alpaca --output_dir out \
             --lora_r {rank} --lora_alpha {} --lora_dropout {dropout} --lora_target_modules {} --num_epochs {epochs} \
             --learning_rate {:e} --batch_size {batch} --micro_batch_size {micro} --cutoff_len {length} --val_set_size 0",
            alpha.round() as u64,
            MODULES.join(","),
            self.learning_rate,
        )
    }
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

/// A text as a YAML string: JSON's quotes are YAML's.
fn yaml(text: &str) -> String {
    json!(text).to_string()
}

fn readme(command: &str, made_for: &str) -> (String, String) {
    let text = format!(
        "# An arm of PASER Studio\n\nMade for {made_for}. In this folder:\n\n    {command}\n\nIts log (`out/trainer_state.json`) \
         can be read back: the program shows the curve beside its own.\n"
    );
    ("README.md".to_owned(), text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use paser_protocol::Equal;

    use super::*;

    #[test]
    fn every_trainer_gets_all_of_the_arm() {
        let settings = RecoverSettings {
            method: Method::Lora,
            rank: 8,
            alpha: 16.0,
            dropout: 0.05,
            last_layers: 2,
            learning_rate: 1e-4,
            weight_decay: 0.0,
            warmup: 100,
            decay: Decay::Linear,
            batch: 64,
            length: 256,
            clip: 1.0,
            equal: Equal::Steps,
            steps: 240,
            epochs: 2.0,
            response_tokens: 1,
            points: 8,
            held_out: 1,
            items: Vec::new(),
        };
        let row = |input: &str| Row {
            instruction: "Say \"x\": y".to_owned(),
            input: input.to_owned(),
            output: "z\n".to_owned(),
        };
        let rows = [row(""), row("an input")];
        let arm = HandOut {
            rows: &rows,
            settings: &settings,
            learning_rate: 2e-4,
            steps: 240,
            seed: 3,
            base: "org/pruned: a",
        };
        for trainer in Trainer::ALL {
            let files = arm.files(*trainer);
            let all: String = files.iter().map(|(_, text)| text.as_str()).collect();
            assert!(all.contains("2e-4") && all.contains("an input"), "{trainer}: {all}");
            assert!(files.iter().any(|(name, _)| name == "README.md"));
            for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".json")) {
                assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{trainer} {name}");
            }
            for line in files.iter().filter(|(name, _)| name.ends_with(".jsonl")).flat_map(|(_, text)| text.lines()) {
                serde_json::from_str::<serde_json::Value>(line).unwrap();
            }
        }
        let yaml = arm.axolotl();
        assert!(yaml.contains("base_model: \"org/pruned: a\"") && yaml.contains("warmup_steps: 24\n"), "{yaml}");
        assert!(yaml.contains("micro_batch_size: 4\ngradient_accumulation_steps: 16\n"));
    }
}
