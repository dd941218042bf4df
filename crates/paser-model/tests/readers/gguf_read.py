"""A GGUF file by the gguf package and by transformers: FILE OUT logits|tensors [MODEL]. With MODEL the tokens of some texts
are compared with those of that folder's tokenizer."""

import pathlib
import sys

import torch
from gguf import GGUFReader
from safetensors.torch import load_file, save_file

from common import save_logits

path, out, how, *model = sys.argv[1:]
tensors = {}
reader = GGUFReader(path)
for tensor in reader.tensors:
    shape = [int(length) for length in reversed(tensor.shape)]
    data = torch.from_numpy(tensor.data.copy())
    if tensor.tensor_type.name == "BF16":
        data = data.view(torch.bfloat16).float()
    tensors[tensor.name] = data.reshape(shape).contiguous()
if how == "logits":
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, file = pathlib.Path(path).parent, pathlib.Path(path).name
    # transformers does not take qwen3's width of a head from the file, but its default of 128.
    architecture = reader.fields["general.architecture"].contents()
    width = int(reader.fields[f"{architecture}.attention.key_length"].contents())
    missed = {"head_dim": width} if architecture == "qwen3" else {}
    loaded = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=file, dtype=torch.float32, attn_implementation="eager", **missed
    )
    save_logits(loaded, out)
    tensors |= load_file(out)
    if model:
        ours, theirs = AutoTokenizer.from_pretrained(folder, gguf_file=file), AutoTokenizer.from_pretrained(model[0])
        for text in ["Below is an instruction.\n\n### Response:\n", "It's 12,345 o'clock", "  zwei  Wörter\t日本", ""]:
            found, wanted = (t(text, add_special_tokens=False)["input_ids"] for t in (ours, theirs))
            assert found == wanted, (text, found, wanted)
save_file(tensors, out)
