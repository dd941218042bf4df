"""Log-probabilities of the next token after several beginnings, as llama.cpp gives them: FILE OUT [MODEL]. With MODEL also
whether it cuts texts into the tokens of that folder's tokenizer. Ends with 77 where xllamacpp is not installed."""

import json
import pathlib
import sys
import urllib.request

path, out, *model = sys.argv[1:]
try:
    import xllamacpp
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(77)

params = xllamacpp.CommonParams()
params.model.path = path
params.n_ctx = 512
params.n_parallel = 1
params.warmup = False
params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32  # the default rounds keys and values to F16
params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
params.cpuparams.n_threads = 2
server = xllamacpp.Server(params)


def ask(path, body):
    request = urllib.request.Request(
        server.listening_address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        return json.load(answer)


results = []
for length in [1, 2, 3, 5, 8, 13]:
    ids = [(7 * t + t * t) % 24 for t in range(length)]
    answer = ask("/completion", {"prompt": ids, "n_predict": 1, "n_probs": 24, "cache_prompt": False})
    top = answer["completion_probabilities"][0]["top_logprobs"]
    results.append({"ids": ids, "top": [[entry["id"], entry["logprob"]] for entry in top]})
if model:
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(model[0])
    texts = [
        "Below is an instruction.\n\n### Response:\n",
        "It's 12,345 o'clock; WE'RE 7 of 1234567890",
        "  zwei  Wörter\t日本 \n \n\r\n end   ",
        "<s>a</s>",
        "def f(x):\n    return x**2  # 100%",
    ]
    for text in texts:
        answer = ask("/tokenize", {"content": text, "add_special": True, "parse_special": True})
        assert answer["tokens"] == theirs(text)["input_ids"], (text, answer, theirs(text)["input_ids"])
pathlib.Path(out).write_text(json.dumps(results))
