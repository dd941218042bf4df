"""An adapter with random factors as PEFT writes it, and its logits: BASE ADAPTER OUT KIND."""

import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from common import save_logits

base, adapter, out, kind = sys.argv[1:]
torch.manual_seed(3)
model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
every = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
settings = {
    "plain": {},
    "bf16": {},
    "attention": {"target_modules": r".*\.1\.self_attn\.(q|v)_proj"},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "bias": {"bias": "all"},
    "modules": {"modules_to_save": ["lm_head"]},
    "ranks": {"rank_pattern": {"q_proj": 2}},
}[kind]
config = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.1, task_type="CAUSAL_LM", **{"target_modules": every, **settings})
model = get_peft_model(model, config)
with torch.no_grad():
    for name, value in model.named_parameters():
        if "lora_" in name and "magnitude" not in name:
            value.normal_(std=0.2)
            if kind == "bf16":
                value.copy_(value.bfloat16())
model.save_pretrained(adapter)
save_logits(model, out)
