"""Teacher-forced pass of two models with transformers, divergence in torch (method.md section 2).

Batches are sorted by length and padded to their longest sample under the same token budget as ours; the head is applied
to response positions only, which a plain call of the model would not do."""

import math

import numpy
import torch
import transformers
from common import THREADS, WORK, load, measure, report

CHUNK = 256

torch.set_num_threads(THREADS)
task = load("scoring.json")


def model(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="sdpa"
    ).eval()


dense, pruned = model(task["dense"]), model(task["pruned"])


def batches(samples, budget):
    order = sorted(range(len(samples)), key=lambda i: (-len(samples[i]["ids"]), i))
    batch = []
    for index in order:
        longest = len(samples[batch[0]]["ids"]) if batch else len(samples[index]["ids"])
        if batch and (len(batch) + 1) * longest > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def divergence(x, y):
    a, b = torch.log_softmax(x, -1), torch.log_softmax(y, -1)
    d = b - a
    softplus = torch.log1p(torch.exp(-d.abs()))
    s1, s2 = d.clamp(min=0) + softplus, (-d).clamp(min=0) + softplus
    p, q = a.exp(), b.exp()
    jsd = 0.5 * (p * (math.log(2) - s1) + q * (math.log(2) - s2)).sum(-1, dtype=torch.float64)
    kl = -(p * d).sum(-1, dtype=torch.float64)
    back = (q * d).sum(-1, dtype=torch.float64)
    entropies = -(p * a).sum(-1, dtype=torch.float64), -(q * b).sum(-1, dtype=torch.float64)
    return a, b, jsd, kl, back, entropies


@torch.inference_mode()
def score(samples):
    scores = [None] * len(samples)
    for batch in batches(samples, task["tokens_per_batch"]):
        chosen = [samples[index] for index in batch]
        longest = len(chosen[0]["ids"])
        ids = torch.zeros(len(batch), longest, dtype=torch.long)
        mask = torch.zeros(len(batch), longest, dtype=torch.long)
        rows, targets, owner = [], [], []
        for number, sample in enumerate(chosen):
            length = len(sample["ids"])
            ids[number, :length] = torch.tensor(sample["ids"])
            mask[number, :length] = 1
            first = sample["prompt_tokens"]
            rows += [number * longest + position - 1 for position in range(first, length)]
            targets += sample["ids"][first:]
            owner += [number] * (length - first)
        rows, targets, owner = torch.tensor(rows), torch.tensor(targets), torch.tensor(owner)
        hidden = [
            m.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state.flatten(0, 1)
            for m in (dense, pruned)
        ]
        sums = torch.zeros(len(batch), 8, dtype=torch.float64)
        for start in range(0, len(rows), CHUNK):
            part = slice(start, start + CHUNK)
            x, y = (m.lm_head(h[rows[part]]) for m, h in zip((dense, pruned), hidden))
            a, b, jsd, kl, back, entropies = divergence(x, y)
            target = targets[part].unsqueeze(-1)
            losses = [-z.gather(-1, target).squeeze(-1).double() for z in (a, b)]
            agree = (x.argmax(-1) == y.argmax(-1)).double()
            values = torch.stack([jsd, *losses, kl, back, *entropies, agree], -1)
            sums.index_add_(0, owner[part], values)
        counts = torch.bincount(owner, minlength=len(batch)).unsqueeze(-1)
        for index, means in zip(batch, (sums / counts).tolist()):
            scores[index] = means
    return scores


score(task["samples"][:8])
figures, scores = measure(lambda: score(task["samples"]))
numpy.array([row[0] for row in scores], dtype=numpy.float64).tofile(f"{WORK}/scoring.peer.f64")
report(figures, versions={"transformers": transformers.__version__, "torch": torch.__version__})
