"""Files of results that lm-evaluation-harness 0.4.13 itself writes for the rows in `lm_eval/`.

    python harness.py SHARED

Runs `models/mix-llama-5m` of the folder SHARED on `own_choices.jsonl` and, behind two worked examples, on
`own_sums.jsonl`, and keeps the files beside the rows. Paths are shortened, and of texts that the model wrote only the
SHA-256 is kept.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import lm_eval
import yaml

shared = Path(sys.argv[1])
here = Path(__file__).resolve().parent / "lm_eval"
gsm8k = yaml.safe_load((Path(lm_eval.__file__).parent / "tasks/gsm8k/gsm8k.yaml").read_text())

choices = {
    "task": "multiple_choice",
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": str(here / "own_choices.jsonl")}},
    "output_type": "multiple_choice",
    "test_split": "test",
    "doc_to_text": "Question: {{question}}\nAnswer:",
    "doc_to_target": "gold",
    "doc_to_choice": "choices",
    "metric_list": [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm")],
    "metadata": {"version": 1.0},
}
shots = [json.loads(line) for line in (here / "own_shots.jsonl").read_text().splitlines()]
sums = {name: gsm8k[name] for name in ("output_type", "test_split", "doc_to_text", "doc_to_target", "metric_list", "filter_list", "metadata")}
sums |= {
    "task": "gsm8k_own",
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": str(here / "own_sums.jsonl")}},
    "output_type": "generate_until",
    "num_fewshot": len(shots),
    "fewshot_config": {"sampler": "first_n", "samples": shots},
    "generation_kwargs": gsm8k["generation_kwargs"] | {"max_gen_toks": 64},
}

with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    for task in (choices, sums):
        (folder / f"{task['task']}.yaml").write_text(yaml.safe_dump(task))
    model = shared / "models/mix-llama-5m"
    subprocess.run(
        ["lm_eval", "run", "--model", "hf", "--model_args", f"pretrained={model},dtype=float32", "--tasks",
         "multiple_choice,gsm8k_own", "--include_path", str(folder), "--device", "cpu", "--batch_size", "4",
         "--log_samples", "--output_path", str(folder / "out")], check=True)

    def shortened(text):
        return text.replace(str(shared) + "/", "").replace(str(here) + "/", "").replace(str(folder) + "/", "")

    results = json.loads(next(folder.glob("out/*/results_*.json")).read_text())
    del results["pretty_env_info"]
    results["model_name_sanitized"] = "models__mix-llama-5m"
    (here / "results.json").write_text(shortened(json.dumps(results, indent=2)) + "\n")
    for name in ("multiple_choice", "gsm8k_own"):
        lines = next(folder.glob(f"out/*/samples_{name}_*.jsonl")).read_text().splitlines()
        with open(here / f"samples_{name}.jsonl", "w") as out:
            for line in map(json.loads, lines):
                if name == "gsm8k_own":
                    line["resps"] = [[hashlib.sha256(line["resps"][0][0].encode()).hexdigest()]]
                out.write(json.dumps(line, ensure_ascii=False) + "\n")
