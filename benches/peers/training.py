"""LoRA steps with PEFT on the same samples in the same order (method.md 5).

Reads `{"model", "rank", "alpha", "batch", "steps", "lr", "samples": [{"ids", "prompt"}]}`; padded batches as a trainer's
collator makes them, loss on the response alone, AdamW, gradients clipped at 1. Reports tokens a second over all steps but
the first two, and the peak memory of the process.
"""
import json
import resource
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

task = json.load(open(sys.argv[1], encoding="utf-8"))
torch.set_num_threads(int(sys.argv[2]))
torch.manual_seed(0)
base = AutoModelForCausalLM.from_pretrained(task["model"], dtype=torch.float32, attn_implementation="sdpa")
modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
config = LoraConfig(r=task["rank"], lora_alpha=task["alpha"], lora_dropout=0.05, target_modules=modules, task_type="CAUSAL_LM")
model = get_peft_model(base, config).train()
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=task["lr"], weight_decay=0.0)
samples, batch = task["samples"], task["batch"]
tokens, seconds, losses = 0, 0.0, []
for step in range(task["steps"]):
    part = [samples[(step * batch + at) % len(samples)] for at in range(batch)]
    started = time.perf_counter()
    longest = max(len(sample["ids"]) for sample in part)
    ids = torch.zeros(len(part), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, -100)
    for row, sample in enumerate(part):
        length = len(sample["ids"])
        ids[row, :length] = torch.tensor(sample["ids"])
        mask[row, :length] = 1
        labels[row, sample["prompt"] : length] = ids[row, sample["prompt"] : length]
    loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    losses.append(loss.item())
    if step >= 2:
        seconds += time.perf_counter() - started
        tokens += sum(len(sample["ids"]) for sample in part)
print(json.dumps({
    "tokens_per_second": tokens / seconds, "first_loss": losses[0], "last_loss": losses[-1],
    "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
}))
