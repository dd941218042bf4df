"""What a trainer's own parser makes of the configuration in this folder: TRAINER. Prints JSON; ends with 77 where the
trainer is not installed."""

import json
import os
import sys

trainer = sys.argv[1]
sys.stdout = sys.stderr  # the trainers print, too
os.environ.setdefault("DISABLE_VERSION_CHECK", "1")  # LLaMA-Factory would refuse a newer transformers


def absent(error):
    print(error, file=sys.stderr)
    sys.exit(77)


def trl():
    try:
        from trl import DatasetMixtureConfig, ModelConfig, ScriptArguments, SFTConfig, TrlParser, get_dataset
    except ImportError as error:
        absent(error)
    SFTConfig.__post_init__ = lambda self: None  # it asks for a GPU with bf16
    parser = TrlParser((ScriptArguments, SFTConfig, ModelConfig, DatasetMixtureConfig))
    _, training, model, data = parser.parse_args_and_config(["--config", "config.yaml"])
    rows = get_dataset(data)["train"]
    assert set(rows.column_names) == {"prompt", "completion"}
    return {
        "learning_rate": training.learning_rate,
        "max_steps": training.max_steps,
        "warmup_steps": training.warmup_steps,
        "batch": training.per_device_train_batch_size * training.gradient_accumulation_steps,
        "rank": model.lora_r if model.use_peft else None,
        "targets": len(model.lora_target_modules) if model.use_peft else None,
        "rows": len(rows),
    }


def axolotl():
    import yaml

    try:
        from axolotl.utils.schemas.config import AxolotlInputConfig
    except ImportError as error:
        absent(error)
    stated = yaml.safe_load(open("config.yaml"))
    unknown = set(stated) - set(AxolotlInputConfig.model_fields)
    assert not unknown, unknown
    config = AxolotlInputConfig(**stated)
    return {
        "learning_rate": float(config.learning_rate),
        "max_steps": config.max_steps,
        "warmup_steps": config.warmup_steps,
        "batch": config.micro_batch_size * config.gradient_accumulation_steps,
        "rank": config.lora_r,
        "targets": config.lora_target_modules and len(config.lora_target_modules),
        "rows": sum(1 for _ in open(config.datasets[0].path)),
    }


def llama_factory():
    import yaml

    try:
        from llamafactory.data.parser import get_dataset_list
        from llamafactory.hparams import DataArguments, FinetuningArguments, ModelArguments
        from transformers import HfArgumentParser, TrainingArguments
    except ImportError as error:
        absent(error)
    parser = HfArgumentParser((ModelArguments, DataArguments, TrainingArguments, FinetuningArguments))
    stated = yaml.safe_load(open("config.yaml"))
    _, data, training, finetuning = parser.parse_dict(stated)
    (attributes,) = get_dataset_list(data.dataset, data.dataset_dir)
    rows = json.load(open(f"{data.dataset_dir}/{attributes.dataset_name}"))
    named = [attributes.prompt, attributes.query, attributes.response, attributes.system]
    assert set(rows[0]) == {name for name in named if name in rows[0]}, (rows[0].keys(), named)
    lora = finetuning.finetuning_type == "lora"
    return {
        "learning_rate": training.learning_rate,
        "max_steps": training.max_steps,
        "warmup_steps": training.warmup_steps,
        "batch": training.per_device_train_batch_size * training.gradient_accumulation_steps,
        "rank": finetuning.lora_rank if lora else None,
        "targets": len(finetuning.lora_target) if lora else None,
        "rows": len(rows),
    }


found = {"trl": trl, "axolotl": axolotl, "llama-factory": llama_factory}[trainer]()
print(json.dumps(found), file=sys.__stdout__)
