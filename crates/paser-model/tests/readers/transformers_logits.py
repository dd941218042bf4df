"""Logits of a model folder, as transformers loads it: MODEL OUT."""

import sys

import torch
from transformers import AutoModelForCausalLM

from common import save_logits

folder, out = sys.argv[1:]
save_logits(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager"), out)
