"""Logits of a base model with an adapter, as PEFT loads it: BASE ADAPTER OUT."""

import sys
import warnings

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from common import save_logits

base, adapter, out = sys.argv[1:]
warnings.simplefilter("error", category=UserWarning)  # PEFT warns of keys that it misses
model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
save_logits(PeftModel.from_pretrained(model, adapter), out)
