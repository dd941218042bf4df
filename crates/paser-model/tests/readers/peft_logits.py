"""Loads an adapter in PEFT and a merged folder in transformers; both have to give the expected logits within 2e-4.

Arguments: base model, adapter, merged model, safetensors with `input_ids` and `logits`.
"""
import sys

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

base, adapter, merged, expected = sys.argv[1:]
golden = load_file(expected)


def off(model):
    with torch.inference_mode():
        logits = model(input_ids=golden["input_ids"]).logits
    return (logits - golden["logits"]).abs().max().item()


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


found = {
    "adapter in PEFT": off(PeftModel.from_pretrained(load(base), adapter).eval()),
    "merged in transformers": off(load(merged)),
}
print(", ".join(f"{name}: off by {value:.1e}" for name, value in found.items()))
sys.exit(0 if max(found.values()) < 2e-4 else 1)
