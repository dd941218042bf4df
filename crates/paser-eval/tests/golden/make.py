"""Golden values of paser-eval's tests, computed with transformers in float32.

    python make.py SHARED OUT

SHARED is the folder with models, data and fixtures; OUT receives `llm_pruner_2023.json` and `perplexity.json`: numbers
only, no text. The rules are those of method.md 5 and of the protocols' own programs (LLM-Pruner's ppl.py, Wanda's
eval.py, lm-evaluation-harness 0.4.13), written anew.
"""

import json
import math
import re
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

shared, out = Path(sys.argv[1]), Path(sys.argv[2])
folder = shared / "models/mix-llama-5m"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
context = model.config.max_position_embeddings


@torch.no_grad()
def forced(ids, asked):
    """Sum of ln p of the last `asked` ids, and whether each is the most likely one."""
    logits = model(torch.tensor([ids[:-1]])).logits[0, -asked:].double()
    target = torch.tensor(ids[-asked:])
    chosen = logits.log_softmax(-1).gather(1, target[:, None])
    return chosen.sum().item(), bool((logits.argmax(-1) == target).all())


def plain(text):
    return tokenizer.encode(text, add_special_tokens=False)


def separately(line, row):
    before = plain(row["context"]) if row["context"] else [tokenizer.eos_token_id]
    after = plain(row["continuation"])
    value, greedy = forced((before + after)[-(context + 1):], len(after))
    return {"line": line, "tokens": len(after), "log_likelihood": value, "is_greedy": greedy}


def pairs(name, step):
    rows = [json.loads(line) for line in (shared / "fixtures/lm-eval" / name).read_text().splitlines()]
    return [separately(i + 1, rows[i]) for i in range(0, len(rows), step)]


def dump(name, value):
    (out / name).write_text(json.dumps(value, indent=1) + "\n")


dump("llm_pruner_2023.json", {"loglikelihood.jsonl": pairs("loglikelihood.jsonl", 8), "edge_cases.jsonl": pairs("edge_cases.jsonl", 1)})


@torch.no_grad()
def losses(windows, asked):
    """Of windows of one length the sum of -ln p over the last `asked[i]` ids."""
    found = []
    for first in range(0, len(windows), 16):
        ids = torch.tensor(windows[first:first + 16])
        chosen = model(ids[:, :-1]).logits.log_softmax(-1).gather(2, ids[:, 1:, None])[:, :, 0].double()
        found += [-row[-count:].sum().item() for row, count in zip(chosen, asked[first:first + 16])]
    return found


def windowed(ids, length):
    """exp of the mean over windows of the mean loss in each, the tail dropped."""
    windows = [ids[first:first + length] for first in range(0, len(ids) - length + 1, length)]
    means = [loss / (length - 1) for loss in losses(windows, [length - 1] * len(windows))]
    return {"tokens": len(ids), "windows": len(means), "perplexity": math.exp(sum(means) / len(means))}


def pages(text):
    """A page begins at a title of the first level, ` = Title = `; what is blank is no page."""
    pages, lines = [], []
    for line in text.split("\n"):
        title = line.replace("= = =", "===").replace("= =", "==").strip()
        if title.startswith("= ") and title.endswith(" ="):
            pages.append("\n".join(lines))
            lines = []
        lines.append(line)
    return [page for page in pages + ["\n".join(lines)] if page.strip()]


def rolling(text):
    from lm_eval.tasks.wikitext.preprocess_wikitext import wikitext_detokenizer

    windows, asked, words, size, tokens, lengths = [], [], 0, 0, 0, 0
    for page in pages(text):
        detokenised = wikitext_detokenizer({"page": page})
        ids = tokenizer.encode(detokenised)
        done = 0
        while done < len(ids):
            end = min(len(ids), done + context)
            windows.append(([tokenizer.bos_token_id] + ids)[max(0, end - context):end + 1])
            asked.append(end - done)
            done = end
        tokens += len(ids)
        lengths += len(detokenised.encode())
        words += len(re.split(r"\s+", page))
        size += len(page.encode())
    full = [i for i, window in enumerate(windows) if len(window) == context + 1]
    rest = [i for i, window in enumerate(windows) if len(window) <= context]
    loss = sum(losses([windows[i] for i in full], [asked[i] for i in full]))
    loss += sum(losses([windows[i]], [asked[i]])[0] for i in rest)
    return {
        "pages": len(pages(text)), "detokenised_bytes": lengths, "tokens": tokens, "words": words, "bytes": size,
        "word_perplexity": math.exp(loss / words), "byte_perplexity": math.exp(loss / size),
        "bits_per_byte": loss / size / math.log(2),
    }


def protocols(text):
    ids = tokenizer.encode(text)
    return {
        "characters": len(text), "llm-pruner-128": windowed(ids, 128), "maxlen": windowed(ids, context),
        "lm-eval-wikitext": rolling(text),
    }


text = (shared / "data/eval/wikitext2_test.txt").read_text()
part = protocols(text[:100_000])
dump("perplexity.json", {"part": part, "whole": part})
dump("perplexity.json", {"part": part, "whole": protocols(text)})
