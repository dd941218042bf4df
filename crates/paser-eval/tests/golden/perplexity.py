"""Perplexities of the shared small model by transformers, for `tests/harness.rs`.

python perplexity.py SHARED > perplexity.json; the first 400 lines of the shared WikiText test text that are not blank.
"""
import json
import math
import sys

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

shared = sys.argv[1]
folder = f"{shared}/models/mix-llama-5m"
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
with open(f"{shared}/data/eval/wikitext2_test.txt", encoding="utf-8") as file:
    documents = [line for line in file.read().split("\n") if line.strip()][:400]


@torch.inference_mode()
def losses(ids):
    logits = model(input_ids=torch.tensor([ids[:-1]])).logits[0].double()
    return -torch.log_softmax(logits, -1).gather(1, torch.tensor(ids[1:])[:, None])[:, 0]


def windows(length):
    ids = tokenizer("\n\n".join(documents)).input_ids
    means = [losses(ids[at : at + length]).mean().item() for at in range(0, len(ids) - length + 1, length)]
    return math.exp(sum(means) / len(means))


def by_words():
    context, prefix, total = model.config.max_position_embeddings, tokenizer.bos_token_id, 0.0
    for document in documents:
        ids = tokenizer(document).input_ids
        # every token once: the first window behind the prefix, later ones behind what came before them
        total += losses([prefix] + ids[:context]).sum().item()
        for start in range(context, len(ids), context):
            end = min(start + context, len(ids))
            total += losses(ids[end - context - 1 : end])[-(end - start) :].sum().item()
    return math.exp(total / sum(len(document.split()) for document in documents))


print(json.dumps({"llm-pruner-128": windows(128), "maxlen": windows(512), "lm-eval-wikitext": by_words()}, indent=1))
