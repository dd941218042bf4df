"""Sentence vectors with sentence-transformers."""

import numpy
import sentence_transformers
import torch
from common import THREADS, WORK, load, measure, report

torch.set_num_threads(THREADS)
task = load("encoding.json")
model = sentence_transformers.SentenceTransformer(task["model"], device="cpu")
model.max_seq_length = 256


def encode(texts):
    return model.encode(texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False)


encode(task["texts"][:64])
figures, vectors = measure(lambda: encode(task["texts"]))
vectors.astype(numpy.float32).tofile(f"{WORK}/encoding.peer.f32")
report(figures, versions={"sentence-transformers": sentence_transformers.__version__, "torch": torch.__version__})
